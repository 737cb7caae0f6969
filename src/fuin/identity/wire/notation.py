"""The two notations of answers in the Query protocol: XML, and JSON for clients that ask for it.

AWS's Query services answer in JSON if the request has the header `Accept: application/json` or the parameter
ContentType=JSON. Servers that check a token by GetCallerIdentity, such as aws-iam-authenticator, send the header.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fuin.identity.wire import query

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.identity.wire.faults import QueryFault
    from fuin.identity.wire.model import Model, Output

_encode = msgspec.json.Encoder().encode
_ASKED_BY_FORM = re.compile(rb"(?:^|&)ContentType=JSON(?:&|$)")


@dataclass(frozen=True, slots=True)
class Notation:
    """The functions that write answers with the request's id: `response` for an output, `failure` for a fault."""

    content_type: bytes
    response: Callable[[Model, str, Output | None, str], bytes]
    failure: Callable[[Model, QueryFault, str], bytes]


def requested_notation(headers: Mapping[bytes, bytes], *forms: bytes) -> Notation:
    """Return the notation that a request asks for; of several types that it accepts the first one counts."""
    accepted = headers.get(b"accept", b"").partition(b",")[0].partition(b";")[0].strip().lower()
    if accepted == b"application/json" or any(_ASKED_BY_FORM.search(form) for form in forms):
        return JSON
    return XML


def _xml_response(model: Model, operation: str, output: Output | None, request_id: str) -> bytes:
    return query.response(operation, model.namespace, model.write(operation, output), request_id)


def _xml_failure(model: Model, fault: QueryFault, request_id: str) -> bytes:
    return query.failure(fault, model.namespace, request_id)


def _json_response(model: Model, operation: str, output: Output | None, request_id: str) -> bytes:
    result = model.plain(operation, output)
    members: dict[str, Any] = {} if result is None else {f"{operation}Result": result}
    return _encode({f"{operation}Response": {**members, "ResponseMetadata": {"RequestId": request_id}}})


def _json_failure(model: Model, fault: QueryFault, request_id: str) -> bytes:
    error = {"Code": fault.code, "Message": fault.message or "", "Type": query.side_of(fault)}
    return _encode({"Error": error, "RequestId": request_id})


XML = Notation(b"text/xml", _xml_response, _xml_failure)
JSON = Notation(b"application/json", _json_response, _json_failure)
