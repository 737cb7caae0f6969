"""The write-ahead log: removed bytes are cleared from it after key material was deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.store.engine import sqlite

if TYPE_CHECKING:
    import sqlite3

_WAIT_MILLISECONDS = 100  # while it waits for readers, no process can write


def truncate_log(raw: sqlite3.Connection) -> bool:
    """Copy the write-ahead log into the database and truncate it; returns False if readers prevented it.

    The pages that held removed rows are zeroed there (secure_delete), but the log's older frames still hold them as
    they were: https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
    """
    raw.execute(f"PRAGMA busy_timeout = {_WAIT_MILLISECONDS}")
    try:
        busy: int = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        raw.execute(f"PRAGMA busy_timeout = {sqlite.BUSY_MILLISECONDS}")
    return not busy
