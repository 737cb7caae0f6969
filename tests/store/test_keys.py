"""KMS keys, their material, aliases and tags."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from fuin.store.errors import AlreadyExists, NotFound, TooManyTags, WrongState
from fuin.store.kms import aliases, key_tags, keys, materials
from fuin.store.kms.aliases import Alias
from fuin.store.kms.keys import DISABLED, ENABLED, PENDING_DELETION, Key
from fuin.store.store import Store
from tests.store import values

HERE = values.REGION


def _add(store: Store, **changes: object) -> Key:
    key, material = values.key(**changes)
    store.change_sync(keys.insert_key, key, material)
    return key


def _alias(name: str, key: Key, time: float = 1.0) -> Alias:
    return Alias(key.account, key.region, name, key.key_id, time, time)


def test_key_is_found_as_it_was_added(store: Store) -> None:
    """All fields, the tags in order of their names, and the material come back; only in the key's own Region."""
    key, material = values.key(
        description="鍵", deletion_date=None, policy='{"Version":"2012-10-17"}', tags=(("a", "1"), ("ｂ", "二"))
    )
    store.change_sync(keys.insert_key, key, material)
    assert store.read_sync(keys.find_key, key.key_id, HERE) == key
    assert store.read_sync(keys.find_key, key.key_id, "eu-west-1") is None
    assert store.read_sync(materials.find_material, key.key_id, key.region, material.material_id) == material
    assert key.arn == f"arn:aws:kms:us-east-1:123456789012:key/{key.key_id}"
    assert key.enabled


def test_key_without_material_may_wait_for_it(store: Store) -> None:
    """A key whose material is imported later has none at first."""
    key, material = values.key(current_material=b"", origin="EXTERNAL", state="PendingImport")
    store.change_sync(keys.insert_key, key, None)
    assert store.read_sync(materials.list_materials, key.key_id, HERE) == []
    store.change_sync(materials.insert_material, HERE, material, 2.0)
    assert store.read_sync(materials.list_materials, key.key_id, HERE) == [material]


def test_key_may_have_several_materials(store: Store) -> None:
    """Materials are listed oldest first; the same material id twice is refused."""
    key, first = values.key()
    store.change_sync(keys.insert_key, key, first)
    second = replace(first, material_id=b"2" * 32)
    store.change_sync(materials.insert_material, HERE, second, 2.0)
    assert store.read_sync(materials.list_materials, key.key_id, HERE) == [first, second]
    with pytest.raises(AlreadyExists):
        store.change_sync(materials.insert_material, HERE, second, 3.0)


def test_replica_in_another_region_has_its_own_row(store: Store) -> None:
    """A key id may exist once per Region, with the same material; the end of one leaves the other."""
    key, material = values.key(multi_region=True)
    store.change_sync(keys.insert_key, key, material)
    store.change_sync(keys.insert_key, replace(key, region="eu-west-1"), material)
    store.change_sync(keys.schedule_deletion, key.key_id, HERE, 5.0)
    assert asyncio.run(store.purge(5.0)) == [key.key_id]
    assert store.read_sync(keys.find_key, key.key_id, HERE) is None
    assert store.read_sync(keys.find_key, key.key_id, "eu-west-1") is not None
    assert store.read_sync(materials.find_material, key.key_id, "eu-west-1", material.material_id) == material


def test_second_key_of_that_id_is_refused(store: Store) -> None:
    """A key id is taken once in a Region, and needs an account that exists."""
    key = _add(store)
    with pytest.raises(AlreadyExists):
        store.change_sync(keys.insert_key, key, None)
    with pytest.raises(NotFound):
        _add(store, account="999999999999")


def test_service_has_one_key_per_account_and_region(store: Store) -> None:
    """Two workers that make a service's key at the same time end with one; customers' keys are not concerned."""
    first = _add(store, manager="SERVICE", service="s3")
    with pytest.raises(AlreadyExists):
        _add(store, manager="SERVICE", service="s3")
    managed = _add(store, manager="AWS", service="s3")
    elsewhere = _add(store, manager="SERVICE", service="s3", region="eu-west-1")
    _add(store), _add(store)
    find = [("SERVICE", HERE), ("AWS", HERE), ("SERVICE", "eu-west-1"), ("AWS", "eu-west-1")]
    found = [store.read_sync(keys.find_service_key, values.ACCOUNT, region, manager, "s3") for manager, region in find]
    assert found == [first.key_id, managed.key_id, elsewhere.key_id, None]
    assert store.read_sync(keys.find_service_key, values.ACCOUNT, HERE, "CUSTOMER", "") is None


