"""What lifecycle rules find due, and what a transaction does about it, on both engines; times are pretended."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection, text

from fuin.s3.lifecycle import due
from fuin.s3.lifecycle.due import DueItem, Outcome, Stretch
from fuin.s3.lifecycle.rules import DAY, SETTING, LifecycleConfiguration, LifecycleRule
from fuin.store.s3 import buckets, deletions, objects, uploads, version_listing, versions
from fuin.store.s3 import lifecycle as rows
from fuin.store.s3.deletions import Wanted
from fuin.store.s3.object_lock import ObjectLock
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.version_listing import VersionSummary
from fuin.store.s3.versions import ENABLED, SUSPENDED
from fuin.store.store import Store
from tests.store import values

START = 20_000 * DAY  # a midnight
ALL = "rule"


def rule(**members: object) -> LifecycleRule:
    """Return an enabled rule."""
    return LifecycleRule(**{"id": ALL, "enabled": True, **members})  # type: ignore[arg-type]


def set_rules(store: Store, *rules: LifecycleRule) -> None:
    """Give the bucket these rules."""
    document = LifecycleConfiguration(rules).column() if rules else None
    store.change_sync(buckets.set_setting, "bucket", SETTING, document)


def put(store: Store, key: str, at: float, versioning: str | None = None, **labels: str) -> str:
    """Put an object at a time, of ten bytes, and return its version."""
    obj = values.obj(key)
    obj = replace(obj, modified=at, labels=obj.labels._replace(**labels))
    return store.write_sync(versions.publish, obj, versioning).version


def walk(store: Store, now: float) -> Outcome:
    """Carry out all that is due at a time, page by page; returns what went."""
    every = Outcome([], [])
    left: list[Stretch | None] = list(store.read_sync(due.find_stretches, "bucket"))
    for first in left:
        stretch = first
        while stretch is not None:
            page = store.read_sync(due.find_due, "bucket", stretch, now)
            done = store.write_sync(due.carry_out, "bucket", stretch, page.items, now, now)
            every.done.extend(done.done)
            every.blobs.extend(done.blobs)
            stretch = page.left
    return every


def stack(store: Store) -> list[VersionSummary]:
    """Return all versions of the bucket."""
    return list(store.read_sync(version_listing.list_versions, "bucket", "", "", ("", None), 100_000).versions)


def keys(store: Store) -> list[str]:
    """Return the keys of all versions, in order."""
    return [one.key for one in stack(store)]


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page have few rows, and a transaction few deletions."""
    monkeypatch.setattr(due, "PAGE", 5)
    monkeypatch.setattr(due, "AT_ONCE", 3)
    monkeypatch.setattr(due, "UPLOADS_AT_ONCE", 2)


def test_an_object_ends_at_the_midnight_after_its_days(store: Store) -> None:
    """One second before that midnight nothing is due; then the object goes with its blob."""
    set_rules(store, rule(days=3))
    put(store, "a", START + 10.5 * 3600)
    put(store, "b", START + DAY)  # at a midnight: a whole day is added all the same
    assert walk(store, START + 4 * DAY - 1).done == []
    gone = walk(store, START + 4 * DAY)
    assert gone.done == [DueItem("a", "null", ALL, is_current=True)]
    assert len(gone.blobs) == 1
    assert walk(store, START + 5 * DAY - 1).done == []
    assert [one.key for one in walk(store, START + 5 * DAY).done] == ["b"]
    assert keys(store) == []


def test_a_date_ends_all_objects_of_before_and_after(store: Store) -> None:
    """The day of a rule goes on: objects that are made after it are due at once."""
    set_rules(store, rule(date=int(START)))
    put(store, "a", START - DAY)
    put(store, "b", START + DAY)
    assert walk(store, START - 1).done == []
    assert [one.key for one in walk(store, START).done] == ["a", "b"]


