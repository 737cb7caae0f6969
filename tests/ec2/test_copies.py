"""CopySnapshot: under the same key without data, under another one encrypted anew."""

import json
import time
from typing import Any

import pytest

from fuin.snapshots import copying, overdue, reading, writing
from fuin.testing.kit.users import ACCOUNT, OTHER_ACCOUNT, REGION
from tests.ebs.images import Ebs, block, stored_blobs
from tests.ec2.test_snapshots import code, describe, reason
from tests.support.place import Place
from tests.support.processes import wait_until

BLOCKS = {index: block(index) for index in (0, 1, 7, 40)}


def copy(ec2: Any, source: str, **members: Any) -> str:
    """Copy a snapshot, and return the copy's id when it is no longer pending."""
    made = ec2.copy_snapshot(**{"SourceRegion": REGION, "SourceSnapshotId": source, **members})["SnapshotId"]
    wait_until(lambda: describe(ec2, made)["State"] != "pending", 20, "the copy")
    return str(made)


def test_copy_under_the_same_key(ec2: Any, ebs: Ebs, place: Place, key: str) -> None:
    """It stores nothing, and stays when the source goes; a child goes on from it."""
    source = ebs.write(BLOCKS, Encrypted=True, KmsKeyArn=key)
    before = stored_blobs(place)
    made = copy(ec2, source, Description="a copy")
    assert stored_blobs(place) <= before
    found = describe(ec2, made)
    assert (found["VolumeId"], found["KmsKeyId"], found["Description"]) == ("vol-ffffffff", key, "a copy")
    ec2.delete_snapshot(SnapshotId=source)
    assert ebs.read(made) == BLOCKS
    child = ebs.write({2: block(99)}, ParentSnapshotId=made)
    assert ebs.read(child) == {**BLOCKS, 2: block(99)}


def test_copy_under_another_key(ec2: Any, ebs: Ebs, place: Place, key: str) -> None:
    """Everything is encrypted anew: the copy opens when the source's key is disabled, and not without its own."""
    source = ebs.write(BLOCKS, Encrypted=True, KmsKeyArn=key)
    other = place.new_key()
    made = copy(ec2, source, Encrypted=True, KmsKeyId=other)
    assert (describe(ec2, made)["State"], describe(ec2, made)["KmsKeyId"]) == ("completed", other)
    place.kms().disable_key(KeyId=key)
    ec2.delete_snapshot(SnapshotId=source)
    assert ebs.read(made) == BLOCKS
    place.kms().disable_key(KeyId=other)
    assert code(ebs.tokens, snapshot=made) == "ValidationException"
    place.kms().enable_key(KeyId=other)
    assert ebs.read(made) == BLOCKS


