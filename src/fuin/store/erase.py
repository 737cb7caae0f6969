"""Clearing removed bytes from the database's files, after key material was deleted."""

from sqlalchemy import Connection

from fuin.store import connect

_WAIT_MILLISECONDS = 100  # while it waits for readers, no process can write


def truncate_log(conn: Connection) -> bool:
    """Copy the write-ahead log into the database and cut it to nothing; tells False when readers were in the way.

    The pages that held removed rows are zeroed there (secure_delete), but the log's older frames still hold them as
    they were: https://www.sqlite.org/pragma.html#pragma_wal_checkpoint
    """
    raw = connect.raw_of(conn)
    raw.execute(f"PRAGMA busy_timeout = {_WAIT_MILLISECONDS}")
    try:
        busy: int = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        raw.execute(f"PRAGMA busy_timeout = {connect.BUSY_MILLISECONDS}")
    return not busy
