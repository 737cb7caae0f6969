"""A store with one account in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fuin.settings import Settings
from fuin.store import buckets, identities
from fuin.store.store import Store
from tests.store import values


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of a server in the test's own folder."""
    return Settings(data=tmp_path / "data")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """Give an open store with the test account and an empty bucket."""
    store = Store.open(settings)
    store.change_sync(identities.insert_account, values.ACCOUNT, 1.0)
    store.change_sync(buckets.insert_bucket, values.bucket())
    yield store
    store.close()
