"""The question for the present epoch, which all requests share that wait for it: one in flight, one being gathered.

It goes through libpq's nonblocking calls on the event loop, prepared once. That costs a third of psycopg's own
asynchronous connection (docs/decisions/0020). A question is sent after the last callback of the turn that wants it, or
when the one before it is answered. So everyone who shares it has called before it was sent.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, NamedTuple

from psycopg import OperationalError, pq
from psycopg.conninfo import make_conninfo

from fuin.errors import StoreUnavailable
from fuin.store.engine.leases.line import poll_connection

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

CONNECT_SECONDS = 2.0  # for each host
ANSWER_SECONDS = 1.0
_NAME = b"epoch"
_QUESTION = b"SELECT value FROM epoch WHERE id = 1"
# A standby has no such number, so it refuses: it may be behind.
_TIMELINE = b"SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"


class Answer(NamedTuple):
    """The epoch of the database at some time after the call, and the timeline of the server that has said so."""

    epoch: int
    timeline: int


class Questions:
    """The connection of a worker for this question; it belongs to the event loop's thread."""

    def __init__(
        self, hosts: Sequence[Mapping[str, str]], is_replaced: Callable[[int], bool] = lambda _: False
    ) -> None:
        """Use the hosts of the database in their order; the connection opens with the first question.

        `is_replaced` says of a timeline whether a later one is known: a server with it was replaced.
        """
        self._hosts = hosts
        self._is_replaced = is_replaced
        self._next_host = 0
        self._pg: pq.abc.PGconn | None = None
        self._timeline = 0
        self._socket = -1
        # Of those who wait each has a future of its own: a task that is cancelled cancels what it awaits.
        self._asked: list[asyncio.Future[Answer]] = []  # for the answer in flight
        self._gathered: list[asyncio.Future[Answer]] = []  # for the question that goes next
        self._sent = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._connecting: asyncio.Task[None] | None = None

    def ask(self) -> asyncio.Future[Answer]:
        """Return the answer to a question that is sent after this call; raises StoreUnavailable in the future."""
        loop = asyncio.get_running_loop()
        if not self._gathered and not self._asked:
            loop.call_soon(self._send)
        answer: asyncio.Future[Answer] = loop.create_future()
        self._gathered.append(answer)
        return answer

    def _send(self) -> None:
        if not self._gathered or self._asked:
            return
        loop = asyncio.get_running_loop()
        if self._pg is not None and self._is_replaced(self._timeline):
            self._disconnect()
            self._next_host += 1
        if self._pg is None:
            if self._connecting is None:
                self._connecting = loop.create_task(self._connect())
            return
        self._asked, self._gathered = self._gathered, []
        self._sent = loop.time()
        if self._watch is None:
            self._watch = loop.call_later(ANSWER_SECONDS, self._check)
        try:
            self._pg.send_query_prepared(_NAME, None)
            self._pg.flush()  # twenty bytes, one at a time: they always fit
        except OperationalError as error:
            self._fail(str(error))

    def _read(self) -> None:
        pg, asked = self._pg, self._asked
        if pg is None:
            return
        try:
            pg.consume_input()
            if not asked or pg.is_busy():
                return
            epoch = _epoch_in(pg)
        except (OperationalError, ValueError) as error:
            self._fail(str(error))
            return
        self._asked = []
        answer = Answer(epoch, self._timeline)
        for waiting in asked:
            if not waiting.done():
                waiting.set_result(answer)
        self._send()

    def _check(self) -> None:
        """Close the connection when an answer is too late."""
        self._watch = None
        if not self._asked:
            return
        loop = asyncio.get_running_loop()
        left = self._sent + ANSWER_SECONDS - loop.time()
        if left > 0:
            self._watch = loop.call_later(left, self._check)
        else:
            self._fail("it has not answered in time")

    def _fail(self, why: str) -> None:
        """Close the connection: those who wait for its answer learn so, and the next question goes to another host."""
        self._disconnect()
        self._next_host += 1
        asked, self._asked = self._asked, []
        _refuse(asked, why)
        self._send()

    def _disconnect(self) -> None:
        if self._pg is not None:
            with contextlib.suppress(Exception):
                asyncio.get_running_loop().remove_reader(self._socket)
            self._pg.finish()
            self._pg = None

    async def _connect(self) -> None:
        """Connect to the first host that answers, or refuse those who wait."""
        why = "it cannot be reached"
        for offset in range(len(self._hosts)):
            number = (self._next_host + offset) % len(self._hosts)
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    pg, timeline = await _open(self._hosts[number])
            except (OperationalError, TimeoutError, OSError) as error:
                why = str(error).strip() or "it has not answered in time"
                continue
            if self._is_replaced(timeline):
                pg.finish()
                why = "it was replaced by another server"
                continue
            self._pg, self._timeline, self._next_host = pg, timeline, number
            break
        self._connecting = None
        if self._pg is None:
            gathered, self._gathered = self._gathered, []
            _refuse(gathered, why)
            return
        self._socket = self._pg.socket
        asyncio.get_running_loop().add_reader(self._socket, self._read)
        self._send()

    def close(self) -> None:
        """Close the connection."""
        if self._connecting is not None:
            self._connecting.cancel()
        if self._watch is not None:
            self._watch.cancel()
        self._disconnect()


def _refuse(futures: list[asyncio.Future[Answer]], why: str) -> None:
    for waiting in futures:
        if not waiting.done():
            waiting.set_exception(StoreUnavailable(f"the database cannot be asked for its epoch: {why}"))
            waiting.exception()  # perhaps nobody waits any longer


def _epoch_in(pg: pq.abc.PGconn) -> int:
    """Return the epoch of an answer that has come; raises OperationalError."""
    result = pg.get_result()
    if result is None or result.status != pq.ExecStatus.TUPLES_OK:
        raise OperationalError("the server has not answered" if result is None else result.get_error_message())
    epoch = int(result.get_value(0, 0) or b"")
    if pg.get_result() is not None:
        raise OperationalError("the server has answered more than the question")
    return epoch


async def _open(host: Mapping[str, str]) -> tuple[pq.abc.PGconn, int]:
    """Return a connection with the prepared question, and the timeline of its server, which is a primary."""
    pg = pq.PGconn.connect_start(make_conninfo("", **host).encode())
    try:
        while (status := poll_connection(pg)) != pq.PollingStatus.OK:
            await _wait_ready(pg.socket, writing=status == pq.PollingStatus.WRITING)
        pg.nonblocking = 1
        pg.send_query(_TIMELINE)
        timeline = int((await _result(pg)).get_value(0, 0) or b"", 16)
        pg.send_prepare(_NAME, _QUESTION)
        await _result(pg)
    except BaseException:
        pg.finish()
        raise
    return pg, timeline


async def _result(pg: pq.abc.PGconn) -> pq.abc.PGresult:
    """Return the result of what was sent just now."""
    pg.flush()
    found = None
    while True:
        while pg.is_busy():
            await _wait_ready(pg.socket, writing=False)
            pg.consume_input()
        result = pg.get_result()
        if result is None:
            break
        found = result
    if found is None or found.status not in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        raise OperationalError("no answer" if found is None else found.get_error_message())
    return found


async def _wait_ready(descriptor: int, *, writing: bool) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)

    def notice() -> None:
        if not ready.done():
            ready.set_result(None)

    add(descriptor, notice)
    try:
        await ready
    finally:
        remove(descriptor)
