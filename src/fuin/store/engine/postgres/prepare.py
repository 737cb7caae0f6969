"""The schema of a PostgreSQL database: made or brought up to date by one process at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.store.engine import migrate
from fuin.store.engine.postgres.connections import disconnect, link_of
from fuin.store.errors import NoDatabase

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.store.engine.postgres.connections import Connector

_LOCK = 0x6675696E  # "fuin": the advisory lock of migrations
_HAS_TABLE = "SELECT to_regclass('alembic_version') IS NOT NULL"


def prepare(connector: Connector, *, create: bool) -> None:
    """Create the schema, or migrate it; raises NoDatabase (unless `create`), SchemaTooNew, Unreachable."""
    conn = connector.connect()
    try:
        present = revision(conn)
        if present is None and not create:
            raise NoDatabase(f"{connector.address.name} holds no installation of Fuin")
        if present != migrate.HEAD:
            _upgrade(conn, connector.address.name)
    finally:
        disconnect(conn)


def revision(conn: Connection) -> str | None:
    """Return the schema's revision, or None in an empty database."""
    link = link_of(conn)
    if not link.run(_HAS_TABLE)[0][0][0]:
        return None
    [rows] = link.run("SELECT version_num FROM alembic_version")
    return str(rows[0][0]) if rows else None


def _upgrade(conn: Connection, name: str) -> None:
    link = link_of(conn)
    # A migration takes its time, and waits for the one that another process runs.
    link.run("SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0")
    link.patience = None
    link.run("BEGIN ISOLATION LEVEL READ COMMITTED")
    link.run(f"SELECT pg_advisory_xact_lock({_LOCK})")
    with conn.begin():
        migrate.upgrade(conn, revision(conn), name)
