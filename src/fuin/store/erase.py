"""Clearing removed bytes from the database's files, after key material was deleted."""

import time

from sqlalchemy import Connection

from fuin.errors import StoreUnavailable
from fuin.store import connect

_TRIES = 5
_PAUSE = 0.2  # seconds; readers hold their transactions for well under a millisecond


def truncate_log(conn: Connection) -> None:
    """Copy the write-ahead log into the database and cut it to nothing; raises StoreUnavailable when readers linger.

    The pages that held removed rows are zeroed there (secure_delete), but the log's older frames still hold them as
    they were: https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
    """
    raw = connect.raw_of(conn)
    for _ in range(_TRIES):
        busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not busy:
            return
        time.sleep(_PAUSE)
    raise StoreUnavailable("the write-ahead log is still being read and could not be cleared")
