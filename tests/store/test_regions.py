"""Related keys of several Regions in the store."""

from dataclasses import replace

import pytest

from fuin.formats.wrapped import Material
from fuin.store.errors import AlreadyExists, NotFound, NotPrimary, WrongState
from fuin.store.kms import keys, materials, replicas, rotations
from fuin.store.kms.keys import DISABLED, ENABLED, PENDING_DELETION, PENDING_REPLICA_DELETION, Key
from fuin.store.store import Store
from tests.store import values

HERE, THERE, FAR = values.REGION, "eu-west-1", "sa-east-1"
DAY = 86400.0


def _primary(store: Store, **changes: object) -> tuple[Key, Material]:
    key, material = values.key(multi_region=True, primary_region=HERE, **changes)
    store.change_sync(keys.insert_key, key, material)
    return key, material


def _found(store: Store, key: Key, region: str) -> Key:
    found = store.read_sync(keys.find_key, key.key_id, region)
    assert found is not None
    return found


def test_replica_shares_what_the_primary_key_has_now(store: Store) -> None:
    """A replica takes material and schedule as they are in the transaction, not as the caller saw them."""
    key, first = _primary(store)
    second = replace(first, material_id=b"2" * 32, wrapped=b"w" * 114)
    store.change_sync(rotations.rotate_on_demand, HERE, second, first.material_id, 2.0)
    store.change_sync(rotations.set_schedule, key.key_id, HERE, 90, 3.0)
    seen = replace(key, region=THERE, description="there", tags=(("a", "b"),))
    made = store.change_sync(replicas.insert_replica, seen)
    assert made == _found(store, key, THERE)
    assert (made.current_material, made.rotation_period, made.rotation_due) == (b"2" * 32, 90, 3.0 + 90 * DAY)
    assert (made.state, made.description, made.tags) == (ENABLED, "there", (("a", "b"),))
    for region in (HERE, THERE):
        assert store.read_sync(materials.list_materials, key.key_id, region) == [first, second]
    versions = [store.read_sync(materials.list_versions, key.key_id, region) for region in (HERE, THERE)]
    assert versions[0] == versions[1]


def test_replica_has_copies_of_its_own(store: Store) -> None:
    """The end of one Region's key destroys that Region's material only."""
    key, material = _primary(store)
    store.change_sync(replicas.insert_replica, replace(key, region=THERE))
    store.change_sync(materials.destroy_materials, key.key_id, HERE)
    assert store.read_sync(materials.list_materials, key.key_id, HERE) == []
    assert store.read_sync(materials.list_materials, key.key_id, THERE) == [material]


@pytest.mark.parametrize("state", [DISABLED, PENDING_DELETION, PENDING_REPLICA_DELETION, "Updating"])
def test_only_an_enabled_primary_key_is_replicated(store: Store, state: str) -> None:
    """Whatever the caller saw, the transaction looks again; a refused replica leaves nothing behind."""
    key, _ = _primary(store, state=state)
    with pytest.raises(WrongState):
        store.change_sync(replicas.insert_replica, replace(key, region=THERE))
    assert store.read_sync(keys.find_key, key.key_id, THERE) is None


def test_what_is_no_primary_key_is_not_replicated(store: Store) -> None:
    """A key of one Region, a replica, and a key that has gone have no replicas; a Region has one key of an id."""
    key, _ = _primary(store)
    store.change_sync(replicas.insert_replica, replace(key, region=THERE))
    with pytest.raises(NotPrimary):
        store.change_sync(replicas.insert_replica, replace(key, region=FAR, primary_region=THERE))
    with pytest.raises(NotFound):
        store.change_sync(replicas.insert_replica, replace(key, region=FAR, primary_region="ca-west-1"))
    with pytest.raises(AlreadyExists):
        store.change_sync(replicas.insert_replica, replace(key, region=THERE))
    assert store.read_sync(keys.list_regions, key.key_id) == [THERE, HERE]


