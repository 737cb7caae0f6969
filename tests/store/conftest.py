"""A store with one account in it, on each engine."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fuin.settings import Settings
from fuin.store.engine.postgres.postgres_engine import PostgresEngine
from fuin.store.engine.postgres.reader import PostgresReader
from fuin.store.identity import accounts
from fuin.store.s3 import buckets
from fuin.store.store import Store
from tests.store import values
from tests.support.postgres import PostgresServer


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of the store on both engines, and those that say why on SQLite alone."""
    if "engine_name" in metafunc.fixturenames:
        alone = metafunc.definition.get_closest_marker("sqlite_only")
        metafunc.parametrize("engine_name", ["sqlite"] if alone else ["sqlite", "postgres"])


@pytest.fixture
def settings(
    tmp_path: Path, engine_name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Give the settings of a server in the test's own folder, with a database of the test's own."""
    settings = Settings(data=tmp_path / "data")
    if engine_name == "sqlite":
        yield settings
        return
    # These tests ask on the event loop's thread and wait there; tests/store/postgres has the engine as it is.
    monkeypatch.setattr(PostgresEngine, "reads_at_once", True)
    for way in ("read", "read_row"):
        monkeypatch.setattr(PostgresReader, way, lambda reader, fn, /, *args: reader._read(fn, args))
    server: PostgresServer = request.getfixturevalue("postgres")
    filled = "store" in request.fixturenames
    with server.database(request.getfixturevalue("postgres_template") if filled else "template0") as name:
        yield replace(settings, database_url=server.socket_url(name))


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated database with the test account and an empty bucket, to be copied."""
    settings = Settings(data=tmp_path_factory.mktemp("template"))
    _fill(settings)
    return settings.database


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> Iterator[str]:
    """Give the same on PostgreSQL: the name of a database."""
    with postgres.database() as name:
        _fill(Settings(data=Path("/nowhere"), database_url=postgres.socket_url(name)))
        yield name


def _fill(settings: Settings) -> None:
    store = Store.open(settings)
    store.change_sync(accounts.insert_account, values.ACCOUNT, 1.0)
    store.change_sync(buckets.insert_bucket, values.bucket())
    store.close()


@pytest.fixture
def store(settings: Settings, request: pytest.FixtureRequest) -> Iterator[Store]:
    """Give an open store with the test account and an empty bucket."""
    if not settings.database_url:
        settings.data.mkdir()
        settings.database.write_bytes(request.getfixturevalue("_template").read_bytes())
    store = Store.open(settings)
    yield store
    store.close()
