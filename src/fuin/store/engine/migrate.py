"""The migration of a database to this version's schema: once, even if several processes open it at the same time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text

from fuin.store.engine import sqlite
from fuin.store.errors import NoDatabase, SchemaTooNew

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from alembic.config import Config

HEAD = "0017"  # the newest file in migrations/versions; a test holds them equal
# The row of `meta` with the oldest schema whose code may serve the database, where nodes of two versions share it.
SERVES_FROM = "serves_from"
_DELETE = text("DELETE FROM meta WHERE name = :name")
_INSERT = text("INSERT INTO meta (name, value) VALUES (:name, :value)")


@contextlib.contextmanager
def _migration_lock(path: Path) -> Iterator[None]:
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def revision(path: Path) -> str | None:
    """Return the schema revision that a database file is at, or None for an empty one."""
    with contextlib.closing(sqlite.connect(path)) as raw:
        try:
            row = raw.execute("SELECT version_num FROM alembic_version").fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return None
            raise
    return None if row is None else str(row[0])


def prepare(path: Path, *, create: bool) -> None:
    """Create the database at `path`, or migrate it; raises NoDatabase (unless `create`) or SchemaTooNew."""
    if not path.exists():
        if not create:
            raise NoDatabase(f"there is no database {path}")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _migration_lock(path):
        sqlite.create_file(path)
        if revision(path) != HEAD:
            _upgrade_file(path)


def _upgrade_file(path: Path) -> None:
    engine = sqlite.make_engine(path)
    present = revision(path)
    with engine.connect() as connection, connection.begin():
        # SQLAlchemy ends the transaction, but the driver does not begin it.
        sqlite.raw_of(connection).execute("BEGIN IMMEDIATE")
        upgrade(connection, present, str(path))
    engine.dispose()


def upgrade(connection: Connection, present: str | None, place: str) -> None:
    """Apply the migrations that a database lacks, in the open transaction; raises SchemaTooNew."""
    from alembic import command  # noqa: PLC0415

    config = _configuration()
    known = {revision for revision, _ in _scripts(config)}
    if present is not None and present not in known:
        raise SchemaTooNew(f"{place} has schema {present}; this Fuin knows up to {HEAD}. Start the newer Fuin instead.")
    config.attributes["connection"] = connection  # the outer transaction keeps Alembic from making its own
    command.upgrade(config, "head")
    oldest = serves_from(present)
    if oldest and connection.dialect.name == "postgresql":
        connection.execute(_DELETE, {"name": SERVES_FROM})
        connection.execute(_INSERT, {"name": SERVES_FROM, "value": oldest})


def serves_from(present: str | None) -> str:
    """Return the oldest schema whose code may serve after an upgrade from this one; empty if that does not change."""
    declared = (
        getattr(module, SERVES_FROM, "") for name, module in _scripts(_configuration()) if name > (present or "")
    )
    return max(declared, default="")


def _configuration() -> Config:
    # Alembic takes a quarter of a second to import; most starts find the schema as it should be.
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _scripts(config: Config) -> list[tuple[str, ModuleType]]:
    """Return the revision and the module of each migration."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return [(script.revision, script.module) for script in ScriptDirectory.from_config(config).walk_revisions()]
