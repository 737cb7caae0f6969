"""Snapshots of volumes: made with their hosts, described, shared and deleted; blocks go when nobody needs them."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import text

from fuin.snapshots import overdue
from fuin.testing.kit.users import ACCOUNT, OTHER_ACCOUNT, REGION
from tests.ebs.images import Ebs, block, stored_blobs
from tests.ec2.hosts import TestHost
from tests.support.place import Place, error_of
from tests.support.policies import allow
from tests.support.processes import wait_until

ZONE = f"{REGION}a"


def reason(call: Callable[..., object], **members: Any) -> str:
    """Return the reason of a refusal of the EBS direct APIs: which side has refused, the service or KMS."""
    with pytest.raises(ClientError) as refused:
        call(**members)
    answer: Any = refused.value.response
    return str(answer["Reason"])


def code(call: Callable[..., object], **members: Any) -> str:
    """Return the code of a call's refusal."""
    with pytest.raises(ClientError) as refused:
        call(**members)
    return error_of(refused.value)[1]


def volume(ec2: Any, key: str, **members: Any) -> str:
    """Make a volume of 1 GiB."""
    made = ec2.create_volume(**{"AvailabilityZone": ZONE, "Size": 1, "Encrypted": True, "KmsKeyId": key, **members})
    return str(made["VolumeId"])


def attached(ec2: Any, place: Place, key: str) -> tuple[str, TestHost]:
    """Return a volume that a host has formatted and open."""
    name, host = volume(ec2, key), TestHost(place)
    ec2.attach_volume(VolumeId=name, InstanceId=host.id, Device="/dev/sdf")
    host.report(name, "attached", Formatted="true")
    return name, host


def describe(ec2: Any, snapshot: str) -> dict[str, Any]:
    """Return a snapshot as DescribeSnapshots shows it."""
    (found,) = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
    return dict(found)


def wait_for_removal(place: Place, gone: set[str]) -> None:
    """Wait until blobs have been removed: that is done in threads, after the answer."""
    wait_until(lambda: not stored_blobs(place) & gone, 10, "the removal of blobs")


def test_unwritten_volume_has_an_empty_snapshot(ec2: Any, ebs: Ebs, key: str) -> None:
    """Nobody has written on it, so the snapshot is complete at once, and without blocks."""
    name = volume(ec2, key)
    made = ec2.create_snapshot(VolumeId=name, Description="empty", TagSpecifications=[
        {"ResourceType": "snapshot", "Tags": [{"Key": "a", "Value": "b"}]},
    ])  # fmt: skip
    assert (made["VolumeId"], made["State"], made["Encrypted"], made["KmsKeyId"]) == (name, "completed", True, key)
    found = describe(ec2, made["SnapshotId"])
    assert (found["Progress"], found["OwnerId"], found["VolumeSize"]) == ("100%", ACCOUNT, 1)
    assert found["Tags"] == [{"Key": "a", "Value": "b"}]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[made["SnapshotId"]], WaiterConfig={"MaxAttempts": 1})
    assert ebs.tokens(made["SnapshotId"]) == {}


def test_host_sends_the_blocks(ec2: Any, ebs: Ebs, place: Place, key: str) -> None:
    """A snapshot is pending until the host has sent the blocks; the next one begins from it."""
    name, host = attached(ec2, place, key)
    made = ec2.create_snapshot(VolumeId=name)
    assert made["State"] == "pending"
    (task,) = host.ask("FuinDescribeHostTasks")["snapshotSet"]
    assert (task["snapshotId"], task["volumeId"], task["parentId"]) == (made["SnapshotId"], name, "")
    mine = Ebs(host.client("ebs"))
    mine.put(made["SnapshotId"], 3, block(1))
    mine.put(made["SnapshotId"], 5, block(2))
    mine.complete(made["SnapshotId"], 2)
    assert describe(ec2, made["SnapshotId"])["State"] == "completed"
    assert ebs.read(made["SnapshotId"]) == {3: block(1), 5: block(2)}
    second = ec2.create_snapshot(VolumeId=name)["SnapshotId"]
    (task,) = host.ask("FuinDescribeHostTasks")["snapshotSet"]
    assert (task["snapshotId"], task["parentId"]) == (second, made["SnapshotId"])
    known = mine.tokens(made["SnapshotId"])
    assert list(known) == [3, 5]
    assert reason(mine.get, snapshot=made["SnapshotId"], index=3, token=known[3]) == "UNAUTHORIZED_ACCOUNT"
    mine.put(second, 5, block(3))
    mine.complete(second, 1)
    changed = ebs.client.list_changed_blocks(FirstSnapshotId=made["SnapshotId"], SecondSnapshotId=second)
    assert [one["BlockIndex"] for one in changed["ChangedBlocks"]] == [5]
    assert ebs.read(second) == {3: block(1), 5: block(3)}


