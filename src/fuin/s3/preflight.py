"""Preflights: a browser asks whether a page of another origin may send a request to a bucket (WHATWG, "Fetch", CORS).

A preflight is unsigned and needs no right, uses nothing, and anybody may ask: a record of each would only make the log
grow. AWS tells a missing bucket from one without rules; here both answers are the same, so that strangers do not learn
which buckets exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.gate.http import Answer
from fuin.s3.buckets import cors
from fuin.s3.request import addressing, answers, faults
from fuin.s3.request.faults import S3Fault

if TYPE_CHECKING:
    from fuin.gate.http import Request, Send
    from fuin.gate.services import Services
    from fuin.s3.request.call import Headers

_NO_ORIGIN = "Insufficient information. Origin request header needed."
_NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
    "Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec."
)


async def answer_preflight(services: Services, request: Request, send: Send) -> None:
    """Answer whether the bucket's rules allow the request that the browser wants to send."""
    try:
        answer = Answer(200, await _find_headers(services, request))
    except Exception as error:
        fault = faults.from_error(error, request.id)
        resource = request.path.decode("latin-1")
        body = faults.document(fault, resource, request.id, answers.host_id(request.id))
        answer = Answer(fault.status, [(b"Content-Type", b"application/xml")], body)
    answer.headers[:0] = answers.common_headers(request)
    await send(answer.message())


async def _find_headers(services: Services, request: Request) -> Headers:
    """Return the headers that allow the request; raises BadRequest, AccessForbidden."""
    origin = request.header(b"origin")
    if not origin:
        raise S3Fault("BadRequest", _NO_ORIGIN)
    address = addressing.parse_address(request, services.settings.s3_domains)
    method = request.header(b"access-control-request-method")
    details = {"Method": method or "OPTIONS", "ResourceType": address.level.upper()}
    store = services.store
    if store.asks_for_caller:
        await store.ask_epoch()
    bucket = await store.consult(lambda: store.catalog().bucket(address.bucket)) if address.bucket else None
    document = None if bucket is None else bucket.setting(cors.SETTING)
    if document is None:
        raise S3Fault("AccessForbidden", **details)
    if not method:
        raise S3Fault("BadRequest", "Invalid Access-Control-Request-Method: null")
    headers = cors.allowing_headers(document, origin, method, request.header(b"access-control-request-headers"))
    if headers is None:
        raise S3Fault("AccessForbidden", _NOT_ALLOWED, **details)
    return headers
