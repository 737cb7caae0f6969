"""How Fuin opens its SQLite file: write-ahead log, every commit on the disk, removed bytes overwritten."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

BUSY_MILLISECONDS = 5000
_STATEMENTS = 512  # that a connection keeps compiled
_WAL_LIMIT = 16 * 1024 * 1024  # bytes that the log may keep on the disk after a checkpoint

_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # the commit returns after fsync: what is acknowledged is on the disk
    "PRAGMA foreign_keys = ON",
    "PRAGMA secure_delete = ON",  # removed wrapped material is overwritten, not only unlinked
    "PRAGMA trusted_schema = OFF",
    f"PRAGMA journal_size_limit = {_WAL_LIMIT}",
    "PRAGMA cache_size = -16384",  # KiB
    "PRAGMA temp_store = MEMORY",  # sorted rows never reach a temporary file
)

# https://www.sqlite.org/rescode.html: failures of the disk, the file or the machine, not of a statement.
_ENVIRONMENT = frozenset({
    sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_INTERRUPT,
})  # fmt: skip

_CERTAIN = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CONSTRAINT})


def create_file(path: Path) -> None:
    """Make the database's file, readable by this user only; SQLite gives its -wal and -shm the same mode."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)  # or the file's name could be gone after a power cut, and all commits with it
    finally:
        os.close(folder)


def connect(path: Path) -> sqlite3.Connection:
    """Return a raw connection in autocommit mode: transactions are begun and ended by name, never by the driver."""
    raw = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=BUSY_MILLISECONDS / 1000,
        cached_statements=_STATEMENTS,
    )  # fmt: skip
    for pragma in _PRAGMAS:
        raw.execute(pragma)
    return raw


def make_engine(path: Path) -> Engine:
    """Return an engine that opens each connection by `connect`."""
    creator: Callable[[], sqlite3.Connection] = lambda: connect(path)  # noqa: E731 - the type checker wants its type
    # Errors are logged, and values may be sealed secrets.
    return create_engine("sqlite://", creator=creator, poolclass=NullPool, hide_parameters=True)


def raw_of(connection: Connection) -> sqlite3.Connection:
    """Return the sqlite3 connection under an SQLAlchemy one, for BEGIN, SAVEPOINT and COMMIT."""
    raw = connection.connection.dbapi_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError("not a connection to SQLite")
    return raw


def is_environment(error: BaseException) -> bool:
    """Return whether an error means that the database cannot be used now, rather than a wrong statement."""
    return _code(error) in _ENVIRONMENT


def is_certain(error: BaseException) -> bool:
    """Return whether a commit that failed in this way can never come back: it was not written to its end.

    After other failures it may come back: when fsync fails, the whole commit is in the write-ahead log already, and the
    recovery after a crash accepts it (https://www.sqlite.org/fileformat2.html#walformat).
    """
    return _code(error) in _CERTAIN


def _code(error: BaseException) -> int | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None
