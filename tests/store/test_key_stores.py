"""Custom key stores in the database: their states, their keys, and changes that come too late."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fuin.store.errors import AlreadyExists, NotFound, WrongState
from fuin.store.kms import key_stores, keys
from fuin.store.kms.key_stores import CONNECTED, DISCONNECTED, FAILED, KeyStore
from fuin.store.kms.keys import Key
from fuin.store.store import Store
from tests.store import values

ONE = KeyStore(
    "cks-1", values.ACCOUNT, values.REGION, "one", "EXTERNAL_KEY_STORE", DISCONNECTED, None, 1.5, "{}", b"sealed"
)


@pytest.fixture(autouse=True)
def _one(store: Store) -> None:
    store.change_sync(key_stores.insert_key_store, ONE, 10)


def external(store: str = "cks-1") -> Key:
    """Return the row of a key in a key store."""
    return replace(values.key()[0], custom_key_store=store, xks_key_id="outer", origin="EXTERNAL_KEY_STORE")


def test_round_trip(store: Store) -> None:
    """What is inserted is found, by id, by name and in the list of its Region."""
    assert store.read_sync(key_stores.find_key_store, "cks-1") == ONE
    assert store.read_sync(key_stores.find_by_name, values.ACCOUNT, values.REGION, "one") == ONE
    assert store.read_sync(key_stores.list_key_stores, values.ACCOUNT, values.REGION, "", 10) == [ONE]
    assert store.read_sync(key_stores.list_key_stores, values.ACCOUNT, values.REGION, "cks-1", 10) == []
    assert store.read_sync(key_stores.list_key_stores, values.ACCOUNT, "eu-west-1", "", 10) == []
    assert store.read_sync(key_stores.find_by_name, values.ACCOUNT, values.REGION, "two") is None
    assert store.read_sync(key_stores.find_key_store, "cks-2") is None
    assert "sealed" not in repr(ONE).replace("sealed_secret", "")


def test_names_are_unique(store: Store) -> None:
    """Neither an insert nor a change takes another's name."""
    two = replace(ONE, id="cks-2", name="two")
    store.change_sync(key_stores.insert_key_store, two, 10)
    with pytest.raises(AlreadyExists):
        store.change_sync(key_stores.insert_key_store, replace(two, id="cks-3"), 10)
    with pytest.raises(AlreadyExists):
        store.change_sync(key_stores.change_key_store, replace(two, name="one"), (DISCONNECTED,))
    with pytest.raises(key_stores.TooManyKeyStores):
        store.change_sync(key_stores.insert_key_store, replace(two, id="cks-3", name="three"), 2)


def test_changes_that_come_too_late(store: Store) -> None:
    """States are read again inside the transaction, since the proxy's answer took its time."""
    store.change_sync(key_stores.set_state, "cks-1", (DISCONNECTED,), FAILED, "NETWORK_ERRORS")
    found = store.read_sync(key_stores.find_key_store, "cks-1")
    assert found is not None
    assert (found.state, found.error_code) == (FAILED, "NETWORK_ERRORS")
    late: list[tuple[Callable[..., None], Any]] = [
        (key_stores.set_state, ("cks-1", (DISCONNECTED,), CONNECTED)),
        (key_stores.change_key_store, (ONE, (DISCONNECTED, CONNECTED))),
        (key_stores.delete_key_store, ("cks-1",)),
    ]
    for call, given in late:
        with pytest.raises(WrongState):
            store.change_sync(call, *given)
    absent: list[tuple[Callable[..., None], Any]] = [
        (key_stores.set_state, ("cks-2", (DISCONNECTED,), CONNECTED)),
        (key_stores.change_key_store, (replace(ONE, id="cks-2"), (DISCONNECTED,))),
        (key_stores.delete_key_store, ("cks-2",)),
        (key_stores.insert_external_key, (external("cks-2"), values.key()[1])),
    ]
    for call, given in absent:
        with pytest.raises(NotFound):
            store.change_sync(call, *given)


def test_keys_in_it(store: Store) -> None:
    """A key is added while connected, with an external key of its own; it knows its key store's state."""
    key, (_, material) = external(), values.key()
    material = replace(material, key_id=key.key_id, material_id=key.current_material)
    with pytest.raises(WrongState):
        store.change_sync(key_stores.insert_external_key, key, material)
    store.change_sync(key_stores.set_state, "cks-1", (DISCONNECTED,), CONNECTED)
    store.change_sync(key_stores.insert_external_key, key, material)
    assert store.read_sync(key_stores.external_key_in_use, "cks-1", "outer")
    with pytest.raises(key_stores.ExternalKeyInUse):
        store.change_sync(key_stores.insert_external_key, external(), material)
    assert seen(store, key) == CONNECTED
    store.change_sync(key_stores.set_state, "cks-1", (CONNECTED,), DISCONNECTED)
    assert seen(store, key) == DISCONNECTED
    with pytest.raises(key_stores.HasKeys):
        store.change_sync(key_stores.delete_key_store, "cks-1")


def seen(store: Store, key: Key) -> str | None:
    """Return the key store's state as the key's row tells it."""
    found = store.read_sync(keys.find_key, key.key_id, key.region)
    assert found is not None
    assert store.catalog().key(key.key_id, key.region) == found  # the catalog knows of the change as well
    return found.store_state
