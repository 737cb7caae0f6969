"""A real browser: a page of another origin puts and gets by presigned URLs, and uploads by forms, as CORS allows it.

The page does its work, and posts what it has seen to the server that it came from. Chromium resolves no names, so it
talks to this machine alone.
"""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.support.place import Place

SECONDS = 60
BROWSER = shutil.which("chromium")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(BROWSER is None, reason="chromium is not installed: make test installs it as root on Debian"),
]
Open = Callable[[str], dict[str, Any]]
_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
_PAGE = """<!doctype html><title>page</title><body><script type="module">
const given = %s, seen = {};
const attempt = async (name, work) => {
  try { seen[name] = await work(); } catch (error) { seen[name] = error.name; }
};
%s
await fetch("/seen", {method: "POST", body: JSON.stringify(seen)});
</script>"""


class _Pages(ThreadingHTTPServer):
    """Serves one page, and takes what it has seen."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page = b""
        self.seen: queue.Queue[bytes] = queue.Queue()

    @property
    def origin(self) -> str:
        """Return the origin of the page."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Pages

    def do_GET(self) -> None:
        """Answer with the page."""
        self._answer(self.server.page)

    def do_POST(self) -> None:
        """Take the result."""
        self.server.seen.put(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def pages() -> Iterator[_Pages]:
    """Give the server of a page."""
    with _Pages() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def browser(folder: Path, url: str) -> Iterator[None]:
    """Let a browser open a page."""
    assert BROWSER is not None
    command = [BROWSER, *_OPTIONS, f"--user-data-dir={folder}", url]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


def run(pages: _Pages, folder: Path, given: dict[str, Any], script: str) -> dict[str, Any]:
    """Return what a page with this script has seen."""
    pages.page = (_PAGE % (json.dumps(given), script)).encode()
    with browser(folder, pages.origin):
        seen: dict[str, Any] = json.loads(pages.seen.get(timeout=SECONDS))
    return seen


def allow(place: Place, bucket: str, origin: str) -> None:
    """Let pages of an origin work with a bucket."""
    rule = {
        "AllowedOrigins": [origin], "AllowedMethods": ["GET", "PUT", "POST"], "AllowedHeaders": ["content-type"],
        "ExposeHeaders": ["ETag", "x-amz-server-side-encryption"],
    }  # fmt: skip
    place.s3().put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})


PRESIGNED = """
await attempt("put", async () => {
  const answer = await fetch(given.put, {method: "PUT", headers: {"content-type": "text/x-note"}, body: given.body});
  return [answer.status, answer.headers.get("etag"), answer.headers.get("x-amz-server-side-encryption")];
});
await attempt("get", async () => {
  const answer = await fetch(given.get);
  return [answer.status, answer.headers.get("content-type"), await answer.text()];
});
await attempt("refused", async () => (await fetch(given.refused, {method: "PUT", body: "x"})).status);
await attempt("unread", async () => (await fetch(given.unread)).status);
await attempt("error", async () => {
  const answer = await fetch(given.error);
  return [answer.status, (await answer.text()).slice(0, 5)];
});
"""


def test_a_page_puts_and_gets_by_presigned_urls(
    place: Place, bucket: str, key: str, pages: _Pages, tmp_path: Path
) -> None:
    """The bucket's rules let the page in and show it the ETag; a bucket without rules does not let it write or read."""
    s3, closed = place.s3(checksums=False), place.bucket("closed")
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    s3.put_object(Bucket=closed, Key="k", Body=b"secret")
    allow(place, bucket, pages.origin)

    def url(operation: str, **members: str) -> str:
        signed: str = s3.generate_presigned_url(operation, Params=members)
        return signed

    body = "grüße " * 5000
    given = {
        "put": url("put_object", Bucket=bucket, Key="a note", ContentType="text/x-note"), "body": body,
        "get": url("get_object", Bucket=bucket, Key="a note"),
        "refused": url("put_object", Bucket=closed, Key="new"),
        "unread": url("get_object", Bucket=closed, Key="k"),
        "error": url("get_object", Bucket=bucket, Key="nothing"),
    }  # fmt: skip
    seen = run(pages, tmp_path / "browser", given, PRESIGNED)
    head = s3.head_object(Bucket=bucket, Key="a note")
    assert seen["put"] == [200, head["ETag"], "aws:kms"]
    assert seen["get"] == [200, "text/x-note", body]
    assert seen["refused"] == seen["unread"] == "TypeError"  # which is all that a browser tells a page
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=closed)["Contents"]] == ["k"]
    assert seen["error"] == [404, "<?xml"]
    assert s3.get_object(Bucket=bucket, Key="a note")["Body"].read() == body.encode()


FORMS = """
const file = new File(["from a page"], "letter.txt", {type: "text/plain"});
await attempt("script", async () => {
  const form = new FormData();
  for (const [name, value] of Object.entries(given.fields)) form.append(name, value);
  form.append("file", file);
  const answer = await fetch(given.url, {method: "POST", body: form});
  return [answer.status, (await answer.text()).includes("<PostResponse>")];
});
await attempt("form", () => new Promise((resolve) => {
  const frame = document.createElement("iframe"), form = document.createElement("form");
  frame.name = "answer";
  document.body.append(frame, form);
  Object.assign(form, {action: given.url, method: "post", enctype: "multipart/form-data", target: "answer"});
  for (const [name, value] of Object.entries({...given.fields, key: "in/form-${filename}"}))
    form.append(Object.assign(document.createElement("input"), {type: "hidden", name, value}));
  const input = Object.assign(document.createElement("input"), {type: "file", name: "file"});
  const chosen = new DataTransfer();
  chosen.items.add(file);
  input.files = chosen.files;
  form.append(input);
  frame.onload = () => resolve("answered");
  form.submit();
}));
"""


def test_a_page_uploads_by_forms(place: Place, bucket: str, pages: _Pages, tmp_path: Path) -> None:
    """A script sends the fields, and a form is submitted as a person would; both make an object."""
    s3 = place.s3(checksums=False)
    allow(place, bucket, pages.origin)
    status = {"success_action_status": "201"}
    signed = s3.generate_presigned_post(bucket, "in/${filename}", Fields=dict(status), Conditions=[status])
    seen = run(pages, tmp_path / "browser", {"url": signed["url"], "fields": signed["fields"]}, FORMS)
    assert seen == {"script": [201, True], "form": "answered"}
    for name in ("in/letter.txt", "in/form-letter.txt"):
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == b"from a page"