def test_a_rule_takes_what_its_filter_says(store: Store) -> None:
    """A prefix, tags with their values, and sizes that exclude their limits; a disabled rule does nothing."""
    put(store, "logs/a", START)
    put(store, "logs/b", START, tags='{"keep":"no","more":"x"}')
    put(store, "logs0", START)
    put(store, "z", START, tags='{"keep":"yes"}')
    for chosen, expected in (
        (rule(days=1, enabled=False), []),
        (rule(days=1, prefix="logs/"), ["logs/a", "logs/b"]),
        (rule(days=1, tags=(("keep", "no"),)), ["logs/b"]),
        (rule(days=1, tags=(("keep", "no"), ("more", "y"))), []),
        (rule(days=1, larger_than=10), []),
        (rule(days=1, larger_than=9, prefix="logs0"), ["logs0"]),
        (rule(days=1, smaller_than=10), []),
        (rule(days=1, smaller_than=11, prefix="z"), ["z"]),
    ):
        set_rules(store, chosen)
        found = [
            item.key
            for stretch in store.read_sync(due.find_stretches, "bucket")
            for item in store.read_sync(due.find_due, "bucket", stretch, START + 9 * DAY).items
        ]
        assert found == expected, chosen


def test_in_a_bucket_with_versions_a_delete_marker_comes(store: Store) -> None:
    """The version stays under the marker; a null version of a suspended bucket goes; neither happens twice."""
    set_rules(store, rule(days=1))
    store.change_sync(buckets.set_versioning, "bucket", ENABLED)
    first = put(store, "a", START, ENABLED)
    assert walk(store, START + 2 * DAY).done == [DueItem("a", first, ALL, is_current=True, makes_marker=True)]
    assert [(one.is_delete_marker, one.is_current) for one in stack(store)] == [(True, True), (False, False)]
    assert walk(store, START + 9 * DAY).done == []

    store.change_sync(buckets.set_versioning, "bucket", SUSPENDED)
    put(store, "b", START, SUSPENDED)
    gone = walk(store, START + 2 * DAY)
    assert gone.done == [DueItem("b", "null", ALL, is_current=True, makes_marker=True)]
    assert len(gone.blobs) == 1
    assert [one.version for one in stack(store) if one.key == "b"] == ["null"]


def test_noncurrent_versions_count_from_their_successor(store: Store) -> None:
    """Also when that successor is gone since, and not before: a version that was current again counts anew."""
    set_rules(store, rule(noncurrent_days=2))
    store.change_sync(buckets.set_versioning, "bucket", ENABLED)
    first, second, third = (put(store, "a", START + day * DAY + 1, ENABLED) for day in (0, 1, 5))
    assert walk(store, START + 4 * DAY - 1).done == []
    store.write_sync(deletions.delete_object, ObjectName("bucket", "a", second), ENABLED, START + 3 * DAY)
    assert walk(store, START + 4 * DAY - 1).done == []
    assert [one.id for one in walk(store, START + 4 * DAY).done] == [first]

    fourth = put(store, "a", START + 6 * DAY + 1, ENABLED)
    store.write_sync(deletions.delete_object, ObjectName("bucket", "a", fourth), ENABLED, START + 7 * DAY)
    assert walk(store, START + 99 * DAY).done == []  # the third one is current again
    query = text("SELECT version_id, noncurrent_since FROM objects")
    assert store.read_sync(lambda conn: [tuple(row) for row in conn.execute(query)]) == [(third, None)]
    put(store, "a", START + 20 * DAY + 1, ENABLED)
    assert walk(store, START + 23 * DAY - 1).done == []
    assert [one.id for one in walk(store, START + 23 * DAY).done] == [third]


def test_a_delete_marker_makes_its_version_noncurrent(store: Store) -> None:
    """From the time of the deletion the version's days count."""
    set_rules(store, rule(noncurrent_days=1))
    store.change_sync(buckets.set_versioning, "bucket", ENABLED)
    version = put(store, "a", START, ENABLED)
    store.write_sync(deletions.delete_object, ObjectName("bucket", "a"), ENABLED, START + 5 * DAY + 1)
    assert walk(store, START + 7 * DAY - 1).done == []
    assert [one.id for one in walk(store, START + 7 * DAY).done] == [version]


