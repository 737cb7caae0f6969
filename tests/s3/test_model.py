"""A bucket beside a small model of it, over HTTP: versions, locks, tags, conditions, copies, and lists at each step.

Hypothesis makes the histories and shortens one that goes wrong. Bodies are small and large, so versions live in the
database and as blobs side by side.
"""

from __future__ import annotations

import datetime
import itertools
import os
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from fuin.settings import SMALL_OBJECT
from tests.support.place import Place, error_of

KEYS = ("a", "b/1", "b/2")
NULL = "null"
EXAMPLES = 60 if os.environ.get("FUIN_LONG") == "1" else 3  # histories of each kind
_numbers = itertools.count(1)
_TAGS = st.sampled_from(["", "team=red", "team=blue&x=1"])
_BODIES = st.sampled_from([b"", b"small", b"s" * SMALL_OBJECT, b"l" * (SMALL_OBJECT + 1)])
_LATER = datetime.datetime(2099, 1, 1, tzinfo=datetime.UTC)


@dataclass
class Version:
    """A version of a key, or (without an ETag) a delete marker."""

    id: str
    body: bytes = b""
    etag: str | None = None
    tags: str = ""
    hold: bool = False
    mode: str | None = None  # of its retention, which lasts

    def stays(self, bypass: bool) -> bool:
        """Return whether a deletion of this version is refused."""
        return self.hold or self.mode == "COMPLIANCE" or (self.mode == "GOVERNANCE" and not bypass)


@dataclass
class Model:
    """The versions of each key, the newest first; `state` is None until versioning is enabled."""

    state: str | None = None
    stacks: dict[str, list[Version]] = field(default_factory=lambda: {key: [] for key in KEYS})

    def current(self, key: str) -> Version | None:
        """Return the version that a request without an id means, unless it is a delete marker."""
        stack = self.stacks[key]
        return stack[0] if stack and stack[0].etag is not None else None

    def add(self, key: str, version: Version) -> None:
        """Make a version the newest one; without enabled versions it takes the place of the null version."""
        stack = self.stacks[key]
        if self.state != "Enabled":
            stack[:] = [each for each in stack if each.id != NULL]
        stack.insert(0, version)


