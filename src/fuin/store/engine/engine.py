"""The interface between the store and a database: `sqlite_engine.py` has one engine, `postgres/` the other.

The nouns of `store/kms`, `store/identity` and `store/s3` are plain SQL through SQLAlchemy. Four things differ between
databases, and are behind these types: how a reader sees one state, how the writer commits, the meaning of errors, and
how a process learns of changes by others (`freshness.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Connection

    from fuin.store.engine.effect import Effect
    from fuin.store.engine.freshness import Freshness
    from fuin.store.engine.glance import Glance

T = TypeVar("T")


class Reader(Protocol):
    """A connection that only reads, and belongs to one thread."""

    def read(self, fn: Callable[..., T], /, *args: Any) -> T:
        """Return `fn(conn, *args)`, whose queries see one state of the database; raises StoreUnavailable."""

    def read_row(self, fn: Callable[..., T], /, *args: Any) -> T:
        """Return the same as `read` for a function of one statement."""

    def fetch(self, fn: Callable[..., T], /, *args: Any) -> Awaitable[T]:
        """Return the same as `read`, without blocking the event loop."""

    def close(self) -> None:
        """Close the connection."""


class WriteSession(Protocol):
    """The connection of the writer's thread, and its transactions."""

    # The epoch that the last transaction has made, if the answers to its changes must wait for `answer_change`; else 0.
    changed_epoch: int

    @property
    def conn(self) -> Connection:
        """Return the connection; after it was lost, another one."""

    def acquire(self) -> bool:
        """Wait for this process's turn to write and return True, or False after the longest wait."""

    def release(self) -> None:
        """Let the next process write."""

    def begin(self, effects: Sequence[Effect]) -> None:
        """Begin a transaction that may write, for jobs with these effects."""

    def begin_job(self) -> None:
        """Begin a part of the transaction that can be undone alone."""

    def end_job(self) -> None:
        """End that part; its changes are part of the transaction."""

    def undo_job(self) -> None:
        """Undo the changes of that part only, and end it."""

    def is_open(self) -> bool:
        """Return whether the transaction goes on: a full disk may have ended it."""

    def rights_epoch(self) -> int:
        """Return the epoch of rights, which nobody else can raise during the transaction."""

    def raise_epoch(self, *, takes_rights: bool) -> None:
        """Raise the epoch, as a part of the transaction."""

    def number_commit(self) -> int:
        """Give the transaction the next serial and return it; 0 when it has written nothing."""

    def commit(self) -> None:
        """Commit; what was written is on the disk when it returns."""

    def roll_back(self) -> None:
        """Undo the transaction if there is one; raises nothing."""

    def answer_change(self, answer: Callable[[], None]) -> None:
        """Call `answer`, perhaps in another thread, once all other nodes know of the last transaction's changes."""

    def clear_removed(self) -> bool:
        """Clear removed bytes from the database's files; returns False if readers prevented it."""

    def close(self) -> None:
        """Close the connection."""


class Engine(Protocol):
    """A database and the way into it; every connection belongs to the thread that opened it."""

    # Whether a read answers within microseconds, as from a file in memory, so that the event loop may wait for it. An
    # engine that does not makes a decision's look-up raise NotInMemory: see `catalog.py`.
    reads_at_once: bool

    place: str  # for people, without secrets

    def look(self) -> Glance | None:
        """Return the database's own values, None before there are any, and change nothing; raises StoreUnavailable."""

    def prepare(self, *, create: bool) -> None:
        """Make the schema, or bring it up to date; raises NoDatabase (unless `create`), SchemaTooNew, SchemaTooOld.

        A schema that several nodes share is never brought up to date by itself.
        """

    def open_reader(self) -> Reader:
        """Open a connection that reads; raises what the database raises."""

    def open_write_session(self) -> WriteSession:
        """Open the writer's connection; raises what the database raises."""

    def open_freshness(self) -> Freshness:
        """Open the source of the present epoch; raises what the database raises."""

    def is_environment(self, error: BaseException) -> bool:
        """Return whether an error means that the database cannot be used now, rather than a wrong statement."""

    def is_certain(self, error: BaseException) -> bool:
        """Return whether a commit that failed in this way can never come back."""

    def may_run_again(self, error: BaseException) -> bool:
        """Return whether a transaction that failed in this way has written nothing, and may succeed the next time."""
