"""The wire of AWS Query: a form of dotted names in, XML out. It knows no service; `model.py` does.

AWS: "Making query requests" in the IAM user guide; Smithy's "AWS Query protocol". A list's member is Name.member.N, a
structure's member Name.Member, an empty list Name without a value. Answers in JSON: `notation.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from fuin.identity.wire.faults import QueryFault

if TYPE_CHECKING:
    from collections.abc import Iterable

FIELDS_AT_MOST = 4000
_DEPTH_LIMIT = 12

Tree = dict[str, "str | Tree"]  # the form's names, taken apart at their dots

# What XML 1.0 cannot say at all (https://www.w3.org/TR/xml/#charsets); strangers' values come back in errors.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#xD;"})


def parse(*forms: bytes) -> Tree:
    """Return the fields of a query string and a body; raises QueryFault for a malformed form or a repeated field."""
    tree: Tree = {}
    try:
        for form in forms:
            fields = parse_qsl(
                form.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_AT_MOST, errors="strict"
            )  # fmt: skip
            for name, value in fields:
                _put(tree, name.split("."), value)
    except ValueError:  # not ASCII, not UTF-8 behind its percent signs, too many fields
        raise _malformed_query() from None
    return tree


def _malformed_query() -> QueryFault:
    """Return the fault for a form: a new one each time, since a raised exception keeps the body in memory."""
    return QueryFault("MalformedQueryString", "The query string contains a syntax error.")


def _put(tree: Tree, path: list[str], value: str) -> None:
    if len(path) > _DEPTH_LIMIT:
        raise _malformed_query()
    for step in path[:-1]:
        below = tree.setdefault(step, {})
        if isinstance(below, str):
            if below:  # both a value and members
                raise _malformed_query()
            below = tree[step] = {}
        tree = below
    if path[-1] in tree:
        raise _malformed_query()
    tree[path[-1]] = value


def text_of(tree: Tree, name: str) -> str | None:
    """Return a plain field's value, or None."""
    value = tree.get(name)
    return value if isinstance(value, str) else None


def escape(text: str) -> str:
    """Return text as the content of an element; characters that XML does not allow become the replacement character."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text).translate(_ESCAPES)


def element(name: str, parts: Iterable[str]) -> str:
    """Return an element around others."""
    inner = "".join(parts)
    return f"<{name}>{inner}</{name}>" if inner else f"<{name}/>"


def leaf(name: str, text: str) -> str:
    """Return an element with text."""
    return f"<{name}>{escape(text)}</{name}>"


def response(operation: str, namespace: str, result: str | None, request_id: str) -> bytes:
    """Return a whole answer; `result` is the content of its …Result element, None for operations without output."""
    wrapped = "" if result is None else element(f"{operation}Result", [result])
    return (
        f'<{operation}Response xmlns="{namespace}">{wrapped}<ResponseMetadata><RequestId>{request_id}</RequestId>'
        f"</ResponseMetadata></{operation}Response>"
    ).encode()


def side_of(fault: QueryFault) -> str:
    """Return the side that made the error: Sender or Receiver."""
    return "Sender" if fault.status < 500 else "Receiver"


def failure(fault: QueryFault, namespace: str, request_id: str) -> bytes:
    """Return a whole error answer."""
    return (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{side_of(fault)}</Type>{leaf("Code", fault.code)}'
        f"{leaf('Message', fault.message or '')}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()
