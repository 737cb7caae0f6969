"""Lifecycle rules are carried out on one node while another one writes the same keys: nothing is lost or left over."""

import contextlib
import random
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from fuin.s3.lifecycle import due
from fuin.s3.lifecycle.rules import DAY, SETTING, LifecycleConfiguration, LifecycleRule
from fuin.store.s3 import buckets, deletions, objects, version_listing, versions
from fuin.store.s3.deletions import Removal, Wanted
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.versions import ENABLED, Published
from fuin.store.store import Store
from tests.store import values
from tests.store.postgres.conftest import NewNode

ROUNDS = 60
NOW = 20_000 * DAY
RULE = LifecycleRule("rule", True, days=1, noncurrent_days=1, newer_versions=1)


def test_rules_and_writes_of_two_nodes_meet(new_node: NewNode) -> None:
    """One version of each key is current, the newest; no blob is lost, and what a version has is not removed.

    An object that is younger than its rule's days is never under a delete marker of the rules.
    """
    nodes = [new_node("a"), new_node("b")]
    nodes[0].change_sync(buckets.set_versioning, "bucket", ENABLED)
    nodes[0].change_sync(buckets.set_setting, "bucket", SETTING, LifecycleConfiguration((RULE,)).column())
    written: list[str] = []
    removed: list[str] = []
    young: list[str] = []
    ended: list[str] = []

    def play(node: Store, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(ROUNDS):
            key, is_young = chance.choice(("key", "other")), chance.random() < 0.3
            obj = replace(values.obj(key), modified=NOW if is_young else NOW - 9 * DAY)
            if chance.random() < 0.8:
                written.append(obj.parts[0].blob)
                done = node.write_sync(versions.publish, obj, ENABLED)
                young.extend([done.version] if is_young else [])
                removed.extend(done.blobs)
            else:
                stack = node.read_sync(version_listing.list_versions, "bucket", key, "", ("", None), 1000).versions
                chosen = [Wanted(one.key, one.version) for one in stack[:2]]
                removed.extend(node.write_sync(deletions.delete_objects, "bucket", ENABLED, NOW, chosen).blobs)

    def carry_out(node: Store) -> None:
        for _ in range(ROUNDS):
            [stretch] = node.read_sync(due.find_stretches, "bucket")
            page = node.read_sync(due.find_due, "bucket", stretch, NOW)
            outcome = node.write_sync(due.carry_out, "bucket", stretch, page.items, NOW, NOW)
            removed.extend(outcome.blobs)
            ended.extend(item.id for item in outcome.done if item.is_current)

    with ThreadPoolExecutor(3) as threads:
        working = [threads.submit(carry_out, nodes[0]), *(threads.submit(play, node, 1) for node in nodes)]
        for each in working:
            each.result(120)
    left = nodes[0].read_sync(version_listing.list_versions, "bucket", "", "", ("", None), 1000).versions
    assert [one.is_current for one in left] == [
        number == 0 or left[number - 1].key != one.key for number, one in enumerate(left)
    ]
    assert ended
    assert not set(ended) & set(young)
    kept = []
    for one in left:
        found = nodes[0].read_sync(objects.get_object, ObjectName("bucket", one.key, one.version))
        kept += [] if found is None else [found.parts[0].blob]
    assert sorted([*removed, *kept]) == sorted(written)


def test_nothing_comes_between_the_look_and_the_deletion(new_node: NewNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """A put that begins after the look waits for its end, so no delete marker of the rules hides the new object."""
    one, other = new_node("a"), new_node("b")
    one.change_sync(buckets.set_versioning, "bucket", ENABLED)
    one.change_sync(buckets.set_setting, "bucket", SETTING, LifecycleConfiguration((RULE,)).column())
    one.write_sync(versions.publish, replace(values.obj(), modified=NOW - 9 * DAY), ENABLED)
    [stretch] = one.read_sync(due.find_stretches, "bucket")
    page = one.read_sync(due.find_due, "bucket", stretch, NOW)
    delete_objects = deletions.delete_objects
    with ThreadPoolExecutor(1) as thread:
        putting: list[Future[Published]] = []

        def delete_late(*arguments: Any) -> Removal:
            putting.append(
                thread.submit(other.write_sync, versions.publish, replace(values.obj(), modified=NOW), ENABLED)
            )
            with contextlib.suppress(TimeoutError):
                putting[0].result(0.5)  # it would end in that time, if it did not wait
            return delete_objects(*arguments)

        monkeypatch.setattr(deletions, "delete_objects", delete_late)
        outcome = one.write_sync(due.carry_out, "bucket", stretch, page.items, NOW, NOW)
        young = putting[0].result(60).version
    assert [item.makes_marker for item in outcome.done] == [True]
    stack = one.read_sync(version_listing.list_versions, "bucket", "", "", ("", None), 1000).versions
    assert (stack[0].version, stack[0].is_delete_marker, len(stack)) == (young, False, 3)
