"""The page of docs/how-to/upload-from-a-browser.md: its script makes it, and its form uploads a file."""

import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support import forms
from tests.support.place import Place

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "upload-from-a-browser.md"


class _Form(HTMLParser):
    """The form of a page, as a browser reads it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.attributes: dict[str, str | None] = {}
        self.inputs: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the form and its inputs."""
        if tag == "form":
            self.attributes = dict(attrs)
        elif tag == "input":
            self.inputs.append(dict(attrs))


def test_the_page(place: Place, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the form sends is what the page holds; the file is the last field."""
    first, second = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names = {"boto3": SimpleNamespace(client=place.s3)}
    script = first.replace("import boto3\n", "").replace('"letters"', repr(bucket))
    exec(script.replace('.client("s3")', ".client()"), names)
    form = _Form((tmp_path / "send.html").read_text(encoding="utf-8"))
    assert form.attributes == {
        "action": f"{place.url}/{bucket}", "method": "post", "enctype": "multipart/form-data",
    }  # fmt: skip
    *hidden, file = form.inputs
    assert (file["type"], file["name"]) == ("file", "file")
    fields = {str(one["name"]): str(one["value"]) for one in hidden}
    reply = forms.send(place, bucket, fields, b"%PDF", "a letter.pdf")
    assert (reply.status, reply.text("Key")) == (201, "in/a letter.pdf")
    assert place.s3().get_object(Bucket=bucket, Key="in/a letter.pdf")["ContentType"] == "application/pdf"
    place.kms().create_alias(AliasName="alias/letters", TargetKeyId=place.new_key())
    exec(second.replace('"letters"', repr(bucket)).replace('.client("s3")', ".client()"), names)
    made = names["form"]
    assert isinstance(made, dict)
    assert forms.send(place, bucket, made["fields"]).headers["x-amz-server-side-encryption"] == "aws:kms"
