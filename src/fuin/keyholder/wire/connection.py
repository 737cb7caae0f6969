"""A worker's connection to the keyholder: frames leave in batches, answers wake futures.

When nothing is under way, a request leaves at the end of its event loop turn. While the keyholder works on earlier
ones (it does not look at its sockets before they are durable) the next ones gather here and leave together just after
it answers, as in Nagle's algorithm (RFC 896): a write for each would wake it for nothing, and each of its turns costs
a signature and an fdatasync.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from fuin.errors import FormatError, KeyholderUnavailable
from fuin.formats import frames
from fuin.keyholder.wire import requests
from fuin.keyholder.wire.statuses import Status

if TYPE_CHECKING:
    from collections.abc import Sequence

Answer = list[bytes]  # the fields
Failure = Callable[[int, list[bytes]], Exception]  # what another status than OK means

_OK = int(Status.OK)
IN_FLIGHT_LIMIT = 4_096  # of one worker; more would only wait longer, each with a request's memory
UNREAD_LIMIT = 8 * 1024 * 1024  # of requests that the keyholder has not read; it reads all of them when it lives
GATHERED_LIMIT = 64  # requests that wait here for the keyholder's next answer
SILENCE_LIMIT = 15.0  # seconds without any answer while some are waited for


class KeyholderConnection(asyncio.Protocol):
    """One connection; when it is lost, every request in flight fails with KeyholderUnavailable."""

    def __init__(self, loop: asyncio.AbstractEventLoop, failure: Failure, *, gathers: bool = True) -> None:
        """Hold requests back while others are under way if it `gathers`.

        One that does not gather is for what takes long. There a missing answer says nothing: before the connection is
        given up, the keyholder is asked for its status, which it answers at once as long as it takes turns.
        """
        self._loop = loop
        self._gathers_requests = gathers
        self._silence = SILENCE_LIMIT
        self._last_probe_time = 0.0  # when; on the loop's clock
        self._failure = failure
        self._splitter = frames.Splitter()
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._unsent: list[bytes] = []
        self._unanswered = 0  # requests that have left and are not answered
        self._last_correlation = 0  # correlation of the newest request
        self._last_answer_time = loop.time()
        self._watch: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._is_congested = False
        self.lost = False

    def ask(self, code: int, fields: Sequence[bytes]) -> asyncio.Future[Answer]:
        """Send a request at the end of this loop turn; the future gets the fields of its answer, or its failure.

        Raises FormatError when it does not fit a frame, KeyholderUnavailable when too many wait already.
        """
        if self.lost or self._is_congested or len(self._waiting) >= IN_FLIGHT_LIMIT:
            raise KeyholderUnavailable("the keyholder cannot be reached, or too many wait for it")
        self._last_correlation = correlation = self._last_correlation + 1
        frame = frames.encode(correlation, code, fields)
        self._waiting[correlation] = future = self._loop.create_future()
        unsent = self._unsent
        unsent.append(frame)
        if len(unsent) == 1 and not (self._unanswered and self._gathers_requests):
            self._loop.call_soon(self._flush)
            if not self._unanswered:
                self._last_answer_time = self._loop.time()  # silence counts from here: nobody was asked anything before
            if self._watch is None:
                self._watch = self._loop.call_later(self._patience(), self._check_silence)
        elif len(unsent) == GATHERED_LIMIT:
            self._flush()
        return future

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        self._unanswered += len(unsent)
        if unsent and self._transport is not None and not self._transport.is_closing():
            self._transport.write(unsent[0] if len(unsent) == 1 else b"".join(unsent))

    def _patience(self) -> float:
        """Return how long to listen before something is done: ask what it is about, or give up."""
        return self._silence if self._gathers_requests else self._silence / 2

    def _check_silence(self) -> None:
        """Give up on a keyholder that hangs, so that requests end with an error and not with the client's patience."""
        self._watch = None
        if not self._waiting:
            return
        left = self._last_answer_time + self._patience() - self._loop.time()
        if left <= 0:
            if self._gathers_requests or self._last_answer_time < self._last_probe_time:
                self.close()
                return
            self._probe()
            left = self._patience()
        self._watch = self._loop.call_later(left, self._check_silence)

    def _probe(self) -> None:
        """Ask for a sign of life; whatever comes is one, so nobody waits for this answer itself."""
        self._last_probe_time = self._loop.time()
        self._last_correlation += 1
        self._unsent.append(frames.encode(self._last_correlation, requests.STATUS.code, ()))
        self._flush()

    def close(self) -> None:
        """Drop the connection at once; what is in flight fails."""
        if self._transport is not None:
            self._transport.abort()
        self._fail()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport; asyncio calls it once."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class does not inherit from it
        self._transport.set_write_buffer_limits(high=UNREAD_LIMIT)

    def pause_writing(self) -> None:
        """Take no more requests; asyncio calls it when too many bytes wait to be read."""
        self._is_congested = True

    def resume_writing(self) -> None:
        """Take requests again."""
        self._is_congested = False

    def data_received(self, data: bytes) -> None:
        """Hand answers to their futures; bytes that are no frames end the connection."""
        self._last_answer_time = self._loop.time()
        try:
            answers = self._splitter.feed(data)
        except FormatError:
            self.close()
            return
        self._unanswered -= len(answers)
        if self._unsent:
            self._loop.call_soon(self._flush)  # what this turn of the loop still brings leaves with it
        waiting = self._waiting
        for correlation, status, fields in answers:
            future = waiting.pop(correlation, None)
            if future is not None and not future.done():  # a caller that went away has cancelled its future
                if status == _OK:
                    future.set_result(fields)
                else:
                    future.set_exception(self._failure(status, fields))

    def connection_lost(self, error: Exception | None) -> None:
        """Fail what is in flight; asyncio calls it once."""
        self._fail()

    def _fail(self) -> None:
        self.lost = True
        waiting, self._waiting = self._waiting, {}
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for future in waiting.values():
            if not future.done():
                future.set_exception(KeyholderUnavailable("the connection to the keyholder was lost"))
