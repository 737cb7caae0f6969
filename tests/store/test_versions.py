"""Versions of objects: a random history of writes and deletions against a small model, on both engines."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from fuin.store.errors import NotFound, ObjectLocked, PreconditionFailed
from fuin.store.s3 import buckets, deletions, objects, version_id, version_listing, versions
from fuin.store.s3.deletions import Deletion, Locks, Wanted
from fuin.store.s3.object_lock import ObjectLock
from fuin.store.s3.object_name import UNVERSIONED, ObjectName
from fuin.store.store import Store
from tests.store import values

KEYS = ("a", "a/b", "a/c", "b", "ü")
NAME = ObjectName("bucket", "key")


@dataclass
class Version:
    """A version in the model; a delete marker has no blob."""

    id: str
    blob: str | None


@dataclass
class Model:
    """The stacks of versions, the newest first."""

    versioning: str | None = None
    stacks: dict[str, list[Version]] = field(default_factory=lambda: {key: [] for key in KEYS})

    def put(self, key: str, made: Version) -> list[str]:
        """Put a version on top; returns the blobs that go."""
        stack, gone = self.stacks[key], []
        if self.versioning != versions.ENABLED:
            gone = [each for each in stack if each.id == UNVERSIONED]
            self.stacks[key] = stack = [each for each in stack if each.id != UNVERSIONED]
        if self.versioning is not None or made.blob is not None:
            stack.insert(0, made)
        return [each.blob for each in gone if each.blob is not None]

    def remove(self, key: str, version: str) -> list[str]:
        """Take a version out; returns its blob."""
        gone = [each for each in self.stacks[key] if each.id == version]
        self.stacks[key] = [each for each in self.stacks[key] if each.id != version]
        return [each.blob for each in gone if each.blob is not None]

    def rows(self) -> list[tuple[str, str, bool, bool]]:
        """Return what a list of all versions shows."""
        ordered = sorted(self.stacks.items(), key=lambda item: item[0].encode())
        return [
            (key, each.id, number == 0, each.blob is None)
            for key, stack in ordered
            for number, each in enumerate(stack)
        ]


class Play:
    """One history on a store."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store, self.model, self.random = store, Model(), random.Random(seed)
        self.now = 1_700_000_000.0

    def step(self) -> None:
        """Do one thing, and the same to the model."""
        self.now += self.random.choice((0.0, 0.000001, 5.0, -3600.0))
        act = self.random.choice((self.put, self.put, self.put, self.delete, self.delete_many, self.switch))
        act(self.random.choice(KEYS))

    def switch(self, _: str) -> None:
        """Change the state of versioning, seldom back to one that deletes."""
        if self.random.random() < 0.3:
            self.model.versioning = self.random.choice((versions.ENABLED, versions.ENABLED, versions.SUSPENDED))
            self.store.change_sync(buckets.set_versioning, "bucket", self.model.versioning)

    def put(self, key: str) -> None:
        """Put an object, sometimes on a condition."""
        obj = replace(values.obj(key, etag=f"etag-{self.random.random()}"), modified=self.now)
        top = next(iter(self.model.stacks[key]), None)
        if self.random.random() < 0.2 and top is not None and top.blob is not None:
            with pytest.raises(PreconditionFailed):
                self.store.write_sync(versions.publish, obj, self.model.versioning, if_none_match="*")
            return
        done = self.store.write_sync(versions.publish, obj, self.model.versioning)
        assert (done.version == UNVERSIONED) == (self.model.versioning != versions.ENABLED)
        assert done.blobs == self.model.put(key, Version(done.version, obj.parts[0].blob))

    def delete(self, key: str) -> None:
        """Delete an object or one of its versions."""
        stack = self.model.stacks[key]
        chosen = self.random.choice([None, None, UNVERSIONED, *(each.id for each in stack)])
        name = ObjectName("bucket", key, chosen)
        done = self.store.write_sync(deletions.delete_object, name, self.model.versioning, self.now)
        deletion = done.deletions[Wanted(key, chosen)]
        assert sorted(done.blobs) == sorted(self._deleted(key, chosen, deletion))

    def delete_many(self, _: str) -> None:
        """Delete some at once."""
        every = [(key, each.id) for key, stack in self.model.stacks.items() for each in stack]
        every += [(key, None) for key in KEYS]  # type: ignore[misc]
        wanted = [Wanted(*each) for each in self.random.sample(every, min(len(every), 4))]
        wanted.sort(key=lambda one: one.version is None)  # a marker goes on top of what is left
        done = self.store.write_sync(deletions.delete_objects, "bucket", self.model.versioning, self.now, wanted)
        gone = [blob for one in wanted for blob in self._deleted(one.key, one.version, done.deletions[one])]
        assert sorted(done.blobs) == sorted(gone)

    def _deleted(self, key: str, version: str | None, deletion: Deletion) -> list[str]:
        if version is not None:
            was_marker = any(each.id == version and each.blob is None for each in self.model.stacks[key])
            assert (deletion.marker == version) == was_marker
            return self.model.remove(key, version)
        assert (deletion.marker is None) == (self.model.versioning is None)
        return self.model.put(key, Version(deletion.marker or "", None))

    def check(self) -> None:
        """Compare everything that readers see."""
        size = self.random.choice((1, 2, 3, 1000))
        assert [
            (one.key, one.version, one.is_current, one.is_delete_marker) for one in self._listed(size)
        ] == self.model.rows()
        for key, stack in self.model.stacks.items():
            top = next(iter(stack), None)
            self._check_version(ObjectName("bucket", key), top)
            for each in stack:
                self._check_version(ObjectName("bucket", key, each.id), each)

    def _check_version(self, name: ObjectName, expected: Version | None) -> None:
        found = self.store.read_sync(objects.get_object, name)
        marker = self.store.read_sync(objects.find_marker, name)
        if expected is None:
            assert (found, marker) == (None, None)
        elif expected.blob is None:
            assert found is None
            assert marker is not None
            assert marker.version == expected.id
        else:
            assert marker is None
            assert found is not None
            assert (found.name.version, found.parts[0].blob) == (expected.id, expected.blob)

    def _listed(self, size: int) -> list[Any]:
        after: tuple[str, str | None] = ("", None)
        found: list[Any] = []
        while True:
            page = self.store.read_sync(version_listing.list_versions, "bucket", "", "", after, size)
            found += page.versions
            assert len(page.versions) <= size
            if not page.truncated:
                return found
            after = page.last


