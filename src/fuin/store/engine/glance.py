"""A first look at a database that changes nothing: it does not create it, and leaves schema and write-ahead log alone.

To open the database normally could not be undone: SQLite removes a write-ahead log beside an empty file, and applies a
damaged one up to its first wrong frame.
"""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.errors import StoreUnavailable
from fuin.store.engine import installation, sqlite

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class LogPosition:
    """A place in the audit log that the database has seen: a record's number and chain hash."""

    sequence: int
    head: bytes

    @classmethod
    def parse(cls, text: str) -> LogPosition:
        """Read what `text` gives; raises ValueError."""
        sequence, _, head = text.partition(":")
        return cls(int(sequence), bytes.fromhex(head))

    @property
    def text(self) -> str:
        """Return it as one text."""
        return f"{self.sequence}:{self.head.hex()}"


_NAMES_BLOBS = ("object_parts", "upload_parts", "snapshot_blobs")  # tables; an older schema has not all of them


@dataclass(frozen=True, slots=True)
class Glance:
    """A database's own values; the serial is 0 in a schema from before serials."""

    serial: int  # the number of the last commit, which the log has too; of the last one by this node
    total: int  # the number that grows with each commit, which the blobs' mark has; of an embedded one the serial
    account: str  # empty when its first start was not finished
    installation: str
    log: LogPosition | None  # must be in the log
    blobs: int | None  # the serial that the blobs' marker had at the last start; None when it was never written
    names_blobs: bool
    moving: bool = False  # it holds a part of an installation that is being moved
    moved: str = ""  # the place where its installation is since a move


def look(path: Path) -> Glance | None:
    """Return the database's own values, or None for a missing or empty file. Raises StoreUnavailable."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_size:
            try:
                return _look(path)
            except sqlite3.DatabaseError as error:
                raise StoreUnavailable(f"{path} cannot be read: {error}") from error
    return None


def _look(path: Path) -> Glance:
    raw = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    with contextlib.closing(raw):
        raw.execute(f"PRAGMA busy_timeout = {sqlite.BUSY_MILLISECONDS}")
        raw.execute("BEGIN")
        tables = {name for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        values = dict(raw.execute("SELECT name, value FROM meta")) if "meta" in tables else {}
        columns = {row[1] for row in raw.execute("PRAGMA table_info(epoch)")}
        serial = raw.execute("SELECT serial FROM epoch").fetchone()[0] if "serial" in columns else 0
        return Glance(
            serial, serial, values.get("account", ""), values.get("installation", ""),
            LogPosition.parse(values["log"]) if "log" in values else None,
            int(values["blobs"]) if "blobs" in values else None,
            any(_has_rows(raw, table) for table in _NAMES_BLOBS if table in tables),
            installation.MOVING in values,
            values.get(installation.MOVED, ""),
        )  # fmt: skip


def _has_rows(raw: sqlite3.Connection, table: str) -> bool:
    return raw.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None  # noqa: S608 - names given above
