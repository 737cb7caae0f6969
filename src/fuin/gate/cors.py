"""Cross-origin requests to KMS and STS, as AWS takes them: pages of every origin may ask, and read the answers.

This gives nobody a right: each request is signed with keys that the page must have, and there are no cookies. A
preflight (WHATWG, "Fetch", CORS protocol) is unsigned and names no service; its form shows that it is not for S3. S3
has its own rules, and AWS's IAM does not answer pages of other origins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.gate.http import Answer

if TYPE_CHECKING:
    from fuin.gate.http import Request, Send

_ANY = (b"Access-Control-Allow-Origin", b"*")
# What an answer to a request with `Origin` needs for the page to read it, and the request's id and error with it.
ANSWERED = (_ANY, (b"Access-Control-Expose-Headers", b"x-amzn-RequestId,x-amzn-ErrorType,Date"))
_PREFLIGHT = (
    *ANSWERED,
    (b"Access-Control-Allow-Methods", b"POST,GET,OPTIONS"),
    (
        b"Access-Control-Allow-Headers",
        (
            b"Authorization,Content-Type,Accept,X-Amz-Date,X-Amz-Security-Token,X-Amz-Target,X-Amz-User-Agent,"
            b"X-Amz-Content-Sha256,amz-sdk-invocation-id,amz-sdk-request"
        ),
    ),
    (b"Access-Control-Max-Age", b"172800"),  # seconds: two days, as AWS
)
# What clients of AWS's send that a page of S3's, which posts a form, does not.
_OF_CLIENTS = (b"authorization", b"x-amz-", b"amz-sdk-")


def is_preflight(request: Request) -> bool:
    """Return whether a request asks if a page may post to `/` with the headers of KMS and STS clients."""
    headers = request.headers
    if request.method != "OPTIONS" or request.path != b"/" or request.query or b"origin" not in headers:
        return False
    asked = headers.get(b"access-control-request-headers", b"").lower()
    return headers.get(b"access-control-request-method") == b"POST" and any(name in asked for name in _OF_CLIENTS)


async def answer_preflight(send: Send) -> None:
    """Answer yes. Nothing is used, and anybody may ask: a record of each would only make the log grow."""
    await send(Answer(200, list(_PREFLIGHT)).message())