def test_list_pages_through_the_keys_of_a_region(store: Store) -> None:
    """Pages join without gap or repetition; services' own keys and other Regions are left out."""
    added = [*(_add(store).key_id for _ in range(5)), _add(store, manager="AWS", service="s3").key_id]
    _add(store, manager="SERVICE", service="s3"), _add(store, region="eu-west-1")
    found: list[str] = []
    while page := store.read_sync(keys.list_keys, values.ACCOUNT, HERE, found[-1] if found else "", 2):
        found += page
    assert found == sorted(added)


@pytest.mark.parametrize(
    ("start", "change", "end"),
    [
        (ENABLED, lambda c, k: keys.set_state(c, k, HERE, DISABLED), DISABLED),
        (DISABLED, lambda c, k: keys.set_state(c, k, HERE, ENABLED), ENABLED),
        (ENABLED, lambda c, k: keys.set_state(c, k, HERE, ENABLED), ENABLED),
        (ENABLED, lambda c, k: keys.schedule_deletion(c, k, HERE, 9.0), PENDING_DELETION),
        (DISABLED, lambda c, k: keys.schedule_deletion(c, k, HERE, 9.0), PENDING_DELETION),
        (PENDING_DELETION, lambda c, k: keys.cancel_deletion(c, k, HERE), DISABLED),
        (PENDING_DELETION, lambda c, k: keys.set_state(c, k, HERE, ENABLED), None),
        (PENDING_DELETION, lambda c, k: keys.set_state(c, k, HERE, DISABLED), None),
        (PENDING_DELETION, lambda c, k: keys.schedule_deletion(c, k, HERE, 9.0), None),
        (ENABLED, lambda c, k: keys.cancel_deletion(c, k, HERE), None),
        (DISABLED, lambda c, k: keys.cancel_deletion(c, k, HERE), None),
        ("PendingImport", lambda c, k: keys.set_state(c, k, HERE, ENABLED), None),
    ],
)
def test_states_move_as_aws_says(store: Store, start: str, change: Callable[..., None], end: str | None) -> None:
    """The state is checked in the transaction: a key that is to be deleted is not enabled by a request in flight."""
    key = _add(store, state=start, deletion_date=9.0 if start == PENDING_DELETION else None)
    if end is None:
        with pytest.raises(WrongState) as refused:
            store.change_sync(change, key.key_id)
        assert refused.value.state == start
        assert store.read_sync(keys.find_key, key.key_id, HERE) == key
        return
    store.change_sync(change, key.key_id)
    after = store.read_sync(keys.find_key, key.key_id, HERE)
    assert after == replace(key, state=end, deletion_date=9.0 if end == PENDING_DELETION else None)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: keys.set_state(c, "none", HERE, ENABLED),
        lambda c: keys.schedule_deletion(c, "none", HERE, 1.0),
        lambda c: keys.cancel_deletion(c, "none", HERE),
        lambda c: keys.set_policy(c, "none", HERE, "{}"),
        lambda c: keys.set_description(c, "none", HERE, ""),
        lambda c: key_tags.set_tags(c, "none", HERE, {"a": "b"}),
        lambda c: aliases.insert_alias(c, Alias(values.ACCOUNT, HERE, "alias/a", "none", 1.0, 1.0)),
        lambda c: aliases.update_alias(c, values.ACCOUNT, HERE, "alias/a", "none", 1.0),
        lambda c: aliases.delete_alias(c, values.ACCOUNT, HERE, "alias/a"),
    ],
)
def test_change_of_an_absent_key_is_not_found(store: Store, change: Callable[..., None]) -> None:
    """A key or alias that has gone meanwhile is told by the change itself."""
    with pytest.raises(NotFound):
        store.change_sync(change)


def test_policy_and_description_are_replaced(store: Store) -> None:
    """Both are found as they were last set."""
    key = _add(store)
    store.change_sync(keys.set_policy, key.key_id, HERE, "{new}")
    store.change_sync(keys.set_description, key.key_id, HERE, "new")
    assert store.read_sync(keys.find_key, key.key_id, HERE) == replace(key, policy="{new}", description="new")