@pytest.mark.parametrize("seed", range(6))
def test_random_history_is_that_of_the_model(store: Store, seed: int) -> None:
    """Every reader sees the stacks of the model after each step, also with clocks that go back."""
    play = Play(store, seed)
    for _ in range(60):
        play.step()
        play.check()


def test_versions_under_a_prefix_are_one_entry(store: Store) -> None:
    """A common prefix counts once, however many versions are under it, and ends a page without a version."""
    for key in ("a", "d/1", "d/1", "d/2", "e", "e"):
        store.write_sync(versions.publish, values.obj(key), versions.ENABLED)
    page = store.read_sync(version_listing.list_versions, "bucket", "", "/", ("", None), 2)
    assert ([one.key for one in page.versions], page.prefixes, page.truncated) == (["a"], ("d/",), True)
    assert page.last == ("d/", None)
    rest = store.read_sync(version_listing.list_versions, "bucket", "", "/", page.last, 10)
    assert ([one.key for one in rest.versions], rest.prefixes, rest.truncated) == (["e", "e"], (), False)
    inside = store.read_sync(version_listing.list_versions, "bucket", "d/", "/", ("d/1", None), 10)
    assert [one.key for one in inside.versions] == ["d/2"]


def test_page_goes_on_after_a_version_that_is_gone(store: Store) -> None:
    """Clients delete page by page: the marker of the next page was deleted with its page."""
    made = [store.write_sync(versions.publish, values.obj(), versions.ENABLED).version for _ in range(5)]
    page = store.read_sync(version_listing.list_versions, "bucket", "", "", ("", None), 2)
    assert [one.version for one in page.versions] == made[:2:-1]
    for one in page.versions:
        store.write_sync(deletions.delete_object, ObjectName("bucket", "key", one.version), versions.ENABLED, 6.5)
    rest = store.read_sync(version_listing.list_versions, "bucket", "", "", page.last, 10)
    assert [one.version for one in rest.versions] == made[2::-1]
    assert rest.versions[0].is_current


def test_page_after_a_null_version_that_is_gone_passes_nothing_over(store: Store) -> None:
    """Its place is unknown then, so the key is listed from its newest version on."""
    first = store.write_sync(versions.publish, values.obj(), versions.ENABLED).version
    store.write_sync(versions.publish, values.obj(), versions.SUSPENDED)
    page = store.read_sync(version_listing.list_versions, "bucket", "", "", ("", None), 1)
    assert page.last == ("key", UNVERSIONED)
    store.write_sync(deletions.delete_object, NAME._replace(version=UNVERSIONED), versions.SUSPENDED, 6.5)
    rest = store.read_sync(version_listing.list_versions, "bucket", "", "", page.last, 10)
    assert [one.version for one in rest.versions] == [first]


