"""Who writes a blob in a shared store: said before, taken back with its name, and taken away from who gave up."""

import pytest

from fuin.errors import StoreUnavailable
from fuin.settings import Settings
from fuin.store.s3 import upload_intents
from fuin.store.store import Store

ONE, TWO, THREE = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def store(settings: Settings) -> Store:
    """Give a store where two blobs are being written, one since long ago."""
    made = Store.open(settings)
    made.write_sync(upload_intents.begin, ONE, "node", 1000.0)
    made.write_sync(upload_intents.begin, TWO, "node", 2000.0)
    return made


def test_blob_in_use_is_not_abandoned(store: Store) -> None:
    """Only what nobody has announced is abandoned, however often it is asked."""
    for _ in range(2):
        assert store.write_sync(upload_intents.take_abandoned, [ONE, TWO, THREE], 1000.0) == {THREE}
    store.write_sync(upload_intents.end, [ONE, TWO])
    assert store.write_sync(upload_intents.take_abandoned, [ONE, TWO], 1000.0) == {ONE, TWO}
    store.close()


def test_abandoned_blob_gets_no_name(store: Store) -> None:
    """Who began before the moment may not name its blob any longer, and nothing of that transaction happens."""
    assert store.write_sync(upload_intents.take_abandoned, [ONE, TWO], 1500.0) == {ONE}
    with pytest.raises(StoreUnavailable):
        store.write_sync(upload_intents.end, [ONE, TWO])
    assert store.write_sync(upload_intents.take_abandoned, [TWO], 1500.0) == set()
    store.write_sync(upload_intents.end, [TWO])
    store.close()


def test_intents_of_crashed_writers_end(store: Store) -> None:
    """Old intents go, with or without a blob; to forget one twice does not matter."""
    store.write_sync(upload_intents.forget_old, 1500.0)
    with pytest.raises(StoreUnavailable):
        store.write_sync(upload_intents.end, [ONE])
    for _ in range(2):
        store.write_sync(upload_intents.forget, [TWO])
    with pytest.raises(StoreUnavailable):
        store.write_sync(upload_intents.end, [TWO])
    store.close()