def test_copy_reads_the_index_in_pages(
    ec2: Any, ebs: Ebs, place: Place, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index of a large source is never in memory as a whole."""
    source = ebs.write(BLOCKS, Encrypted=True, KmsKeyArn=key)
    read_page, pages = reading.read_page, []

    async def read(*given: Any) -> Any:
        pages.append(await read_page(*given))
        return pages[-1]

    monkeypatch.setattr(reading, "WINDOW", 3)
    monkeypatch.setattr(reading, "read_page", read)
    made = copy(ec2, source, Encrypted=True, KmsKeyId=place.new_key())
    assert [len(page) for page in pages] == [3, 1, 0]
    monkeypatch.undo()
    assert ebs.read(made) == BLOCKS


def test_copy_into_another_region(ec2: Any, ebs: Ebs, place: Place, key: str) -> None:
    """The copy is in the Region of the request, under that Region's default key."""
    source = ebs.write(BLOCKS, Encrypted=True, KmsKeyArn=key)
    there = place.client("ec2", region="eu-west-1")
    made = copy(there, source)
    assert describe(there, made)["KmsKeyId"].split(":")[3] == "eu-west-1"
    assert Ebs(place.service("ebs", region="eu-west-1")).read(made) == BLOCKS
    assert code(ec2.describe_snapshots, SnapshotIds=[made]) == "InvalidSnapshot.NotFound"
    assert code(there.copy_snapshot, SourceRegion="eu-west-1", SourceSnapshotId=source) == "InvalidSnapshot.NotFound"


def test_key_that_cannot_be_used(ec2: Any, ebs: Ebs, place: Place, key: str) -> None:
    """AWS answers with an id; the copy is then an error that says so."""
    source = ebs.write(BLOCKS, Encrypted=True, KmsKeyArn=key)
    other = place.new_key()
    place.kms().disable_key(KeyId=other)
    for wanted in (other, f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"):
        made = copy(ec2, source, Encrypted=True, KmsKeyId=wanted)
        found = describe(ec2, made)
        assert (found["State"], found["StateMessage"]) == ("error", "Given key ID is not accessible")
        ec2.delete_snapshot(SnapshotId=made)
    assert code(ec2.copy_snapshot, SourceRegion=REGION, SourceSnapshotId=source, KmsKeyId=other) == (
        "InvalidParameterDependency"
    )


def test_failed_snapshot_does_not_keep_a_key(ec2: Any, ebs: Ebs, place: Place, key: str) -> None:
    """Nobody keeps the key of somebody else by naming it for a copy, nor a key by a snapshot that was given up."""
    theirs, victim = place.client("ec2", place.other_root), place.new_key()
    source = Ebs(place.service("ebs", place.other_root)).write(BLOCKS, Encrypted=True)
    for wanted in (victim, "alias/unknown"):
        made = copy(theirs, source, Encrypted=True, KmsKeyId=wanted)
        found = describe(theirs, made)
        assert (found["State"], "KmsKeyId" in found) == ("error", False)
        shared = {"Attribute": "createVolumePermission", "OperationType": "add", "UserIds": [ACCOUNT]}
        assert code(theirs.modify_snapshot_attribute, SnapshotId=made, **shared) == "IncorrectState"
    late = ebs.start(Encrypted=True, KmsKeyArn=victim, Timeout=10, ClientToken="late")
    assert code(place.kms().schedule_key_deletion, KeyId=victim) == "ConflictException"
    place.run(overdue.end_overdue(place.services, time.time() + 700))
    assert describe(ec2, late)["State"] == "error"
    again = ebs.client.start_snapshot(VolumeSize=1, Encrypted=True, KmsKeyArn=victim, Timeout=10, ClientToken="late")
    assert (again["SnapshotId"], again["Status"]) == (late, "error")
    assert place.kms().schedule_key_deletion(KeyId=victim)["KeyState"] == "PendingDeletion"


def test_shared_snapshot_is_copied_under_ones_own_key(ec2: Any, ebs: Ebs, place: Place) -> None:
    """Another account copies what is shared with it, if it may use the owner's key."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [ACCOUNT, OTHER_ACCOUNT]}, "Action": "kms:*", "Resource": "*"},
    ]})  # fmt: skip
    source = ebs.write(BLOCKS, Encrypted=True, KmsKeyArn=place.new_key(Policy=policy))
    theirs = place.client("ec2", place.other_root)
    wanted = {"SourceRegion": REGION, "SourceSnapshotId": source}
    assert code(theirs.copy_snapshot, **wanted) == "InvalidSnapshot.NotFound"
    ec2.modify_snapshot_attribute(SnapshotId=source, Attribute="createVolumePermission", OperationType="add",
                                  UserIds=[OTHER_ACCOUNT])  # fmt: skip
    refused = copy(theirs, source, Encrypted=True, KmsKeyId=describe(ec2, source)["KmsKeyId"])
    assert describe(theirs, refused)["State"] == "error"  # else it would have the owner's data key and blobs
    made = copy(theirs, source)
    found = describe(theirs, made)
    assert (found["State"], found["OwnerId"]) == ("completed", OTHER_ACCOUNT)
    assert OTHER_ACCOUNT in found["KmsKeyId"]
    assert Ebs(place.service("ebs", place.other_root)).read(made) == BLOCKS


@pytest.mark.parametrize(
    "taken", ["ec2:CopySnapshot", "kms:DescribeKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:Decrypt"]
)
def test_each_right_of_a_copy(ec2: Any, ebs: Ebs, place: Place, key: str, taken: str) -> None:
    """Without the right to copy it is refused; without one to the keys, the copy is an error."""
    source = ebs.write(BLOCKS, Encrypted=True, KmsKeyArn=key)
    policy = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": taken, "Resource": "*"},
    ]}  # fmt: skip
    mine = place.client("ec2", place.add_user(policy))
    members = {"Encrypted": True, "KmsKeyId": place.new_key()}
    if taken.startswith("ec2"):
        wanted = {"SourceRegion": REGION, "SourceSnapshotId": source, **members}
        assert code(mine.copy_snapshot, **wanted) == "UnauthorizedOperation"
    else:
        assert describe(ec2, copy(mine, source, **members))["State"] == "error"


def test_copy_under_the_same_key_needs_the_key(ec2: Any, ebs: Ebs, place: Place, key: str) -> None:
    """Without kms:Decrypt, or with a disabled key, the copy is an error, as the source could not be read."""
    source = ebs.write(BLOCKS, Encrypted=True, KmsKeyArn=key)
    for actions, state in ((["ec2:*", "kms:DescribeKey"], "error"), (["ec2:*", "kms:*"], "completed")):
        policy = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": actions, "Resource": "*"}}
        assert describe(ec2, copy(place.client("ec2", place.add_user(policy)), source))["State"] == state
    place.kms().disable_key(KeyId=key)
    found = describe(ec2, copy(ec2, source))
    assert (found["State"], found["StateMessage"]) == ("error", "Given key ID is not accessible")


def test_shared_snapshot_under_the_recipients_key_is_encrypted_anew(ec2: Any, ebs: Ebs, place: Place) -> None:
    """Also where the owner has used a key of the recipient: the copy needs no blob of the owner's."""
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [ACCOUNT, OTHER_ACCOUNT]}, "Action": "kms:*", "Resource": "*"},
    ]})  # fmt: skip
    theirs = place.client("ec2", place.other_root)
    their_key = place.kms(place.other_root).create_key(Policy=policy)["KeyMetadata"]["Arn"]
    source = ebs.write(BLOCKS, Encrypted=True, KmsKeyArn=their_key)
    ec2.modify_snapshot_attribute(SnapshotId=source, Attribute="createVolumePermission", OperationType="add",
                                  UserIds=[OTHER_ACCOUNT])  # fmt: skip
    before = stored_blobs(place)
    made = copy(theirs, source, Encrypted=True, KmsKeyId=their_key)
    assert stored_blobs(place) - before
    assert Ebs(place.service("ebs", place.other_root)).read(made) == BLOCKS