def test_primary_key_changes(store: Store) -> None:
    """All related keys name the new primary Region; the schedule of rotation stays shared."""
    key, _ = _primary(store)
    store.change_sync(rotations.set_schedule, key.key_id, HERE, 90, 3.0)
    for region in (THERE, FAR):
        store.change_sync(replicas.insert_replica, replace(key, region=region))
    store.change_sync(replicas.change_primary, key.key_id, HERE, THERE)
    for region in (HERE, THERE, FAR):
        assert _found(store, key, region).primary_region == THERE
    with pytest.raises(NotPrimary):
        store.change_sync(replicas.change_primary, key.key_id, HERE, FAR)
    with pytest.raises(NotFound):
        store.change_sync(replicas.change_primary, key.key_id, THERE, "ca-west-1")
    with pytest.raises(NotPrimary):
        store.change_sync(rotations.set_schedule, key.key_id, HERE, None, 4.0)
    store.change_sync(keys.set_state, key.key_id, FAR, DISABLED)
    with pytest.raises(WrongState):
        store.change_sync(replicas.change_primary, key.key_id, THERE, FAR)


def test_primary_key_waits_for_its_replicas(store: Store) -> None:
    """Its window begins in the transaction in which the last replica ends, also when several end at once."""
    key, _ = _primary(store)
    for region in (THERE, FAR):
        store.change_sync(replicas.insert_replica, replace(key, region=region))
    assert not store.change_sync(keys.schedule_deletion, key.key_id, HERE, 9.0, 7, 1.0)
    waiting = _found(store, key, HERE)
    assert (waiting.state, waiting.deletion_window, waiting.deletion_date) == (PENDING_REPLICA_DELETION, 7, None)
    for region in (THERE, FAR):
        assert store.change_sync(keys.schedule_deletion, key.key_id, region, 50.0, 7, 1.0)
    assert store.read_sync(keys.list_regions, key.key_id, 49.0) == [THERE, FAR, HERE]
    assert store.read_sync(keys.list_regions, key.key_id, 50.0) == [HERE]
    assert [each.region for each in store.read_sync(keys.expired_keys, 50.0)] in ([THERE, FAR], [FAR, THERE])
    assert store.change_sync(keys.purge_expired, 60.0) == [key.key_id, key.key_id]
    ending = _found(store, key, HERE)
    assert (ending.state, ending.deletion_window, ending.deletion_date) == (PENDING_DELETION, None, 60.0 + 7 * DAY)
    assert store.change_sync(keys.purge_expired, 60.0 + 7 * DAY) == [key.key_id]


def test_primary_key_does_not_wait_for_those_that_ended(store: Store) -> None:
    """A replica past its date does not hold the primary key back, and neither does a replica hold another one back."""
    key, _ = _primary(store)
    for region in (THERE, FAR):
        store.change_sync(replicas.insert_replica, replace(key, region=region))
    assert store.change_sync(keys.schedule_deletion, key.key_id, THERE, 50.0, 7, 1.0)
    assert store.change_sync(keys.schedule_deletion, key.key_id, FAR, 50.0, 7, 1.0)
    assert store.change_sync(keys.schedule_deletion, key.key_id, HERE, 90.0, 7, 51.0)
    assert _found(store, key, HERE).deletion_date == 90.0
    assert store.change_sync(keys.purge_expired, 60.0) == [key.key_id, key.key_id]
    assert _found(store, key, HERE).deletion_date == 90.0


def test_count_of_keys(store: Store) -> None:
    """Keys count by account and Region, those that are managed do not."""
    before = store.read_sync(keys.count_keys, values.ACCOUNT, FAR)
    for manager, service in (("CUSTOMER", ""), ("CUSTOMER", ""), ("AWS", "s3"), ("SERVICE", "s3")):
        key, material = values.key(region=FAR, manager=manager, service=service)
        store.change_sync(keys.insert_key, key, material)
    assert store.read_sync(keys.count_keys, values.ACCOUNT, FAR) == before + 2
    assert store.read_sync(keys.count_keys, values.ACCOUNT, "ca-west-1") == 0