def test_newer_noncurrent_versions_stay(store: Store, small_pages: None) -> None:
    """Of twenty versions the newest and three more stay, also where pages end within the versions of a key."""
    set_rules(store, rule(noncurrent_days=1, newer_versions=3))
    store.change_sync(buckets.set_versioning, "bucket", ENABLED)
    for key in ("a", "b"):
        for number in range(20):
            put(store, key, START + number, ENABLED)
    kept = [one.version for one in stack(store) if one.key == "a"][:4]
    assert len(walk(store, START + 9 * DAY).done) == 2 * 16
    assert [one.version for one in stack(store) if one.key == "a"] == kept
    assert keys(store) == ["a"] * 4 + ["b"] * 4


def test_delete_markers_do_not_count_as_kept(store: Store) -> None:
    """Noncurrent delete markers go by their age too, but none is one of the versions that stay."""
    set_rules(store, rule(noncurrent_days=1, newer_versions=1))
    store.change_sync(buckets.set_versioning, "bucket", ENABLED)
    oldest, kept = put(store, "a", START, ENABLED), put(store, "a", START, ENABLED)
    for _ in range(2):
        store.write_sync(deletions.delete_object, ObjectName("bucket", "a"), ENABLED, START + 5)
    put(store, "a", START + 6, ENABLED)
    gone = walk(store, START + 9 * DAY).done
    assert oldest in {one.id for one in gone}
    assert kept in {one.version for one in stack(store)}


def test_a_marker_without_versions_goes(store: Store) -> None:
    """At once by a rule of its own, by its age with days, and not by a rule that says false; others stay."""
    store.change_sync(buckets.set_versioning, "bucket", ENABLED)
    kept = put(store, "l/with", START + 99 * DAY, ENABLED)
    for key in ("l/alone", "l/with", "other"):
        store.write_sync(deletions.delete_object, ObjectName("bucket", key), ENABLED, START + 5)
    set_rules(store, rule(prefix="l/", expired_markers=False))
    assert walk(store, START + 50 * DAY).done == []
    set_rules(store, rule(prefix="l/", days=3))
    assert walk(store, START + 4 * DAY - 1).done == []
    assert [one.key for one in walk(store, START + 4 * DAY).done] == ["l/alone"]
    assert keys(store) == ["l/with", "l/with", "other"]
    set_rules(store, rule(prefix="l/", expired_markers=True))
    assert walk(store, START + 5).done == []
    store.write_sync(deletions.delete_object, ObjectName("bucket", "l/with", kept), ENABLED, START)
    assert [one.key for one in walk(store, START + 5).done] == ["l/with"]