def test_only_the_host_writes_the_blocks(ec2: Any, ebs: Ebs, place: Place, key: str) -> None:
    """Not even the account's root puts a block into a snapshot of a volume, or completes it before its host."""
    name, host = attached(ec2, place, key)
    snapshot = ec2.create_snapshot(VolumeId=name)["SnapshotId"]
    assert reason(ebs.put, snapshot=snapshot, index=0, data=block(1)) == "INVALID_SNAPSHOT_ID"
    assert reason(ebs.complete, snapshot=snapshot, count=0) == "INVALID_SNAPSHOT_ID"
    assert describe(ec2, snapshot)["State"] == "pending"
    Ebs(host.client("ebs")).complete(snapshot, 0)
    own = ebs.start()
    assert reason(Ebs(host.client("ebs")).put, snapshot=own, index=0, data=block(1)) == "UNAUTHORIZED_ACCOUNT"


def test_host_needs_its_volume(ec2: Any, ebs: Ebs, place: Place, key: str) -> None:
    """Another host writes no block; nor does this one after detach, or read what is not for its volume."""
    name, host = attached(ec2, place, key)
    snapshot = ec2.create_snapshot(VolumeId=name)["SnapshotId"]
    other, mine = Ebs(TestHost(place).client("ebs")), Ebs(host.client("ebs"))
    assert reason(other.put, snapshot=snapshot, index=0, data=block(1)) == "UNAUTHORIZED_ACCOUNT"
    assert reason(other.complete, snapshot=snapshot, count=0) == "UNAUTHORIZED_ACCOUNT"
    assert reason(mine.start) == "UNAUTHORIZED_ACCOUNT"
    mine.put(snapshot, 0, block(1))
    foreign = ebs.write({0: block(1)})
    assert reason(mine.tokens, snapshot=foreign) == "UNAUTHORIZED_ACCOUNT"
    mine.complete(snapshot, 1)
    assert reason(mine.tokens, snapshot=snapshot) == "UNAUTHORIZED_ACCOUNT"
    second = ec2.create_snapshot(VolumeId=name)["SnapshotId"]
    ec2.detach_volume(VolumeId=name, Force=True)
    assert (
        reason(mine.put, snapshot=second, index=0, data=block(1)) == "DEPENDENCY_ACCESS_DENIED"
    )  # its grant has ended


def test_host_fills_its_volume(ec2: Any, ebs: Ebs, place: Place, key: str) -> None:
    """The host reads the snapshot of its new volume, under the same key and under another, until the disk is filled."""
    snapshot = ebs.write({0: block(1), 9: block(2)}, Encrypted=True, KmsKeyArn=key)
    for wanted in (key, place.new_key()):
        name, host = volume(ec2, wanted, SnapshotId=snapshot), TestHost(place)
        mine = Ebs(host.client("ebs"))
        assert reason(mine.tokens, snapshot=snapshot) == "UNAUTHORIZED_ACCOUNT"
        ec2.attach_volume(VolumeId=name, InstanceId=host.id, Device="/dev/sdf")
        assert host.task(name)["snapshotId"] == snapshot
        assert mine.read(snapshot) == {0: block(1), 9: block(2)}
        assert code(ec2.delete_snapshot, SnapshotId=snapshot) == "InvalidSnapshot.InUse"
        host.report(name, "attached", Formatted="true", Filled="true")
        assert reason(mine.tokens, snapshot=snapshot) == "UNAUTHORIZED_ACCOUNT"
    ec2.delete_snapshot(SnapshotId=snapshot)


