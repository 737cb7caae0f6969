"""S3's XML: what is read, what is refused, and that everything written can be read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.s3.request import xml

PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"))


@pytest.mark.parametrize("space", ["", f' xmlns="{xml.NAMESPACE}"', ' xmlns:a="urn:x"'])
def test_namespaces_do_not_matter(space: str) -> None:
    """With S3's namespace, another or none, the same is read."""
    root = xml.parse(f"<A{space}><B>1</B><B>2</B><C> x </C></A>".encode(), "A")
    assert [node.value for node in root.find_children("B")] == ["1", "2"]
    assert root.get("C") == " x "
    assert root.get("D") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<A>",
        "<A></B>",
        "<B/>",
        "<A/><A/>",
        '<!DOCTYPE A [<!ENTITY x "y">]><A>&x;</A>',
        '<!DOCTYPE A SYSTEM "file:///etc/passwd"><A/>',
        "<!DOCTYPE A><A/>",
        "<A>&unknown;</A>",
        "<A>\x00</A>",
        '<?xml version="1.0" encoding="no-such"?><A/>',
        "<A>" * 50 + "</A>" * 50,
        "<A>" + "<B/>" * 100_001 + "</A>",
    ],
)
def test_what_is_refused(text: str) -> None:
    """Malformed documents, other roots, document types, entities, depth and size beyond bounds."""
    with pytest.raises(xml.MalformedDocument):
        xml.parse(text.encode(), "A")


def test_doubled_and_unknown_elements_are_refused() -> None:
    """An element that may come once comes once, and `only` refuses the others."""
    root = xml.parse(b"<A><B/><B/></A>", "A")
    with pytest.raises(xml.MalformedDocument):
        root.get("B")
    with pytest.raises(xml.MalformedDocument):
        root.refuse_others("C")


@given(PRINTABLE)
def test_text_comes_back(value: str) -> None:
    """Whatever text is written is read back, whatever it looks like."""
    written = xml.document("A", xml.text("B", value))
    assert xml.parse(written, "A").get("B") == value.replace("\r\n", "\n") or "\r" in value


@given(st.text())
def test_no_text_becomes_markup(value: str) -> None:
    """No text opens or closes an element."""
    escaped = xml.escape(value)
    assert "<" not in escaped
    assert ">" not in escaped