def test_twenty_at_once(ec2: Any, ebs: Ebs, place: Place, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy after the twentieth that is under way is refused; one under the same key is no work."""
    source = ebs.write(BLOCKS, Encrypted=True, KmsKeyArn=key)
    monkeypatch.setattr(copying, "begin_copy", lambda copy: None)
    wanted = {"SourceRegion": REGION, "SourceSnapshotId": source}
    other = {"Encrypted": True, "KmsKeyId": place.new_key()}
    made = [ec2.copy_snapshot(**wanted, **other)["SnapshotId"] for _ in range(20)]
    assert code(ec2.copy_snapshot, **wanted, **other) == "ResourceLimitExceeded"
    assert reason(ebs.put, snapshot=made[0], index=0, data=block(1)) == "INVALID_SNAPSHOT_ID"  # a worker writes it
    assert reason(ebs.complete, snapshot=made[0], count=0) == "INVALID_SNAPSHOT_ID"
    copy(ec2, source)
    for snapshot in made:
        ec2.delete_snapshot(SnapshotId=snapshot)


def test_copy_may_take_longer_than_its_patience(
    ec2: Any, ebs: Ebs, place: Place, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block gives the copy its time anew: it goes on after many minutes, while a job ends what is overdue."""
    source = ebs.write(BLOCKS, Encrypted=True, KmsKeyArn=key)
    clock, put_block = SlowClock(), writing.put_block

    async def put_slowly(*given: Any) -> None:
        clock.now += 400.0
        await put_block(*given)
        await overdue.end_overdue(place.services, clock.now)

    monkeypatch.setattr(copying, "CLOCK", clock)
    monkeypatch.setattr(copying, "_TOGETHER", 1)
    monkeypatch.setattr(writing, "put_block", put_slowly)
    made = copy(ec2, source, Encrypted=True, KmsKeyId=place.new_key())
    assert describe(ec2, made)["State"] == "completed"
    monkeypatch.undo()
    assert ebs.read(made) == BLOCKS


class SlowClock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = time.time()

    def steady_now(self, wall: float) -> float:
        """Return the time that the test has set."""
        return self.now
