"""The catalog: exact over processes, bounded, and cheap while nothing changes."""

import asyncio
import subprocess
import sys
import textwrap
import tracemalloc
from pathlib import Path

import pytest

from fuin.access.principal import ANONYMOUS, account_root
from fuin.settings import Settings
from fuin.store import catalog
from fuin.store.identity import access_keys, users
from fuin.store.identity.users import User
from fuin.store.kms import aliases, keys, materials
from fuin.store.kms.aliases import Alias
from fuin.store.s3 import buckets
from fuin.store.store import Store
from tests.store import values


def test_catalog_shows_what_is_there(store: Store) -> None:
    """Every kind of entry is found by its name, and is None or empty where there is none."""
    key, material = values.key(manager="SERVICE", service="s3", tags=(("a", "1"), ("b", "2")))
    user = User(values.ACCOUNT, "writer", "AIDAWRITER", 1.0)
    store.change_sync(keys.insert_key, key, material)
    store.change_sync(aliases.insert_alias, Alias(values.ACCOUNT, values.REGION, "alias/a", key.key_id, 1.0, 1.0))
    store.change_sync(users.insert_user, user)
    store.change_sync(users.put_user_policy, values.ACCOUNT, "writer", "{policy}")
    store.change_sync(access_keys.insert_access_key, "AKIA1", values.ACCOUNT, "writer", b"sealed", 1.0)
    found = store.catalog()
    access_key = found.access_key("AKIA1")
    assert access_key is not None
    assert found.user_policies(access_key.principal) == ("{policy}",)
    assert found.user_policies(account_root(values.ACCOUNT)) == found.user_policies(ANONYMOUS) == ()
    assert found.key(key.key_id, values.REGION) == key
    assert found.key(key.key_id, "eu-west-1") is None
    assert found.alias(values.ACCOUNT, values.REGION, "alias/a") == key.key_id
    assert found.alias(values.ACCOUNT, values.REGION, "alias/b") is None
    assert found.service_key(values.ACCOUNT, values.REGION, "SERVICE", "s3") == key.key_id
    assert found.service_key(values.ACCOUNT, values.REGION, "AWS", "s3") is None
    assert found.material(key.key_id, key.region, material.material_id) == material
    assert found.material(key.key_id, key.region, b"?" * 32) is None
    assert found.bucket("bucket") == values.bucket()


def test_entries_come_from_memory_until_something_changes(store: Store) -> None:
    """The same entry is the same value while only objects are written; after a change it is read anew."""
    before = store.catalog().bucket("bucket")
    store.write_sync(lambda conn: buckets.set_policy(conn, "bucket", "{unseen}"))
    assert store.catalog().bucket("bucket") is before
    store.change_sync(buckets.set_policy, "bucket", "{seen}")
    after = store.catalog().bucket("bucket")
    assert after is not None
    assert after.policy == "{seen}"


def test_change_in_the_same_process_is_seen_at_once(store: Store) -> None:
    """When `change` returns the next catalog has it, absent entries included."""

    async def story() -> None:
        assert store.catalog().bucket("later") is None
        await store.change(buckets.insert_bucket, values.bucket("later"))
        assert store.catalog().bucket("later") == values.bucket("later")
        await store.change(buckets.delete_bucket, "later")
        assert store.catalog().bucket("later") is None

    asyncio.run(story())


_OTHER = textwrap.dedent("""
    import sys
    from pathlib import Path
    from fuin.settings import Settings
    from fuin.store.store import Store

    store = Store.open(Settings(data=Path(sys.argv[1])), create=False)
    for line in sys.stdin:
        key = store.catalog().key(line.strip(), "us-east-1")
        print(key.state if key else "none", flush=True)
    store.close()
""")


@pytest.mark.sqlite_only("the other process opens a file")
def test_change_in_another_process_is_seen_at_once(store: Store, settings: Settings) -> None:
    """Two other processes answer from their catalogs; not once in many changes do they show the state before."""
    key, material = values.key()
    others = [
        subprocess.Popen(
            [sys.executable, "-c", _OTHER, str(settings.data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]

    def seen() -> list[str]:
        for other in others:
            assert other.stdin is not None
            other.stdin.write(key.key_id + "\n")
            other.stdin.flush()
        return [other.stdout.readline().strip() for other in others if other.stdout is not None]

    assert seen() == ["none", "none"]
    store.change_sync(keys.insert_key, key, material)
    for number in range(300):
        state = (keys.ENABLED, keys.DISABLED)[number % 2]
        store.change_sync(keys.set_state, key.key_id, values.REGION, state)
        assert seen() == [state, state]
        if number % 3 == 0:
            store.write_sync(buckets.set_policy, "bucket", str(number))
            assert seen() == [state, state]
    for other in others:
        other.communicate()
        assert other.returncode == 0


def test_catalog_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guessed names do not fill the memory, and do not push out the entries in use."""
    monkeypatch.setattr(catalog, "ENTRIES_AT_MOST", 10)
    bucket = store.catalog().bucket("bucket")
    for number in range(100):
        assert store.catalog().bucket(f"guess-{number}") is None
    shelf = store.catalog()._buckets
    assert len(shelf._missing) <= 10
    assert store.catalog().bucket("bucket") is bucket
    for number in range(100):
        store.write_sync(buckets.insert_bucket, values.bucket(f"real-{number}"))
        assert store.catalog().bucket(f"real-{number}") is not None
    assert len(shelf._found) <= 10


def test_long_names_of_nothing_are_not_kept(store: Store) -> None:
    """Strangers choose the names that are not found: thousands of long ones would fill the memory."""
    tracemalloc.start()
    for number in range(500):
        assert store.catalog().bucket(f"{number:030000}") is None
        assert store.catalog().access_key(f"{number:08000}") is None
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert grown < 2_000_000


def test_long_policies_are_bounded_by_their_length(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand policies of the greatest length would take a gigabyte; their length counts."""
    monkeypatch.setattr(catalog, "WEIGHT_AT_MOST", 1000)
    for _ in range(10):
        key, material = values.key(policy="p" * 300)
        store.change_sync(keys.insert_key, key, material)
    ids = store.read_sync(keys.list_keys, values.ACCOUNT, values.REGION, "", 100)
    for key_id in ids:
        assert store.catalog().key(key_id, values.REGION) is not None
    assert len(store.catalog()._keys._found) <= 3


def test_material_is_gone_from_every_catalog_after_the_purge(settings: Settings, store: Store) -> None:
    """Another open store, with the material in memory, does not give it out after the key has ended."""
    other = Store.open(settings)
    key, material = values.key()
    store.change_sync(keys.insert_key, key, material)
    store.change_sync(keys.schedule_deletion, key.key_id, values.REGION, 100.0)
    assert other.catalog().material(key.key_id, key.region, material.material_id) == material
    assert asyncio.run(store.purge(101.0)) == [key.key_id]
    assert other.catalog().material(key.key_id, key.region, material.material_id) is None
    assert other.read_sync(materials.list_materials, key.key_id, values.REGION) == []
    other.close()


@pytest.mark.sqlite_only("PostgreSQL is asked on a new connection")
def test_broken_database_gives_no_catalog(settings: Settings, tmp_path: Path) -> None:
    """A catalog that cannot be checked is an error, never the old one."""
    store = Store.open(settings)
    store.catalog()
    store._freshness.close()
    with pytest.raises(Exception, match="closed"):
        store.catalog()
    store.close()
