"""What the guard of a key reads in the transaction that would end the key, on both engines."""

from dataclasses import replace

import msgspec
import pytest

from fuin.kms.dependents import ALLOWING_TAG, Dependents, HasDependents, KeyPlace, check, count
from fuin.store.kms import aliases, imports, key_tags, keys, materials
from fuin.store.kms.aliases import Alias
from fuin.store.kms.keys import Key
from fuin.store.kms.materials import IMPORTED, PENDING_ROTATION, MaterialVersion
from fuin.store.s3 import buckets, versions
from fuin.store.s3.dependents import Totals
from fuin.store.store import Store
from tests.store import values
from tests.store.test_dependents import encryption


def place_of(key: Key) -> KeyPlace:
    """Return the parts of a key's ARN."""
    return KeyPlace(key.account, key.region, key.key_id)


@pytest.fixture
def key(store: Store) -> Key:
    """Give a key."""
    made, material = values.key()
    store.change_sync(keys.insert_key, made, material)
    return made


def set_default(store: Store, key: str | None) -> None:
    """Set the default key of the bucket."""
    default = None if key is None else msgspec.json.encode({"algorithm": "aws:kms", "key": key}).decode()
    store.write_sync(buckets.set_encryption, "bucket", default)


def test_a_key_without_dependents_may_end(store: Store, key: Key) -> None:
    """Whatever the guard is, and whatever depends on other keys."""
    other, material = values.key()
    store.change_sync(keys.insert_key, other, material)
    store.write_sync(versions.publish, replace(values.obj(), encryption=encryption(other.arn)))
    for guard in ("refuse", "warn", "off"):
        assert store.read_sync(check, place_of(key), guard) is False


def test_an_object_or_a_default_keeps_the_key(store: Store, key: Key) -> None:
    """The default may name it by an alias; the tag with its value lets it go, and so do the other guards."""
    alias = Alias(values.ACCOUNT, values.REGION, "alias/mine", key.key_id, 1.0, 1.0)
    store.change_sync(aliases.insert_alias, alias)
    for name in (key.key_id, "alias/mine"):
        set_default(store, name)
        with pytest.raises(HasDependents):
            store.read_sync(check, place_of(key), "refuse")
        assert store.read_sync(count, [place_of(key)]) == Dependents(Totals(), 1)
    set_default(store, None)
    assert store.read_sync(check, place_of(key), "refuse") is False
    store.write_sync(versions.publish, replace(values.obj(), encryption=encryption(key.arn)))
    assert store.read_sync(check, place_of(key), "warn") is True
    assert store.read_sync(check, place_of(key), "off") is False
    for value in ("", "True", "false"):
        store.change_sync(key_tags.set_tags, key.key_id, key.region, {ALLOWING_TAG: value})
        with pytest.raises(HasDependents):
            store.read_sync(check, place_of(key), "refuse")
    store.change_sync(key_tags.set_tags, key.key_id, key.region, {ALLOWING_TAG: "true"})
    assert store.read_sync(check, place_of(key), "refuse") is True


def test_material_is_needed_while_the_key_is_used_with_it(store: Store) -> None:
    """Material that waits for a rotation is not, nor is material that has gone."""
    key, first = values.key(origin="EXTERNAL")
    store.change_sync(keys.insert_key, key, None)
    _, second = values.key(key_id=key.key_id)
    for one, state in ((first, "CURRENT"), (second, PENDING_ROTATION)):
        material = replace(one, key_id=key.key_id)
        version = MaterialVersion(material.material_id, 1.0, state, IMPORTED)
        store.change_sync(materials.insert_version, key.region, material, version)

    def is_needed(material_id: bytes | None) -> bool:
        return store.read_sync(imports.is_needed, key.key_id, key.region, material_id)

    assert (is_needed(None), is_needed(first.material_id), is_needed(second.material_id)) == (True, True, False)
    store.change_sync(imports.delete_material, key.key_id, key.region, None)
    assert is_needed(None) is False
