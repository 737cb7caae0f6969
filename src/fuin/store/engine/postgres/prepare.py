"""The schema of a PostgreSQL database: made or brought up to date by one process at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fuin.store.engine import migrate
from fuin.store.engine.postgres.connections import disconnect, link_of
from fuin.store.engine.postgres.schema_version import require_served, revision
from fuin.store.errors import NoDatabase, SchemaInUse

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.store.engine.postgres.connections import Connector

_LOCK = 0x6675696E  # "fuin": the advisory lock of migrations
_BEATS = "SELECT name, incarnation, beat, lease FROM nodes"
_SLACK = 0.5  # seconds


def prepare(connector: Connector, *, create: bool) -> None:
    """Look whether this code may serve the schema; `create` makes it in an empty database.

    A schema with data in it is left as it is. Raises NoDatabase, SchemaTooOld, SchemaTooNew or Unreachable.
    """
    conn = connector.connect()
    try:
        if create and revision(conn) is None:
            _migrate(conn, connector.address.name)
        else:
            require_served(conn, connector.address.name)
    finally:
        disconnect(conn)


def upgrade(connector: Connector) -> tuple[str, str]:
    """Bring a schema with data in it up to date; return its revision before and now.

    Raises NoDatabase, SchemaTooNew, Unreachable, or SchemaInUse while nodes run that may not serve the new one.
    """
    conn = connector.connect()
    try:
        before = revision(conn)
        if before is None:
            raise NoDatabase(f"{connector.address.name} holds no installation of Fuin; `fuin init` makes it")
        if before >= migrate.HEAD:
            require_served(conn, connector.address.name)
            return before, before
        if migrate.serves_from(before) > before and (running := _running_nodes(conn)):
            raise SchemaInUse(
                f"the new schema cannot be served by the version before: stop these nodes first: {', '.join(running)}"
            )
        _migrate(conn, connector.address.name)
        return before, migrate.HEAD
    finally:
        disconnect(conn)


def _running_nodes(conn: Connection) -> list[str]:
    """Return the names of the nodes that renew their leases; the rows of dead ones may have stayed."""
    before = _beats(conn)
    if not before:
        return []
    time.sleep(max(float(lease) or 1.0 for *_, lease in before) + _SLACK)
    return sorted(row[0] for row in _beats(conn) if row not in before)


def _beats(conn: Connection) -> list[Any]:
    [rows] = link_of(conn).run(_BEATS)
    return rows


def _migrate(conn: Connection, name: str) -> None:
    link = link_of(conn)
    # A migration takes its time, and waits for the one that another process runs.
    link.run("SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0")
    link.patience = None
    link.run("BEGIN ISOLATION LEVEL READ COMMITTED")
    link.run(f"SELECT pg_advisory_xact_lock({_LOCK})")
    with conn.begin():
        migrate.upgrade(conn, revision(conn), name)