def test_only_expired_keys_are_purged(store: Store) -> None:
    """A key goes when its time has come, not before, nor when the deletion was cancelled; aliases and tags go too."""
    ended, later, saved = _add(store, tags=(("a", "b"),)), _add(store), _add(store)
    store.change_sync(aliases.insert_alias, _alias("alias/ended", ended))
    for key, date in ((ended, 10.0), (later, 11.0), (saved, 10.0)):
        store.change_sync(keys.schedule_deletion, key.key_id, HERE, date)
    store.change_sync(keys.cancel_deletion, saved.key_id, HERE)
    assert asyncio.run(store.purge(9.99)) == []
    assert asyncio.run(store.purge(10.0)) == [ended.key_id]
    assert asyncio.run(store.purge(10.0)) == []
    assert store.read_sync(keys.list_keys, values.ACCOUNT, HERE, "", 10) == sorted([later.key_id, saved.key_id])
    assert store.read_sync(key_tags.list_tags, ended.key_id, HERE) == ()
    assert store.read_sync(aliases.find_alias, values.ACCOUNT, HERE, "alias/ended") is None


def test_aliases_are_listed_by_name_and_by_key(store: Store) -> None:
    """Pages of all aliases and of one key's; a name is taken once per account and Region."""
    first, second = _add(store), _add(store)
    for name, key in (("alias/a", first), ("alias/b", second), ("alias/c", first)):
        store.change_sync(aliases.insert_alias, _alias(name, key))
    list_aliases = aliases.list_aliases
    assert store.read_sync(list_aliases, values.ACCOUNT, HERE, None, "", 2) == [
        _alias("alias/a", first), _alias("alias/b", second)
    ]  # fmt: skip
    assert store.read_sync(list_aliases, values.ACCOUNT, HERE, None, "alias/b", 2) == [_alias("alias/c", first)]
    assert store.read_sync(list_aliases, values.ACCOUNT, HERE, second.key_id, "", 9) == [_alias("alias/b", second)]
    with pytest.raises(AlreadyExists):
        store.change_sync(aliases.insert_alias, _alias("alias/a", second))


def test_alias_is_pointed_elsewhere_and_removed(store: Store) -> None:
    """An update keeps the time of creation; a removed alias frees its name."""
    first, second = _add(store), _add(store)
    store.change_sync(aliases.insert_alias, _alias("alias/a", first))
    store.change_sync(aliases.update_alias, values.ACCOUNT, HERE, "alias/a", second.key_id, 7.0)
    moved = store.read_sync(aliases.find_alias, values.ACCOUNT, HERE, "alias/a")
    assert moved == replace(_alias("alias/a", second), updated=7.0)
    store.change_sync(aliases.delete_alias, values.ACCOUNT, HERE, "alias/a")
    store.change_sync(aliases.insert_alias, _alias("alias/a", first))


def test_alias_does_not_reach_a_key_of_another_region(store: Store) -> None:
    """An alias and its key are of one Region."""
    key = _add(store, region="eu-west-1")
    with pytest.raises(NotFound):
        store.change_sync(aliases.insert_alias, replace(_alias("alias/a", key), region=HERE))


def test_tags_are_set_replaced_and_removed(store: Store) -> None:
    """A tag of the same name gets the new value; names that are absent are passed over when removed."""
    key = _add(store)
    store.change_sync(key_tags.set_tags, key.key_id, HERE, {"b": "1", "a": "2"})
    store.change_sync(key_tags.set_tags, key.key_id, HERE, {"b": "3", "": ""})
    assert store.read_sync(key_tags.list_tags, key.key_id, HERE) == (("", ""), ("a", "2"), ("b", "3"))
    store.change_sync(key_tags.remove_tags, key.key_id, HERE, ["a", "unknown"])
    assert store.catalog().key(key.key_id, HERE) == replace(key, tags=(("", ""), ("b", "3")))


def test_too_many_tags_change_nothing(store: Store) -> None:
    """The fifty-first tag is refused with all that came with it."""
    key = _add(store)
    store.change_sync(key_tags.set_tags, key.key_id, HERE, {f"{n:02}": "v" for n in range(49)})
    with pytest.raises(TooManyTags):
        store.change_sync(key_tags.set_tags, key.key_id, HERE, {"x": "1", "y": "2"})
    assert len(store.read_sync(key_tags.list_tags, key.key_id, HERE)) == 49
    store.change_sync(key_tags.set_tags, key.key_id, HERE, {"x": "1", "00": "2"})