def test_conditions_of_deletions_are_on_the_version_that_is_named(store: Store) -> None:
    """Another version's ETag fails; a delete marker has none."""
    old = store.write_sync(versions.publish, values.obj(etag="old"), versions.ENABLED).version
    store.write_sync(versions.publish, values.obj(etag="new"), versions.ENABLED)
    for name, etag in ((NAME, "old"), (NAME._replace(version=old), "new")):
        with pytest.raises(PreconditionFailed):
            store.write_sync(deletions.delete_object, name, versions.ENABLED, 6.5, if_match=etag)
    marker = store.write_sync(deletions.delete_object, NAME, versions.ENABLED, 6.5, if_match="new")
    assert marker.deletions[Wanted("key", None, frozenset({"new"}))].marker is not None
    with pytest.raises(NotFound):
        store.write_sync(deletions.delete_object, NAME, versions.ENABLED, 6.5, if_match="*")
    gone = NAME._replace(version=old)
    assert store.write_sync(deletions.delete_object, gone, versions.ENABLED, 6.5, if_match="old").blobs != []


def test_tags_belong_to_a_version(store: Store) -> None:
    """Those of the others stay; a delete marker takes none."""
    first = store.write_sync(versions.publish, values.obj(), versions.ENABLED).version
    second = store.write_sync(versions.publish, values.obj(), versions.ENABLED).version
    assert store.write_sync(objects.set_tags, NAME._replace(version=first), '{"a":"1"}') == first
    assert store.write_sync(objects.set_tags, NAME, '{"a":"2"}') == second
    for version, kept in ((first, '{"a":"1"}'), (second, '{"a":"2"}'), (None, '{"a":"2"}')):
        found = store.read_sync(objects.head_object, NAME._replace(version=version))
        assert found is not None
        assert found.labels.tags == kept
    store.write_sync(deletions.delete_object, NAME, versions.ENABLED, 6.5)
    with pytest.raises(NotFound):
        store.write_sync(objects.set_tags, NAME, None)


def test_bucket_with_a_delete_marker_is_not_empty(store: Store) -> None:
    """The marker is all that is left of the object, and still a version."""
    assert store.read_sync(buckets.is_empty, "bucket")
    store.write_sync(deletions.delete_object, NAME, versions.ENABLED, 6.5)
    assert not store.read_sync(buckets.is_empty, "bucket")


@pytest.mark.parametrize("text", ["", "null", "x" * 32, "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD", "A" * 31, "é" * 32])
def test_text_that_is_no_version_id(text: str) -> None:
    """Another form, another length, other characters: no version can have it."""
    assert version_id.parse_order(text) is None


def test_version_id_has_the_place_of_its_version() -> None:
    """Each place is newer than the one before, whatever the clock says."""
    order: int | None = None
    for now in (1_700_000_000.0, 1_700_000_000.0, 1.0, 1_700_000_001.5):
        following = version_id.next_order(now, order)
        assert order is None or following < order
        assert version_id.parse_order(version_id.new_version_id(following)) == following
        order = following


def test_locked_version_stays_until_its_time(store: Store) -> None:
    """The transaction of the deletion looks, whoever asks; in a list the others go."""
    lock = ObjectLock("GOVERNANCE", 100.0)
    obj = values.obj()
    kept = replace(obj, labels=obj.labels._replace(object_lock=lock.column()))
    first = store.write_sync(versions.publish, kept, versions.ENABLED).version
    second = store.write_sync(versions.publish, values.obj(), versions.ENABLED).version
    wanted = [Wanted("key", first), Wanted("key", second)]
    done = store.write_sync(deletions.delete_objects, "bucket", versions.ENABLED, 6.5, wanted, Locks(99.0))
    assert done.deletions == {wanted[0]: Deletion(locked=True), wanted[1]: Deletion(removed=True)}
    name = NAME._replace(version=first)
    with pytest.raises(ObjectLocked):
        store.write_sync(deletions.delete_object, name, versions.ENABLED, 6.5)
    store.write_sync(objects.set_lock, name, lambda found: ObjectLock(found.mode, found.until, "ON"))
    with pytest.raises(ObjectLocked):
        store.write_sync(deletions.delete_object, name, versions.ENABLED, 6.5, Locks(101.0, bypass=True))
    store.write_sync(objects.set_lock, name, lambda found: ObjectLock(found.mode, found.until, "OFF"))
    assert store.write_sync(deletions.delete_object, name, versions.ENABLED, 6.5, Locks(100.0)).blobs != []


def test_null_version_with_a_lock_is_never_replaced(store: Store) -> None:
    """A bucket with locks has versions for ever; if one were suspended all the same, nothing would be lost."""
    obj = values.obj()
    kept = replace(obj, labels=obj.labels._replace(object_lock=ObjectLock("COMPLIANCE", 1.0).column()))
    store.write_sync(versions.publish, kept)
    for state in (None, versions.SUSPENDED):
        with pytest.raises(ObjectLocked):
            store.write_sync(versions.publish, values.obj(), state)
    with pytest.raises(ObjectLocked):
        store.write_sync(deletions.delete_object, NAME, versions.SUSPENDED, 6.5)
