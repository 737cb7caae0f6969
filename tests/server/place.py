"""The HTTP edge alone, on a loopback port of its own: small applications, and clients that send bytes."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from fuin.gate.http import Answer, ClientGone, Receive, Request, Scope, Send
from fuin.server.bounds import Bounds
from fuin.server.protocol import BoundedProtocol
from tests.support.waiting import read_all, until

Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\n"


async def serving(app: Asgi, bounds: Bounds | None = None) -> tuple[asyncio.Server, ServerState]:
    """Return a server of an application on a port of its own, and its state."""
    config = uvicorn.Config(app, http=BoundedProtocol, lifespan="off", interface="asgi3", log_config=None)
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: BoundedProtocol(config, state, {}, bounds=bounds), "127.0.0.1", 0), state


async def _talk(app: Asgi, *pieces: bytes) -> bytes:
    """Return all that a server of `app` sends to a client that sends these pieces, each after the answer before."""
    server, state = await serving(app)
    state.default_headers = [(b"date", b"today")]
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    received = b""
    for piece in pieces:
        writer.write(piece)
        received += await read_all(reader)
    writer.close()
    server.close()
    await until(lambda: not state.tasks, "a task that works on for a client that has gone ends")
    return received


def talk(app: Asgi, *pieces: bytes) -> bytes:
    """Do so in a loop of its own."""
    return asyncio.run(_talk(app, *pieces))


async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer without asking for the body."""
    await send(Answer(200, [(b"x-kind", b"whole")], b"hello").message())


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the body, if it comes."""
    with contextlib.suppress(ClientGone):
        await send(Answer(200, [], await Request(scope, receive).body(1000)).message())


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with what was understood: method, target, headers, body."""
    body = await Request(scope, receive).body(100_000)
    headers = [[name.decode(), value.decode()] for name, value in scope["headers"]]
    target = [scope["method"], scope["raw_path"].decode(), scope["query_string"].decode()]
    await send(Answer(200, [], json.dumps([target, headers, body.decode()]).encode() + b"\n").message())


def told(answers: bytes) -> list[Any]:
    """Return what `tell` has understood, request by request."""
    return [json.loads(line) for line in answers.split(b"\n") if line.startswith(b"[")]
