"""Answers and errors as EC2 writes them: members by the names of the wire, lists of `<item>`, times in UTC."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fuin.gate.query_form import escape

if TYPE_CHECKING:
    from fuin.ec2.wire.faults import Ec2Fault

VERSION = "2016-11-15"
NAMESPACE = f"http://ec2.amazonaws.com/doc/{VERSION}/"

Output = dict[str, Any]  # members by the names of the wire; None is left out


def timestamp(seconds: float) -> str:
    """Return a time (seconds since 1970) as EC2 shows it: 2026-11-29T17:44:52.000Z."""
    thousandths = round(seconds * 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(thousandths // 1000))}.{thousandths % 1000:03d}Z"


def response(operation: str, output: Mapping[str, Any], request_id: str) -> bytes:
    """Return a whole answer."""
    inner = _members(output)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation}Response xmlns="{NAMESPACE}">'
        f"<requestId>{request_id}</requestId>{inner}</{operation}Response>"
    ).encode()


def failure(fault: Ec2Fault, request_id: str) -> bytes:
    """Return a whole error answer."""
    error = _members({"Code": fault.code, "Message": fault.message or ""})
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>{error}</Error></Errors>'
        f"<RequestID>{request_id}</RequestID></Response>"
    ).encode()


def _members(output: Mapping[str, Any]) -> str:
    return "".join([_element(name, value) for name, value in output.items() if value is not None])


def _element(name: str, value: Any) -> str:
    inner = _content(value)
    return f"<{name}>{inner}</{name}>" if inner else f"<{name}/>"


def _content(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case Mapping():
            return _members(value)
        case list() | tuple():
            return "".join([_element("item", item) for item in value])
    return escape(str(value))
