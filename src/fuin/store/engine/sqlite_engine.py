"""SQLite as the store's engine: a file on this machine, written by one process at a time."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from fuin.errors import StoreUnavailable
from fuin.store.engine import epoch, glance, migrate, sqlite, wal
from fuin.store.engine.freshness import DataVersion
from fuin.store.engine.write_lock import WriteLock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fuin.store.engine.effect import Effect
    from fuin.store.engine.glance import Glance

T = TypeVar("T")

_BUMP_SERIAL = "UPDATE epoch SET serial = serial + 1 WHERE id = 1 RETURNING serial"


class SqliteReader:
    """A connection that reads; each read is a transaction, which is rolled back."""

    def __init__(self, path: Path) -> None:
        """Open the connection; raises what SQLite raises."""
        self._engine = sqlite.make_engine(path)
        self._conn = self._engine.connect()
        self._raw = sqlite.raw_of(self._conn)
        self._raw.execute("PRAGMA query_only = ON")

    def read(self, fn: Callable[..., T], /, *args: Any) -> T:
        """Return `fn(conn, *args)`, whose queries see one state of the database; raises StoreUnavailable."""
        try:
            self._raw.execute("BEGIN")  # fails in a read within a read, whose catalog entries could be stale
            try:
                return fn(self._conn, *args)
            finally:
                self._raw.execute("ROLLBACK")  # nothing was written; an open read would hold back checkpoints
        except (SQLAlchemyError, sqlite3.Error) as error:
            if sqlite.is_environment(error):
                raise StoreUnavailable(f"the database cannot be read: {error}") from error
            raise

    def read_row(self, fn: Callable[..., T], /, *args: Any) -> T:
        """Return the same as `read` for a function of one statement, which is a transaction by itself."""
        try:
            return fn(self._conn, *args)
        except (SQLAlchemyError, sqlite3.Error) as error:
            if sqlite.is_environment(error):
                raise StoreUnavailable(f"the database cannot be read: {error}") from error
            raise

    async def fetch(self, fn: Callable[..., T], /, *args: Any) -> T:
        """Return the same as `read`: a thread would cost more than the read."""
        return self.read(fn, *args)

    def close(self) -> None:
        """Close the connection."""
        self._conn.close()
        self._engine.dispose()


class SqliteWriteSession:
    """The connection that writes; the driver begins and ends no transaction by itself."""

    def __init__(self, path: Path) -> None:
        """Open the connection and the lock file; raises what SQLite raises."""
        self._engine = sqlite.make_engine(path)
        self.conn = self._engine.connect()
        self.changed_epoch = 0  # always: the data version has shown it to all others
        self._raw = sqlite.raw_of(self.conn)
        self._lock = WriteLock(path.with_name(path.name + ".turn"), sqlite.BUSY_MILLISECONDS / 1000)
        self._changes = 0  # rows written by this connection before the transaction

    def acquire(self) -> bool:
        """Wait for this process's turn to write and return True, or False after the longest wait."""
        return self._lock.acquire()

    def release(self) -> None:
        """Let the next process write."""
        self._lock.release()

    def begin(self, effects: Sequence[Effect]) -> None:
        """Begin a transaction that may write; no other one runs beside it, whatever the effects are."""
        self._raw.execute("BEGIN IMMEDIATE")
        self._changes = self._raw.total_changes

    def begin_job(self) -> None:
        """Begin a part of the transaction that can be undone alone."""
        self._raw.execute("SAVEPOINT job")

    def end_job(self) -> None:
        """End that part; its changes are part of the transaction."""
        self._raw.execute("RELEASE job")

    def undo_job(self) -> None:
        """Undo the changes of that part only, and end it."""
        self._raw.execute("ROLLBACK TO job")
        self._raw.execute("RELEASE job")

    def is_open(self) -> bool:
        """Return whether the transaction goes on: https://www.sqlite.org/lang_transaction.html, on full disks."""
        return self._raw.in_transaction

    def rights_epoch(self) -> int:
        """Return the epoch of rights, which nobody else can raise during the transaction."""
        return epoch.rights_part(epoch.read_epoch(self.conn))

    def raise_epoch(self, *, takes_rights: bool) -> None:
        """Raise the epoch, as a part of the transaction."""
        epoch.bump_epoch(self.conn, takes_rights=takes_rights)

    def number_commit(self) -> int:
        """Give the transaction the next serial and return it; 0 when it has written nothing.

        It is the last statement of every transaction that has written. Without SQLAlchemy it takes 3 µs instead of 25.
        """
        if self._raw.total_changes == self._changes:
            return 0  # there is nothing to commit, and no fsync to wait for
        [(number,)] = self._raw.execute(_BUMP_SERIAL).fetchall()
        return int(number)

    def commit(self) -> None:
        """Commit; what was written is on the disk when it returns."""
        self._raw.execute("COMMIT")

    def roll_back(self) -> None:
        """Undo the transaction if there is one; raises nothing."""
        with contextlib.suppress(sqlite3.Error):
            if self._raw.in_transaction:
                self._raw.execute("ROLLBACK")

    def answer_change(self, answer: Callable[[], None]) -> None:
        """Answer at once: the data version has shown the change to all others."""
        answer()

    def clear_removed(self) -> bool:
        """Clear removed bytes from the database's files; returns False if readers prevented it."""
        return wal.truncate_log(self._raw)

    def close(self) -> None:
        """Close the connection and the lock file."""
        self.conn.close()
        self._engine.dispose()
        self._lock.close()


class SqliteEngine:
    """The prepared database file at a path."""

    reads_at_once = True  # from pages that the machine has in memory: some ten microseconds

    def __init__(self, path: Path) -> None:
        """Use the file; nothing is opened yet."""
        self._path = path
        self.place = str(path)

    def look(self) -> Glance | None:
        """Return the database's own values, None before there are any, and change nothing; raises StoreUnavailable."""
        return glance.look(self._path)

    def prepare(self, *, create: bool) -> None:
        """Make the file and its schema, or bring it up to date; raises NoDatabase (unless `create`), SchemaTooNew."""
        migrate.prepare(self._path, create=create)

    def open_reader(self) -> SqliteReader:
        """Open a connection that reads; raises what SQLite raises."""
        return SqliteReader(self._path)

    def open_write_session(self) -> SqliteWriteSession:
        """Open the writer's connection; raises what SQLite raises."""
        return SqliteWriteSession(self._path)

    def open_freshness(self) -> DataVersion:
        """Open the connection that looks at the data version; raises what SQLite raises."""
        return DataVersion(sqlite.connect(self._path))

    def is_environment(self, error: BaseException) -> bool:
        """Return whether an error means that the database cannot be used now, rather than a wrong statement."""
        return sqlite.is_environment(error)

    def is_certain(self, error: BaseException) -> bool:
        """Return whether a commit that failed in this way can never come back."""
        return sqlite.is_certain(error)

    def may_run_again(self, error: BaseException) -> bool:
        """Return False: a transaction that has its turn has nobody in its way."""
        return False
