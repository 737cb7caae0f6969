"""The headers that answers have in common, and the sending of streams, which end early if a frame is not authentic."""

from __future__ import annotations

import asyncio
import logging
from binascii import b2a_base64
from typing import TYPE_CHECKING

from fuin.gate.http import ClientGone

if TYPE_CHECKING:
    from fuin.gate.http import Request, Send
    from fuin.s3.request.call import Headers, Stream

log = logging.getLogger("fuin.s3")


def host_id(request_id: str) -> str:
    """Return the second id of S3's answers: the first one in base64."""
    return b2a_base64(request_id.encode(), newline=False).decode()


def common_headers(request: Request) -> Headers:
    """Return the headers that every answer of S3 has: the request's two ids."""
    return [(b"x-amz-request-id", request.id.encode()), (b"x-amz-id-2", host_id(request.id).encode())]


async def send_stream(answer: Stream, request: Request, send: Send) -> Exception | None:
    """Send a stream, and return the server's error if one ended it early.

    If a later frame is not authentic, or the client has gone, the rest is not sent. The client knows the length, and
    the server closes the connection, so the client sees that the body is incomplete. It never gets a complete answer
    with wrong bytes.
    """
    watch: asyncio.Future[None] | None = None
    try:
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        left = await _send(answer.first, answer.length, send)
        answer.first.clear()
        if left:
            watch = asyncio.ensure_future(_wait_until_gone(request))
            async for batch in answer.rest.rest():
                left = await _send(batch, left, send)
                if watch.done():
                    break
    except Exception as error:  # the status is sent, so the answer can only end early
        log.warning("request %s broken off: %s", request.id, type(error).__name__)
        return error
    finally:
        if watch is not None:
            watch.cancel()
        await answer.rest.close()
    return None


async def _send(batch: list[memoryview], left: int, send: Send) -> int:
    """Send a batch and return the number of bytes that are left; the piece that ends the body is marked as the last."""
    if not left:
        await send({"type": "http.response.body", "body": b""})
    for piece in batch:
        if piece:
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
    return left


async def _wait_until_gone(request: Request) -> None:
    """Return when the client has closed the connection; uvicorn silently drops everything that is sent later."""
    try:
        while True:
            await request.piece()
    except ClientGone:
        return
