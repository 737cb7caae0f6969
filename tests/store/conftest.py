"""A store with one account in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fuin.settings import Settings
from fuin.store.identity import accounts
from fuin.store.s3 import buckets
from fuin.store.store import Store
from tests.store import values


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of a server in the test's own folder."""
    return Settings(data=tmp_path / "data")


@pytest.fixture(scope="session")
def _template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated database with the test account and an empty bucket, to be copied."""
    settings = Settings(data=tmp_path_factory.mktemp("template"))
    store = Store.open(settings)
    store.change_sync(accounts.insert_account, values.ACCOUNT, 1.0)
    store.change_sync(buckets.insert_bucket, values.bucket())
    store.close()
    return settings.database


@pytest.fixture
def store(settings: Settings, _template: Path) -> Iterator[Store]:
    """Give an open store with the test account and an empty bucket."""
    settings.data.mkdir()
    settings.database.write_bytes(_template.read_bytes())
    store = Store.open(settings)
    yield store
    store.close()
