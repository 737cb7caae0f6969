"""Notes: what an audit record holds instead of a value that is too long: its SHA-256, its length, and a part of it.

Page: docs/formats/audit-record.md, "Long values". Anybody with the original can check it against the note. A note is an
object whose `bytes` is a number. So no text, list or map from a client can be mistaken for one: maps of a client's
texts have only texts as values.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from fuin.formats import context

if TYPE_CHECKING:
    from collections.abc import Mapping

BEGINS = 64  # bytes of JSON of a text that its note shows

Note = dict[str, Any]

_encode = msgspec.json.Encoder().encode


def text_note(value: str, begins: int = BEGINS) -> Note:
    """Return the note of a text: the SHA-256 and length of its UTF-8, and its first characters."""
    whole = value.encode("utf-8", "surrogatepass")
    return {**_digest(whole), "begins": _first_characters(unicode_only(value[:begins]), begins)}


def json_note(value: Any, **more: Any) -> Note:
    """Return the note of a list or map: the SHA-256 and length of its JSON without spaces, and the members `more`."""
    return {**_digest(_encode(value)), **more}


def context_note(pairs: Mapping[str, str], holds: Mapping[str, str]) -> Note:
    """Return the note of an encryption context, of which it `holds` some pairs; the hash is of its canonical bytes.

    Raises FormatError if it has no canonical bytes, see `formats/context.py`.
    """
    return {**_digest(context.encode(pairs)), "pairs": len(pairs), "holds": dict(holds)}


def is_note(value: Any) -> bool:
    """Return whether a value of a record is a note."""
    return isinstance(value, dict) and isinstance(value.get("sha256"), str) and type(value.get("bytes")) is int


def held_part(value: Any) -> Any:
    """Return a list or map of a record, or the part of it that its note holds, which may be empty."""
    return value.get("holds", ()) if is_note(value) else value


def display_text(value: Any) -> str:
    """Return a value of a record as text for people."""
    if not is_note(value):
        return str(value)
    begins = f"{value['begins']}… " if value.get("begins") else ""
    return f"{begins}({value['bytes']:,} bytes, SHA-256 {value['sha256']})"


def size(value: Any) -> int:
    """Return the number of bytes of a value's JSON; a control character takes six."""
    return len(_encode(value))


def unicode_only(value: str) -> str:
    """Return a text in which halves of surrogate pairs, which JSON in UTF-8 cannot hold, are written as escapes."""
    return value.encode("utf-8", "backslashreplace").decode()


def _digest(data: bytes) -> Note:
    return {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}


def _first_characters(value: str, limit: int) -> str:
    """Return as many first characters as take no more than `limit` bytes of JSON, without its quotation marks."""
    shown = value[:limit]
    while (over := size(shown) - 2 - limit) > 0:
        shown = shown[: -max(1, over // 6)]
    return shown