def test_detached_volume_is_read_by_nobody(ec2: Any, place: Place, key: str) -> None:
    """A volume with a disk must be attached for a snapshot; so says the error."""
    name, host = attached(ec2, place, key)
    ec2.detach_volume(VolumeId=name)
    host.report(name, "detached")
    with pytest.raises(ClientError) as refused:
        ec2.create_snapshot(VolumeId=name)
    assert error_of(refused.value)[1] == "IncorrectState"
    assert "attach it" in error_of(refused.value)[2]


def test_volume_that_is_not_filled_has_no_snapshot(ec2: Any, ebs: Ebs, place: Place, key: str) -> None:
    """While the host still opens or fills it, or closes it, a snapshot would lack blocks: IncorrectState."""
    source = ebs.write({0: block(1)}, Encrypted=True, KmsKeyArn=key)
    name, host = volume(ec2, key, SnapshotId=source), TestHost(place)
    several = {"InstanceSpecification": {"InstanceId": host.id}}
    assert code(ec2.create_snapshot, VolumeId=name) == "IncorrectState"
    ec2.attach_volume(VolumeId=name, InstanceId=host.id, Device="/dev/sdf")
    assert code(ec2.create_snapshot, VolumeId=name) == "IncorrectState"
    assert code(ec2.create_snapshots, **several) == "IncorrectState"
    host.report(name, "attached", Formatted="true")
    with pytest.raises(ClientError) as refused:
        ec2.create_snapshot(VolumeId=name)
    assert error_of(refused.value)[1] == "IncorrectState"
    assert f"is not filled from {source} yet" in error_of(refused.value)[2]
    host.report(name, "attached", Filled="true")
    assert ec2.create_snapshot(VolumeId=name)["State"] == "pending"
    ec2.detach_volume(VolumeId=name)
    assert code(ec2.create_snapshot, VolumeId=name) == "IncorrectState"
    host.report(name, "detached")
    ec2.attach_volume(VolumeId=name, InstanceId=host.id, Device="/dev/sdf")
    assert code(ec2.create_snapshot, VolumeId=name) == "IncorrectState", "the host has not opened it again yet"


def test_filled_volume_without_a_format_is_not_empty(ec2: Any, ebs: Ebs, place: Place, key: str) -> None:
    """What came from a snapshot has its blocks, whatever the host says about a format."""
    name, host = volume(ec2, key, SnapshotId=ebs.write({0: block(1)}, Encrypted=True, KmsKeyArn=key)), TestHost(place)
    ec2.attach_volume(VolumeId=name, InstanceId=host.id, Device="/dev/sdf")
    host.report(name, "attached", Filled="true")
    assert ec2.create_snapshot(VolumeId=name)["State"] == "pending"


def test_host_cannot_send_them(ec2: Any, place: Place, key: str) -> None:
    """A host's report makes the snapshot an error with its message, and its blocks go."""
    name, host = attached(ec2, place, key)
    snapshot = ec2.create_snapshot(VolumeId=name)["SnapshotId"]
    before = stored_blobs(place)
    Ebs(host.client("ebs")).put(snapshot, 0, block(1))
    new = stored_blobs(place) - before
    assert new
    host.ask("FuinReportSnapshot", SnapshotId=snapshot, State="error", Message="the disk cannot be read")
    found = describe(ec2, snapshot)
    assert (found["State"], found["StateMessage"]) == ("error", "the disk cannot be read")
    wait_for_removal(place, new)


def test_snapshots_of_a_host(ec2: Any, place: Place, key: str) -> None:
    """CreateSnapshots makes one of each volume that a host has, but for those that are excluded."""
    name, host = attached(ec2, place, key)
    second = volume(ec2, key, TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "k", "Value": "v"}]}])
    ec2.attach_volume(VolumeId=second, InstanceId=host.id, Device="/dev/sdg")
    host.report(second, "attached", Formatted="true")
    made = ec2.create_snapshots(InstanceSpecification={"InstanceId": host.id}, CopyTagsFromSource="volume")["Snapshots"]
    assert {one["VolumeId"]: one["State"] for one in made} == {name: "pending", second: "pending"}
    assert {one["VolumeId"]: one.get("Tags", []) for one in made}[second] == [{"Key": "k", "Value": "v"}]
    wanted = {"InstanceId": host.id, "ExcludeDataVolumeIds": [name]}
    (only,) = ec2.create_snapshots(InstanceSpecification=wanted)["Snapshots"]
    assert only["VolumeId"] == second