class History(RuleBasedStateMachine):
    """Requests to one bucket, each with the answer that the model expects."""

    place: Place
    has_lock = False

    def __init__(self) -> None:
        super().__init__()
        self.s3, self.model = self.place.s3(checksums=False), Model()
        self.bucket = f"model-{'lock' if self.has_lock else 'plain'}-{next(_numbers)}"
        self.s3.create_bucket(Bucket=self.bucket, ObjectLockEnabledForBucket=self.has_lock)
        if self.has_lock:
            self.model.state = "Enabled"

    def refused(self, code: str, call: Any, **members: Any) -> None:
        """Send a request that has to fail with a code."""
        with pytest.raises(ClientError) as error:
            call(Bucket=self.bucket, **members)
        assert error_of(error.value)[1] == code, error_of(error.value)

    def put(self, key: str, body: bytes, tags: str = "", **members: Any) -> None:
        """Put an object that has to be taken."""
        lock = {}
        if self.has_lock:
            lock = {"ChecksumAlgorithm": "CRC32"}
        made = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, Tagging=tags, **lock, **members)
        assert ("VersionId" in made) == (self.model.state == "Enabled")  # AWS names no null version
        self.model.add(key, Version(
            made.get("VersionId", NULL), body, made["ETag"], tags, members.get("ObjectLockLegalHoldStatus") == "ON",
            members.get("ObjectLockMode"),
        ))  # fmt: skip

    def any_version(self, data: st.DataObject) -> tuple[str, Version] | None:
        """Return a key with one of its versions."""
        there = [(key, each) for key, stack in self.model.stacks.items() for each in stack]
        return data.draw(st.sampled_from(there), label="version") if there else None

    @rule(key=st.sampled_from(KEYS), body=_BODIES, tags=_TAGS)
    def writes(self, key: str, body: bytes, tags: str) -> None:
        """Put an object."""
        self.put(key, body, tags)

    @rule(key=st.sampled_from(KEYS), body=_BODIES, is_new=st.booleans(), data=st.data())
    def writes_on_a_condition(self, key: str, body: bytes, is_new: bool, data: st.DataObject) -> None:
        """Put an object if there is none, or if it is still the one that was seen; else it is refused."""
        current = self.model.current(key)
        if is_new:
            if current is None:
                self.put(key, body, IfNoneMatch="*")
            else:
                self.refused("PreconditionFailed", self.s3.put_object, Key=key, Body=body, IfNoneMatch="*")
            return
        etags = [each.etag for stack in self.model.stacks.values() for each in stack if each.etag]
        etag = data.draw(st.sampled_from([*etags, '"00000000000000000000000000000000"']), label="etag")
        if current is None:
            self.refused("NoSuchKey", self.s3.put_object, Key=key, Body=body, IfMatch=etag)
        elif current.etag == etag:
            self.put(key, body, IfMatch=etag)
        else:
            self.refused("PreconditionFailed", self.s3.put_object, Key=key, Body=body, IfMatch=etag)

    @precondition(lambda self: self.has_lock)
    @rule(key=st.sampled_from(KEYS), mode=st.sampled_from(["GOVERNANCE", "COMPLIANCE", None]), hold=st.booleans())
    def writes_a_lock(self, key: str, mode: str | None, hold: bool) -> None:
        """Put an object with a retention, a legal hold, or both."""
        lock: dict[str, Any] = {} if mode is None else {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": _LATER}
        self.put(key, b"locked", **lock, ObjectLockLegalHoldStatus="ON" if hold else "OFF")

    @rule(source=st.sampled_from(KEYS), key=st.sampled_from(KEYS), data=st.data())
    def copies(self, source: str, key: str, data: st.DataObject) -> None:
        """Copy a version onto a key, with its tags."""
        there = [each for each in self.model.stacks[source] if each.etag is not None]
        if not there or (self.model.state is None and source == key):
            return
        version = data.draw(st.sampled_from(there), label="version")
        made = self.s3.copy_object(
            Bucket=self.bucket, Key=key, CopySource={"Bucket": self.bucket, "Key": source, "VersionId": version.id},
        )  # fmt: skip
        copy = Version(made.get("VersionId", NULL), version.body, made["CopyObjectResult"]["ETag"], version.tags)
        self.model.add(key, copy)

    @rule(key=st.sampled_from(KEYS))
    def deletes(self, key: str) -> None:
        """Delete without an id: a delete marker where there are versions."""
        done = self.s3.delete_object(Bucket=self.bucket, Key=key)
        assert done.get("DeleteMarker", False) == (self.model.state is not None)
        if self.model.state is None:
            self.model.stacks[key].clear()
        else:
            self.model.add(key, Version(done["VersionId"]))

    @rule(bypass=st.booleans(), data=st.data())
    def deletes_a_version(self, bypass: bool, data: st.DataObject) -> None:
        """Delete a version for good, unless its lock forbids it."""
        chosen = self.any_version(data)
        if chosen is None:
            return
        key, version = chosen
        members: dict[str, Any] = {"Key": key, "VersionId": version.id}
        if self.has_lock:
            members["BypassGovernanceRetention"] = bypass
        if version.stays(bypass):
            self.refused("AccessDenied", self.s3.delete_object, **members)
        else:
            self.s3.delete_object(Bucket=self.bucket, **members)
            self.model.stacks[key].remove(version)

    @rule(data=st.data())
    def deletes_many(self, data: st.DataObject) -> None:
        """Delete several versions by one request; each goes or stays by its own lock."""
        there = [(key, each) for key, stack in self.model.stacks.items() for each in stack]
        if not there:
            return
        places = data.draw(st.sets(st.integers(0, len(there) - 1), min_size=1, max_size=4), label="which")
        chosen = [there[at] for at in sorted(places)]
        named = [{"Key": key, "VersionId": version.id} for key, version in chosen]
        done = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": named})
        stay = {version.id for _, version in chosen if version.stays(bypass=False)}
        assert {each["VersionId"] for each in done.get("Errors", [])} == stay
        for key, version in chosen:
            if not version.stays(bypass=False):
                self.model.stacks[key].remove(version)

    @rule(tags=_TAGS, data=st.data())
    def tags(self, tags: str, data: st.DataObject) -> None:
        """Give a version other tags; a delete marker has none."""
        chosen = self.any_version(data)
        if chosen is None:
            return
        key, version = chosen
        given = {
            "TagSet": [dict(zip(("Key", "Value"), pair.split("="), strict=True)) for pair in tags.split("&") if pair]
        }
        members = {"Key": key, "VersionId": version.id, "Tagging": given}
        if version.etag is None:
            self.refused("MethodNotAllowed", self.s3.put_object_tagging, **members)
        else:
            self.s3.put_object_tagging(Bucket=self.bucket, **members)
            version.tags = tags

    @precondition(lambda self: self.has_lock)
    @rule(hold=st.booleans(), data=st.data())
    def holds(self, hold: bool, data: st.DataObject) -> None:
        """Put a legal hold on a version, or take it off."""
        chosen = self.any_version(data)
        if chosen is None or chosen[1].etag is None:
            return
        key, version = chosen
        status = {"Status": "ON" if hold else "OFF"}
        self.s3.put_object_legal_hold(Bucket=self.bucket, Key=key, VersionId=version.id, LegalHold=status)
        version.hold = hold

    @precondition(lambda self: not self.has_lock)
    @rule(state=st.sampled_from(["Enabled", "Suspended"]))
    def changes_versioning(self, state: str) -> None:
        """Enable or suspend versions."""
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": state})
        self.model.state = state

    @invariant()
    def lists_are_the_models(self) -> None:
        """Lists have each write at once: all versions in their order, and the objects that are current."""
        listed = self.s3.list_object_versions(Bucket=self.bucket)
        entries = listed.get("Versions", []) + listed.get("DeleteMarkers", [])
        found = {(each["Key"], each["VersionId"]): each["IsLatest"] for each in entries}
        assert found == {
            (key, each.id): place == 0 for key, stack in self.model.stacks.items() for place, each in enumerate(stack)
        }
        objects = {
            each["Key"]: each["ETag"] for each in self.s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])
        }
        assert objects == {key: one.etag for key in KEYS if (one := self.model.current(key)) is not None}

    @rule(data=st.data())
    def reads(self, data: st.DataObject) -> None:
        """Read a version by its id, and its key without one."""
        chosen = self.any_version(data)
        if chosen is None:
            return
        key, version = chosen
        if version.etag is None:
            self.refused("MethodNotAllowed", self.s3.get_object, Key=key, VersionId=version.id)
        else:
            got = self.s3.get_object(Bucket=self.bucket, Key=key, VersionId=version.id)
            count = len(version.tags.split("&")) if version.tags else None
            assert (got["Body"].read(), got["ETag"], got.get("TagCount")) == (version.body, version.etag, count)
        current = self.model.current(key)
        if current is None:
            self.refused("NoSuchKey", self.s3.get_object, Key=key)
        else:
            assert self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() == current.body


class LockedHistory(History):
    """The same with Object Lock."""

    has_lock = True


@pytest.mark.parametrize("machine", [History, LockedHistory])
def test_a_bucket_is_its_model(place: Place, machine: type[History]) -> None:
    """Whatever is sent in whatever order, bucket and model agree after each step."""
    machine.place = place
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=50, deadline=None, suppress_health_check=checks),
    )