def test_a_lock_protects(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version under retention or legal hold stays; it goes when the retention has certainly ended.

    The look at the rules and the deletion each know it.
    """
    set_rules(store, rule(noncurrent_days=1))
    store.change_sync(buckets.set_versioning, "bucket", ENABLED)
    until = START + 30 * DAY
    locks = (ObjectLock("GOVERNANCE", until), ObjectLock("COMPLIANCE", until), ObjectLock(hold="ON"))
    held = [put(store, "a", START, ENABLED, object_lock=lock.column() or "") for lock in locks]
    free = put(store, "a", START, ENABLED)
    put(store, "a", START, ENABLED)
    assert [one.id for one in walk(store, until - 1).done] == [free]
    with monkeypatch.context() as patch:
        patch.setattr(due._Judge, "_is_locked", lambda *_: False)
        assert walk(store, until - 1).done == []
    assert len(stack(store)) == 4
    assert sorted(one.id for one in walk(store, until).done) == sorted(held[:2])
    assert [one.version for one in stack(store)][1:] == held[2:]


def test_a_lock_that_comes_after_the_record_protects(store: Store) -> None:
    """What is announced and then locked stays, and is not among what went."""
    set_rules(store, rule(noncurrent_days=1))
    store.change_sync(buckets.set_versioning, "bucket", ENABLED)
    first, _ = put(store, "a", START, ENABLED), put(store, "a", START, ENABLED)
    [stretch] = store.read_sync(due.find_stretches, "bucket")
    page = store.read_sync(due.find_due, "bucket", stretch, START + 9 * DAY)
    name = ObjectName("bucket", "a", first)
    store.write_sync(objects.set_lock, name, lambda _: ObjectLock(hold="ON"))
    assert store.write_sync(due.carry_out, "bucket", stretch, page.items, START + 9 * DAY, START).done == []
    assert len(stack(store)) == 2


def test_what_is_no_longer_due_stays(store: Store) -> None:
    """The rules and the objects are those of the transaction, not those that were read before the record."""
    now, name = START + 9 * DAY, ObjectName("bucket", "a")
    changes: dict[str, Callable[[], object]] = {
        "removed": lambda: set_rules(store),
        "disabled": lambda: set_rules(store, rule(days=1, enabled=False)),
        "longer": lambda: set_rules(store, rule(days=10)),
        "other prefix": lambda: set_rules(store, rule(days=1, prefix="b")),
        "replaced": lambda: put(store, "a", now, tags='{"a":"b"}'),
        "tagged": lambda: store.write_sync(objects.set_tags, name, None),
    }
    for change in changes.values():
        set_rules(store, rule(days=1, tags=(("a", "b"),)))
        put(store, "a", START, tags='{"a":"b"}')
        [stretch] = store.read_sync(due.find_stretches, "bucket")
        page = store.read_sync(due.find_due, "bucket", stretch, now)
        assert len(page.items) == 1
        change()
        assert store.write_sync(due.carry_out, "bucket", stretch, page.items, now, now) == Outcome([], [])
        assert keys(store) == ["a"]


def test_nothing_goes_that_was_not_announced(store: Store) -> None:
    """An object that came due between the record and the transaction waits for a record of its own."""
    set_rules(store, rule(date=int(START)))
    put(store, "a", START)
    [stretch] = store.read_sync(due.find_stretches, "bucket")
    page = store.read_sync(due.find_due, "bucket", stretch, START)
    put(store, "b", START)
    assert [one.key for one in store.write_sync(due.carry_out, "bucket", stretch, page.items, START, START).done] == [
        "a"
    ]
    assert keys(store) == ["b"]


def test_uploads_are_aborted_by_their_age(store: Store, small_pages: None) -> None:
    """By prefix, at the midnight after their days, with their parts; the others go on."""
    set_rules(store, rule(upload_days=2, prefix="u/"))
    blobs = []
    for number in range(7):
        begun = replace(values.upload(f"id{number}", f"u/{number % 3}"), created=START + 60)
        store.write_sync(uploads.insert_upload, begun)
        part = values.part()
        store.write_sync(uploads.put_part, f"id{number}", part)
        blobs.append(part.blob)
    store.write_sync(uploads.insert_upload, replace(values.upload("young", "u/0"), created=START + DAY))
    store.write_sync(uploads.insert_upload, replace(values.upload("other", "v"), created=START))
    assert walk(store, START + 3 * DAY - 1).done == []
    gone = walk(store, START + 3 * DAY)
    assert sorted(one.id for one in gone.done) == [f"id{number}" for number in range(7)]
    assert sorted(gone.blobs) == sorted(blobs)
    left = store.read_sync(uploads.list_uploads, "bucket", "", "", "", 100)
    assert {one.upload_id for one in left} == {"young", "other"}


def test_an_upload_that_has_ended_meanwhile_is_passed_over(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others of the page are aborted all the same, also if another node ends one within the transaction."""
    set_rules(store, rule(upload_days=1))
    abort = uploads.abort_upload

    def abort_late(conn: Connection, upload_id: str, name: ObjectName) -> list[str]:
        return abort(conn, "gone" if upload_id == "late" else upload_id, name)

    monkeypatch.setattr(uploads, "abort_upload", abort_late)
    for name in ("late", "one", "two"):
        store.write_sync(uploads.insert_upload, replace(values.upload(name), created=START))
    [stretch] = store.read_sync(due.find_stretches, "bucket")
    page = store.read_sync(due.find_due, "bucket", stretch, START + 9 * DAY)
    store.write_sync(abort, "one", ObjectName("bucket", "key"))
    done = store.write_sync(due.carry_out, "bucket", stretch, page.items, START + 9 * DAY, START).done
    assert [one.id for one in done] == ["two"]


def test_stretches_do_not_overlap(store: Store) -> None:
    """A prefix that begins with another one is within its stretch; what no rule is about has none."""
    set_rules(
        store, rule(days=1, prefix="b/"), rule(noncurrent_days=1, prefix="b/c"), rule(days=1, prefix="a"),
        rule(upload_days=1), rule(days=1, prefix="", enabled=False), rule(expired_markers=False),
    )  # fmt: skip
    found = store.read_sync(due.find_stretches, "bucket")
    assert [(one.of_uploads, one.after[0]) for one in found] == [(False, b"a"), (False, b"b/"), (True, b"")]
    set_rules(store)
    assert store.read_sync(due.find_stretches, "bucket") == []
    assert store.read_sync(due.find_stretches, "no-such-bucket") == []
    assert store.read_sync(due.find_due, "no-such-bucket", Stretch(False, (b"", 0), b"\xff"), START).left is None


def test_buckets_with_rules_are_found_one_after_the_other(store: Store) -> None:
    """Those with other settings only are passed over."""
    for name in ("alpha", "beta", "gamma"):
        store.change_sync(buckets.insert_bucket, values.bucket(name))
    store.change_sync(buckets.set_setting, "alpha", "cors", "[]")
    for name in ("beta", "gamma"):
        store.change_sync(buckets.set_setting, name, SETTING, "{}")
    assert [store.read_sync(rows.find_next_bucket, SETTING, after) for after in ("", "beta", "gamma")] == [
        "beta", "gamma", None,
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
def test_random_history_against_a_model(store: Store, small_pages: None, seed: int) -> None:
    """After a walk exactly those versions are left that a plain reading of the rule keeps."""
    chance = random.Random(seed)
    store.change_sync(buckets.set_versioning, "bucket", ENABLED)
    set_rules(store, rule(days=6, noncurrent_days=3, newer_versions=2))
    stacks: dict[str, list[tuple[str, float, bool]]] = {key: [] for key in ("a", "a/b", "b", "ü")}
    now = START
    for _ in range(60):
        now += chance.choice((1.0, 0.3 * DAY))
        key = chance.choice(list(stacks))
        if chance.random() < 0.8:
            stacks[key].insert(0, (put(store, key, now, ENABLED), now, False))
        else:
            done = store.write_sync(deletions.delete_object, ObjectName("bucket", key), ENABLED, now)
            stacks[key].insert(0, (done.deletions[Wanted(key)].marker or "", now, True))
    end = (START // DAY + 20) * DAY
    expected = {key: _expected(versions, end) for key, versions in stacks.items()}
    walk(store, end)
    left = stack(store)
    for key, kept in expected.items():
        found = [one.version for one in left if one.key == key and not (one.is_current and one.modified == end)]
        assert found == kept, key
    walk(store, end)  # each object has a delete marker now, and so one noncurrent version more
    assert walk(store, end).done == []


def _expected(versions: list[tuple[str, float, bool]], now: float) -> list[str]:
    kept, newer = [], 0
    for number, (version, modified, is_marker) in enumerate(versions):
        ends = (modified // DAY + 7) * DAY
        if number == 0:
            if not (is_marker and ends <= now and len(versions) == 1):
                kept.append(version)
            continue
        since = versions[number - 1][1]
        if (since // DAY + 4) * DAY <= now and newer >= 2:
            continue
        kept.append(version)
        newer += not is_marker
    return kept
