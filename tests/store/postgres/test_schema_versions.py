"""Two versions of Fuin on one database: which code may serve which schema, with the data of the schema before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from fuin.settings import Settings
from fuin.store.engine import installation, migrate
from fuin.store.engine.configuration import upgrade_schema
from fuin.store.engine.postgres.address import Address
from fuin.store.engine.postgres.connections import Connector, disconnect, link_of
from fuin.store.errors import NoDatabase, SchemaInUse, SchemaTooNew, SchemaTooOld
from fuin.store.store import Store
from tests.store.versions_of_before import INSERT_VERSION, SINCE, VERSIONED_BUCKET, VERSIONS_OF_BEFORE
from tests.support.postgres import PostgresServer

BEFORE, NOW = "0012", "0017"


class Shared:
    """A database with a schema and a row, and the code of two versions."""

    def __init__(self, folder: Path, postgres: PostgresServer, name: str) -> None:
        self.postgres, self.name = postgres, name
        self.settings = Settings(data=folder, database_url=postgres.socket_url(name), node="a")

    def make(self, revision: str) -> None:
        """Make the schema of a version, with an installation in it."""
        from alembic import command

        connector = Connector(Address.parse(self.settings.database_url), "test")
        conn = connector.connect()
        link_of(conn).run("SET idle_in_transaction_session_timeout = 0; BEGIN")
        with conn.begin():
            config = migrate._configuration()
            config.attributes["connection"] = conn
            command.upgrade(config, revision)
            installation.insert_meta(conn, installation.Meta("123456789012", "us-east-1", 7.0))
            conn.execute(text("INSERT INTO meta VALUES ('serves_from', :revision)"), {"revision": revision})
        disconnect(conn)

    def serve(self) -> installation.Meta | None:
        """Open the store as a server does; return a row of the database."""
        store = Store.open(self.settings, create=False)
        try:
            return store.read_sync(installation.find_meta)
        finally:
            store.close()


@pytest.fixture
def shared(tmp_path: Path, postgres: PostgresServer) -> Iterator[Shared]:
    """Give an empty database."""
    with postgres.database() as name:
        yield Shared(tmp_path, postgres, name)


def test_newer_code_waits_for_the_upgrade(shared: Shared) -> None:
    """A database of the version before is refused and left alone; after `fuin init --upgrade` it is served, whole."""
    shared.make(BEFORE)
    with pytest.raises(SchemaTooOld, match="fuin init --upgrade"):
        shared.serve()
    assert shared.postgres.execute("SELECT version_num FROM alembic_version", shared.name) == [(BEFORE,)]
    assert upgrade_schema(shared.settings) == (BEFORE, migrate.HEAD)
    meta = shared.serve()
    assert meta is not None
    assert meta.created == 7.0
    assert upgrade_schema(shared.settings) == (migrate.HEAD, migrate.HEAD)


@pytest.mark.parametrize(("oldest", "serves"), [(BEFORE, True), (NOW, False), ("", False)])
def test_older_code_serves_by_the_rule(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, oldest: str, serves: bool
) -> None:
    """Code of the version before goes on with a newer schema only if that schema says so."""
    shared.make(NOW)
    shared.postgres.execute(f"UPDATE meta SET value = '{oldest}' WHERE name = 'serves_from'", shared.name)
    if not oldest:
        shared.postgres.execute("DELETE FROM meta WHERE name = 'serves_from'", shared.name)
    monkeypatch.setattr(migrate, "HEAD", BEFORE)
    if serves:
        assert shared.serve() is not None
    else:
        with pytest.raises(SchemaTooNew):
            shared.serve()


def test_upgrade_writes_the_oldest_code(shared: Shared) -> None:
    """The newest declaration among the migrations is in the database."""
    shared.make(BEFORE)
    upgrade_schema(shared.settings)
    found = shared.postgres.execute("SELECT value FROM meta WHERE name = 'serves_from'", shared.name)
    assert found == [(migrate.serves_from(None),)]
    assert migrate.serves_from(migrate.HEAD) == ""


def test_upgrade_waits_for_nodes_that_could_not_serve(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that renews its lease stops an upgrade that its code cannot serve; a dead node's row does not."""
    shared.make(BEFORE)
    shared.postgres.execute("INSERT INTO nodes VALUES ('old', '\\x01', 0, 0, 0, 0, 0.1, '', '', '', '')", shared.name)
    beats = iter([[["old", b"", 0, 0.1]], [["old", b"", 1, 0.1]]])
    with monkeypatch.context() as patch:
        patch.setattr("fuin.store.engine.postgres.prepare._beats", lambda _conn: next(beats))
        with pytest.raises(SchemaInUse, match="old"):
            upgrade_schema(shared.settings)
    assert upgrade_schema(shared.settings) == (BEFORE, migrate.HEAD)


def test_empty_database_is_no_installation(shared: Shared) -> None:
    """Neither a server nor an upgrade makes a schema in an empty database."""
    for work in (shared.serve, lambda: upgrade_schema(shared.settings)):
        with pytest.raises(NoDatabase, match="fuin init"):
            work()


def test_versions_of_before_know_since_when_they_are_noncurrent(shared: Shared) -> None:
    """Since the next newer version was made; the newest one of a key has no such time."""
    shared.make("0014")
    connector = Connector(Address.parse(shared.settings.database_url), "test")
    conn = connector.connect()
    link_of(conn).run("SET idle_in_transaction_session_timeout = 0; BEGIN")
    with conn.begin():
        conn.execute(text("INSERT INTO accounts VALUES ('123456789012', 1.0)"))
        conn.execute(text(VERSIONED_BUCKET))
        for version in VERSIONS_OF_BEFORE:
            conn.execute(text(INSERT_VERSION), version)
    disconnect(conn)
    upgrade_schema(shared.settings)
    assert shared.postgres.execute("SELECT modified, noncurrent_since FROM objects ORDER BY id", shared.name) == SINCE
