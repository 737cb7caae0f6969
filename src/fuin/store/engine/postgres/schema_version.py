"""The version of a PostgreSQL database's schema, and which versions of Fuin it allows to serve.

Nodes of two versions serve side by side during an upgrade. So the schema is never newer by itself: `fuin init
--upgrade` migrates it, while servers of the version before go on. A migration only adds, or it declares `serves_from`,
the oldest schema whose code may still serve: docs/formats/database.md has the rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.store.engine import migrate
from fuin.store.engine.postgres.connections import link_of
from fuin.store.errors import NoDatabase, SchemaTooNew, SchemaTooOld

if TYPE_CHECKING:
    from sqlalchemy import Connection

_HAS_TABLE = "SELECT to_regclass('alembic_version') IS NOT NULL"
_SERVES_FROM = f"SELECT value FROM meta WHERE name = '{migrate.SERVES_FROM}'"  # noqa: S608 - a constant


def revision(conn: Connection) -> str | None:
    """Return the schema's revision, or None in an empty database."""
    link = link_of(conn)
    if not link.run(_HAS_TABLE)[0][0][0]:
        return None
    [rows] = link.run("SELECT version_num FROM alembic_version")
    return str(rows[0][0]) if rows else None


def require_served(conn: Connection, place: str) -> None:
    """Raise NoDatabase, SchemaTooOld or SchemaTooNew unless this code may serve the schema as it is."""
    present = revision(conn)
    if present is None:
        raise NoDatabase(f"{place} holds no installation of Fuin; `fuin init` makes it")
    if present < migrate.HEAD:
        raise SchemaTooOld(
            f"{place} has schema {present}, and this Fuin needs {migrate.HEAD}: `fuin init --upgrade` brings it there, "
            "while servers of the version before go on"
        )
    if present > migrate.HEAD:
        [rows] = link_of(conn).run(_SERVES_FROM)
        if not rows or rows[0][0] > migrate.HEAD:
            raise SchemaTooNew(
                f"{place} has schema {present}, which code of schema {migrate.HEAD} may not serve. Start the newer "
                "Fuin instead."
            )
