"""The wire of AWS Query: a form of dotted names in, XML out. It knows no service; `model.py` does.

AWS: "Making query requests" in the IAM user guide; Smithy's "AWS Query protocol". A list's member is Name.member.N, a
structure's member Name.Member, an empty list Name without a value. Answers in JSON: `notation.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.errors import FormatError
from fuin.gate import query_form
from fuin.gate.query_form import Tree, escape
from fuin.identity.wire.faults import QueryFault

if TYPE_CHECKING:
    from collections.abc import Iterable

FIELDS_AT_MOST = 4000


def parse(*forms: bytes) -> Tree:
    """Return the fields of a query string and a body; raises QueryFault for a malformed form or a repeated field."""
    try:
        return query_form.parse(*forms, fields_at_most=FIELDS_AT_MOST)
    except FormatError:  # a new fault each time, since a raised exception keeps the body in memory
        raise QueryFault("MalformedQueryString", "The query string contains a syntax error.") from None


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
