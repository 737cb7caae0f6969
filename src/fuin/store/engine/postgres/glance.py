"""A first look at a PostgreSQL database that changes nothing, as one node of its installation sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.store.engine import epoch, installation
from fuin.store.engine.glance import Glance, LogPosition
from fuin.store.engine.postgres.connections import disconnect, link_of
from fuin.store.engine.postgres.schema_version import revision

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.store.engine.postgres.connections import Connector, Link

_NAMES_BLOBS = "SELECT EXISTS (SELECT 1 FROM object_parts) OR EXISTS (SELECT 1 FROM upload_parts)"
_HAS_SNAPSHOTS = "SELECT to_regclass('snapshot_blobs') IS NOT NULL"  # an older schema has no such table
_NAMES_SNAPSHOTS = "SELECT EXISTS (SELECT 1 FROM snapshot_blobs)"


def look(connector: Connector, node: str) -> Glance | None:
    """Return the database's own values, or None for a database without a schema. Raises Unreachable."""
    conn = connector.connect()
    try:
        link_of(conn).run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return None if revision(conn) is None else _look(conn, node)
    finally:
        disconnect(conn)


def _look(conn: Connection, node: str) -> Glance:
    values = installation.find_values(conn)
    log = values.get(installation.name_for("log", node))
    return Glance(
        epoch.read_serial(conn, node), epoch.read_total(conn), values.get("account", ""),
        values.get("installation", ""), None if log is None else LogPosition.parse(log),
        int(values["blobs"]) if "blobs" in values else None, _names_blobs(link_of(conn)),
        installation.MOVING in values,
        values.get(installation.MOVED, ""),
    )  # fmt: skip


def _names_blobs(link: Link) -> bool:
    if link.run(_NAMES_BLOBS)[0][0][0]:
        return True
    return bool(link.run(_HAS_SNAPSHOTS)[0][0][0] and link.run(_NAMES_SNAPSHOTS)[0][0][0])