def test_copied_tags_need_their_right_and_have_a_limit(ec2: Any, place: Place, key: str) -> None:
    """Tags from the volume are as tags of the request: ec2:CreateTags is asked for, and there are 50 at most."""
    name, host = attached(ec2, place, key)
    ec2.create_tags(Resources=[name], Tags=[{"Key": f"k{number}", "Value": "v"} for number in range(50)])
    members = {"InstanceSpecification": {"InstanceId": host.id}}
    copied = {**members, "CopyTagsFromSource": "volume"}
    user = place.client("ec2", place.add_user(allow("ec2:CreateSnapshots", "kms:*")))
    assert code(user.create_snapshots, **copied) == "UnauthorizedOperation"
    assert code(user.create_snapshots, **copied, DryRun=True) == "UnauthorizedOperation"
    assert code(user.create_snapshots, **members, DryRun=True) == "DryRunOperation"
    more = [{"ResourceType": "snapshot", "Tags": [{"Key": "one", "Value": "more"}]}]
    assert code(ec2.create_snapshots, **copied, TagSpecifications=more) == "TagLimitExceeded"
    assert ec2.describe_snapshots(Filters=[{"Name": "volume-id", "Values": [name]}])["Snapshots"] == []
    assert len(ec2.create_snapshots(**copied)["Snapshots"][0]["Tags"]) == 50


def test_five_may_be_pending(ec2: Any, place: Place, key: str) -> None:
    """The sixth pending snapshot of a volume is refused."""
    name, _ = attached(ec2, place, key)
    for _ in range(5):
        ec2.create_snapshot(VolumeId=name)
    assert code(ec2.create_snapshot, VolumeId=name) == "ConcurrentSnapshotLimitExceeded"


def test_deletion_keeps_what_others_need(ec2: Any, ebs: Ebs, place: Place) -> None:
    """Blocks go with the last snapshot that needs them, in any order of deletion."""
    before = stored_blobs(place)
    parent = ebs.write({0: block(1)})
    child = ebs.write({1: block(2)}, ParentSnapshotId=parent)
    grandchild = ebs.start(ParentSnapshotId=child)
    every = stored_blobs(place) - before
    assert len(every) == 4  # two packs, two indexes
    ec2.delete_snapshot(SnapshotId=parent)
    assert ebs.read(child) == {0: block(1), 1: block(2)}
    ec2.delete_snapshot(SnapshotId=child)  # the pending one still needs its index and its blocks
    assert code(ebs.tokens, snapshot=child) == "ResourceNotFoundException"
    wait_until(lambda: len(stored_blobs(place) & every) == 3, 10, "the removal of the parent's index")
    ebs.put(grandchild, 0, block(3))
    ebs.complete(grandchild, 1)
    assert ebs.read(grandchild) == {0: block(3), 1: block(2)}
    wait_until(lambda: len(stored_blobs(place) & every) == 1, 10, "the removal of all but the child's pack")
    last = stored_blobs(place) - before
    ec2.delete_snapshot(SnapshotId=grandchild)
    wait_for_removal(place, last)
    assert code(ec2.describe_snapshots, SnapshotIds=[grandchild]) == "InvalidSnapshot.NotFound"
    assert not place.run(place.services.store.read(_rows))


def _rows(conn: Any) -> list[Any]:
    """Return the rows of blobs that nobody needs."""
    found: list[Any] = conn.execute(text(
        "SELECT blob FROM snapshot_blobs WHERE blob NOT IN (SELECT blob FROM snapshot_uses)"
        " AND snapshot_id NOT IN (SELECT snapshot_id FROM snapshots)"
    )).all()  # fmt: skip
    return found


