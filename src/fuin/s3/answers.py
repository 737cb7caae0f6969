"""Answers on their way out: common headers, whole bodies, and streams that break off rather than lie."""

from __future__ import annotations

import asyncio
import base64
import logging
from typing import TYPE_CHECKING

from fuin.gate.http import ClientGone

if TYPE_CHECKING:
    from fuin.gate.http import Answer, Request, Send
    from fuin.s3.call import Headers, Stream

log = logging.getLogger("fuin.s3")

_NO_LENGTH = {204, 304}  # RFC 9110 8.6


def host_id(request_id: str) -> str:
    """Return the second id of S3's answers; it only repeats the first in S3's form."""
    return base64.b64encode(request_id.encode()).decode()


def _common_headers(request: Request) -> Headers:
    return [(b"x-amz-request-id", request.id.encode()), (b"x-amz-id-2", host_id(request.id).encode())]


async def send_whole(answer: Answer, request: Request, send: Send) -> None:
    """Send a whole answer."""
    headers = [*_common_headers(request), *answer.headers]
    if answer.status not in _NO_LENGTH and all(name != b"Content-Length" for name, _ in headers):
        headers.append((b"Content-Length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def send_stream(answer: Stream, request: Request, send: Send) -> Exception | None:
    """Send a stream. When a later frame does not hold, or the client is gone, it ends without the rest.

    Returns what of ours broke it off, if anything did.

    The length was announced, so the server closes the connection and the client sees that the body is cut off: never a
    complete answer with wrong bytes.
    """
    watch: asyncio.Future[None] | None = None
    try:
        headers = [*_common_headers(request), *answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        left = await _send(answer.first, answer.length, send)
        answer.first.clear()
        if left:
            watch = asyncio.ensure_future(_wait_until_gone(request))
            async for batch in answer.rest.rest():
                left = await _send(batch, left, send)
                if watch.done():
                    break
    except Exception as error:  # the status has gone out; all that is left is to break off
        log.warning("request %s broken off: %s", request.id, type(error).__name__)
        return error
    finally:
        if watch is not None:
            watch.cancel()
        await answer.rest.close()
    return None


async def _send(batch: list[memoryview], left: int, send: Send) -> int:
    """Send a batch and return how many bytes are left after it; the piece that ends the body is marked as the last."""
    if not left:
        await send({"type": "http.response.body", "body": b""})
    for piece in batch:
        if piece:
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
    return left


async def _wait_until_gone(request: Request) -> None:
    """Return when the client has closed the connection: uvicorn drops what is sent after that without a word."""
    try:
        while True:
            await request.piece()
    except ClientGone:
        return
