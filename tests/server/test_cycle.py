"""A request's cycle on a connection: whole answers, failing answers, clients that wait for 100 Continue."""

import asyncio
from typing import Any

import pytest

from fuin.gate.http import WHOLE, Answer, Receive, Scope, Send
from tests.server.place import OK, echo, hello, serving, talk
from tests.support.waiting import until


async def in_parts(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Answer so by ASGI's own messages."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


def test_a_whole_answer() -> None:
    """Head and body in one; HEAD gets the head alone, with the length that GET would tell."""
    head = OK + b"Date: today\r\nx-kind: whole\r\nContent-Length: 5\r\n\r\n"
    assert talk(hello, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n") == head + b"hello"
    assert talk(hello, b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n") == head
    both = talk(hello, b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n")
    assert both == head + head + b"hello"


def test_a_connection_that_is_to_end() -> None:
    """HTTP/1.0 and `connection: close` end it, and the answer says so."""
    for text in (b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"):
        answer = talk(hello, text)
        assert b"\r\nConnection: close\r\n" in answer
        assert answer.endswith(b"\r\n\r\nhello<end>")


@pytest.mark.parametrize("value", [b"a\r\nx: y", b"a\nb", b"a\rb", b"a\0b"])
def test_a_header_with_a_line_break_is_never_sent(value: bytes) -> None:
    """No part of such an answer leaves: the client gets a server error."""

    async def whole(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(Answer(200, [(b"x-name", value)], b"hello").message())

    async def parts(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-name", value)]})

    for app in (whole, parts):
        answer = talk(app, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
        assert b"x-name" not in answer
        assert answer.endswith(b"Internal Server Error<end>")


def test_a_second_answer_is_an_error() -> None:
    """Whatever is sent after a whole answer ends the connection, and nothing of it leaves."""

    async def twice(_scope: Scope, _receive: Receive, send: Send) -> None:
        for _ in range(2):
            await send({"type": WHOLE, "status": 200, "headers": [], "body": b"hello"})

    assert talk(twice, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").count(b"HTTP/1.1") == 1


def test_who_waits_to_be_told_is_told() -> None:
    """100 Continue comes once the body is asked for, and then the answer."""
    head = b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-Continue\r\ncontent-length: 4\r\n\r\n"
    answer = talk(echo, head, b"body")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)
    assert answer.endswith(b"\r\n\r\nbody")


def test_who_does_not_wait_is_not_told() -> None:
    """A body that has come already, none at all, and HTTP/1.0, which has no 100, need no 100 Continue."""
    expect = b"expect: 100-continue\r\ncontent-length: "
    for text in (
        b"POST / HTTP/1.1\r\nhost: a\r\n" + expect + b"4\r\n\r\nbody",
        b"POST / HTTP/1.1\r\nhost: a\r\n" + expect + b"0\r\n\r\n",
        b"POST / HTTP/1.0\r\n" + expect + b"4\r\n\r\nbody",
    ):
        assert talk(echo, text).startswith(OK)
    assert talk(echo, b"POST / HTTP/1.0\r\n" + expect + b"4\r\n\r\n", b"body").startswith(OK)


@pytest.mark.parametrize("app", [hello, in_parts])
def test_who_is_answered_without_being_told_is_alone(app: Any) -> None:
    """The client may not send the body, so the connection ends: a proxy's next request must not be taken for it."""
    head = b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 40\r\n\r\n"
    answer = talk(app, head)
    assert b"\r\nConnection: close\r\n" in answer
    assert answer.endswith(b"hello<end>")
    head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n"
    without = talk(app, head, b"body", b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    assert (without.count(OK), b"connection" in without.lower()) == (2, False)


def test_who_leaves_in_the_middle_leaves_nothing_behind() -> None:
    """The application learns of it, its further messages are dropped, and its task ends."""
    told: list[str] = []

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        told.append((await receive())["type"])
        told.append((await receive())["type"])
        await send(Answer(200, [], b"hello").message())
        told.append("end")

    async def leave() -> None:
        server, state = await serving(app)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nbody")
        await until(lambda: len(state.tasks) == 1, "the application is at work")
        writer.close()
        await until(lambda: not state.tasks, "its task ends")
        server.close()

    asyncio.run(leave())
    assert told == ["http.request", "http.disconnect", "end"]