def test_time_is_over(ec2: Any, ebs: Ebs, place: Place) -> None:
    """A snapshot that nobody completes becomes an error, and its blocks go; one with time left stays."""
    late, early = ebs.start(Timeout=10), ebs.start(Timeout=20)
    before = stored_blobs(place)
    ebs.put(late, 0, block(1))
    new = stored_blobs(place) - before
    ebs.put(early, 0, block(1), Progress=40)
    assert describe(ec2, early)["Progress"] == "40%"
    started = describe(ec2, late)["StartTime"].timestamp()
    assert place.run(overdue.end_overdue(place.services, started + 599)) == 0
    assert place.run(overdue.end_overdue(place.services, started + 700)) == 1
    found = describe(ec2, late)
    assert (found["State"], found["StateMessage"]) == ("error", overdue.MESSAGE)
    with pytest.raises(ClientError) as refused:
        ebs.put(late, 0, block(1))
    answer: Any = refused.value.response
    assert answer["Reason"] == "WRITE_REQUEST_TIMEOUT"
    wait_for_removal(place, new)
    ebs.complete(early, 1)


def test_lists(ec2: Any, ebs: Ebs, place: Place) -> None:
    """Snapshots are found by filters, owners and pages; AWS's errors for wrong ids."""
    names = sorted(ebs.start(Description="of the list", Tags=[{"Key": "set", "Value": "mine"}]) for _ in range(6))
    mine = {"Filters": [{"Name": "description", "Values": ["of the *"]}, {"Name": "tag:set", "Values": ["mine"]}]}
    found = ec2.describe_snapshots(**mine, OwnerIds=["self"])["Snapshots"]
    assert [one["SnapshotId"] for one in found] == names
    page = ec2.describe_snapshots(**mine, MaxResults=5)
    rest = ec2.describe_snapshots(**mine, MaxResults=5, NextToken=page["NextToken"])
    assert [one["SnapshotId"] for one in (*page["Snapshots"], *rest["Snapshots"])] == names
    assert ec2.describe_snapshots(**mine, OwnerIds=["amazon"])["Snapshots"] == []
    assert ec2.describe_snapshots(**mine, RestorableByUserIds=["all"])["Snapshots"] == []
    assert code(ec2.describe_snapshots, SnapshotIds=["snap-0123456789abcdef0"]) == "InvalidSnapshot.NotFound"
    assert code(ec2.describe_snapshots, SnapshotIds=["vol-1"]) == "InvalidParameterValue"
    assert code(ec2.delete_snapshot, SnapshotId="snap-0123456789abcdef0") == "InvalidSnapshot.NotFound"


def test_sharing(ec2: Any, ebs: Ebs, place: Place, key: str) -> None:
    """An encrypted snapshot is shared with accounts, not with everybody, and not under the AWS managed key."""
    snapshot = ebs.write({}, Encrypted=True, KmsKeyArn=key)
    theirs = place.client("ec2", place.other_root)
    assert code(theirs.describe_snapshots, SnapshotIds=[snapshot]) == "InvalidSnapshot.NotFound"
    share = {"SnapshotId": snapshot, "Attribute": "createVolumePermission"}
    ec2.modify_snapshot_attribute(**share, OperationType="add", UserIds=[OTHER_ACCOUNT])
    assert [one["OwnerId"] for one in theirs.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]] == [ACCOUNT]
    shown = ec2.describe_snapshot_attribute(**share)["CreateVolumePermissions"]
    assert shown == [{"UserId": OTHER_ACCOUNT}]
    assert code(theirs.delete_snapshot, SnapshotId=snapshot) == "InvalidSnapshot.NotFound"
    ec2.reset_snapshot_attribute(**share)
    assert ec2.describe_snapshot_attribute(**share)["CreateVolumePermissions"] == []
    change = {"Add": [{"UserId": OTHER_ACCOUNT}]}
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=change)
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission={"Remove": change["Add"]})
    assert ec2.describe_snapshot_attribute(**share)["CreateVolumePermissions"] == []
    public = {**share, "OperationType": "add", "GroupNames": ["all"]}
    assert code(ec2.modify_snapshot_attribute, **public) == "OperationNotPermitted"
    managed = {**share, "SnapshotId": ebs.write({}), "OperationType": "add", "UserIds": [OTHER_ACCOUNT]}
    assert code(ec2.modify_snapshot_attribute, **managed) == "OperationNotPermitted"
