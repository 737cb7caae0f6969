"""A connection to PostgreSQL for short questions, each with a deadline of its own; for the keeper's only thread.

It uses libpq's nonblocking calls (https://www.postgresql.org/docs/15/libpq-async.html). When a deadline is over the
connection is closed, and never cancelled: a COMMIT that is cancelled while it waits for a standby is confirmed
although no standby has it. The server then says so by a warning (01000), which counts as no answer here.
"""

from __future__ import annotations

import contextlib
import select
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from psycopg import OperationalError, pq
from psycopg.conninfo import make_conninfo

from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row = tuple[bytes | None, ...]
_GOOD = {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.EMPTY_QUERY}


class LineFailed(FuinError):
    """The connection failed, was too slow, or the server refused; what was asked may have been done."""


class LineLate(LineFailed):
    """No answer came in time."""


class Notice(NamedTuple):
    """A notification of another session."""

    channel: str
    text: str


class Line:
    """An open connection; after a LineFailed it is closed."""

    def __init__(self, connection: pq.abc.PGconn) -> None:
        """Use a connection that is established; see `connect`."""
        self._pg = connection
        self._warnings: list[str] = []
        connection.nonblocking = 1
        connection.notice_handler = self._heed

    @classmethod
    def connect(cls, host: Mapping[str, str], seconds: float) -> Self:
        """Return a connection to one host, given by the parameters of libpq; raises LineFailed."""
        deadline = time.monotonic() + seconds
        connection = pq.PGconn.connect_start(make_conninfo("", **host).encode())
        try:
            while True:
                status = poll_connection(connection)
                if status == pq.PollingStatus.OK:
                    return cls(connection)
                _wait(connection.socket, deadline, writing=status == pq.PollingStatus.WRITING)
        except OperationalError as error:
            connection.finish()
            raise LineFailed(str(error)) from None
        except BaseException:
            connection.finish()
            raise

    def ask(self, question: str, seconds: float, values: Sequence[str | None] | None = None) -> list[list[Row]]:
        """Return the rows of each statement of a question; with values it is one statement. Raises LineFailed."""
        try:
            return self._ask(question, time.monotonic() + seconds, values)
        except OperationalError as error:
            self.close()
            raise LineFailed(str(error).strip()) from None
        except BaseException:
            self.close()
            raise

    def _ask(self, question: str, deadline: float, values: Sequence[str | None] | None) -> list[list[Row]]:
        self._warnings.clear()
        if values is None:
            self._pg.send_query(question.encode())
        else:
            given = [None if value is None else value.encode() for value in values]
            self._pg.send_query_params(question.encode(), given)
        while self._pg.flush():
            _wait(self._pg.socket, deadline, writing=True)
        answers = []
        while True:
            while self._pg.is_busy():
                _wait(self._pg.socket, deadline)
                self._pg.consume_input()
            result = self._pg.get_result()
            if result is None:
                break
            if result.status not in _GOOD:
                raise LineFailed(result.get_error_message() or _text(self._pg))
            answers.append(
                [
                    tuple(result.get_value(row, column) for column in range(result.nfields))
                    for row in range(result.ntuples)
                ]
            )
        if self._warnings:
            raise LineFailed(f"the server has warned: {self._warnings[0]}")
        return answers

    def _heed(self, result: pq.abc.PGresult) -> None:
        state = result.error_field(pq.DiagnosticField.SQLSTATE) or b""
        if state.startswith(b"01"):
            self._warnings.append(result.get_error_message())

    def wait(self, seconds: float) -> list[Notice]:
        """Return the notifications that have come, as soon as there are any, or after some seconds; raises LineFailed.

        A pause of this process may have let many gather.
        """
        notices = self._notices()
        if notices:
            return notices
        try:
            if _is_ready(self._pg.socket, seconds):
                self._pg.consume_input()
        except (OperationalError, OSError, ValueError) as error:
            self.close()
            raise LineFailed(str(error).strip()) from None
        return self._notices()

    def _notices(self) -> list[Notice]:
        notices = []
        while (found := self._pg.notifies()) is not None:
            notices.append(Notice(found.relname.decode(), found.extra.decode()))
        return notices

    def close(self) -> None:
        """Close the connection; the server ends what it still does for it."""
        with contextlib.suppress(OperationalError):
            self._pg.finish()


def poll_connection(connection: pq.abc.PGconn) -> pq.PollingStatus:
    """Go on with the establishment of a connection; raises OperationalError when it has failed."""
    failed = connection.status == pq.ConnStatus.BAD
    status = pq.PollingStatus.FAILED if failed else connection.connect_poll()
    if status == pq.PollingStatus.FAILED:
        raise OperationalError(_text(connection))
    return pq.PollingStatus(status)


def _text(connection: pq.abc.PGconn) -> str:
    return connection.get_error_message().strip() or "the connection was lost"


def _wait(descriptor: int, deadline: float, *, writing: bool = False) -> None:
    ready = _is_ready(descriptor, deadline - time.monotonic(), writing=writing)
    if not ready and time.monotonic() >= deadline:
        raise LineLate("the database has not answered in time")


def _is_ready(descriptor: int, seconds: float, *, writing: bool = False) -> bool:
    # poll and not select: select fails for every descriptor from 1024 on, however few are waited for.
    waited = select.poll()
    waited.register(descriptor, select.POLLOUT if writing else select.POLLIN)
    return bool(waited.poll(max(0.0, seconds) * 1000))
