"""Attachments: the grant for a host begins and ends with them, and the host says what it does."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.testing.kit.users import ACCOUNT
from tests.ec2.hosts import Refused, TestHost, ask
from tests.ec2.test_volumes import ZONE, refusal
from tests.ec2.test_wire import code_of
from tests.support.place import Place
from tests.support.policies import allow


@pytest.fixture(scope="session")
def host(place: Place) -> TestHost:
    """Give a host in the zone of the volumes."""
    return TestHost(place)


@pytest.fixture
def volume(ec2: Any, host: TestHost) -> Iterator[str]:
    """Give a volume that is not attached, and delete it in the end."""
    name: str = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    yield name
    if ec2.describe_volumes(VolumeIds=[name])["Volumes"][0]["Attachments"]:
        ec2.detach_volume(VolumeId=name, Force=True)
    ec2.delete_volume(VolumeId=name)


def state(ec2: Any, volume: str) -> tuple[str, list[str]]:
    """Return the state of a volume, and those of its attachments."""
    (found,) = ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
    return found["State"], [one["State"] for one in found["Attachments"]]


def open_key(host: TestHost, volume: str) -> bytes:
    """Ask KMS for the data key of a volume, as the host does."""
    task = host.task(volume)
    blob, context = base64.b64decode(task["dataKey"]), {"aws:ebs:id": task["contextId"]}
    plaintext: bytes = host.client("kms").decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"]
    return plaintext


def test_host_opens_the_volume_by_its_grant(place: Place, ec2: Any, host: TestHost, volume: str) -> None:
    """A grant for Decrypt with this volume's context begins with the attachment, and ends with it."""
    answer = ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    assert answer["State"] == "attaching"
    assert state(ec2, volume) == ("in-use", ["attaching"])
    key = ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["KmsKeyId"]
    (grant,) = place.client("kms").list_grants(KeyId=key, GranteePrincipal=host.row.principal.arn)["Grants"]
    assert grant["GranteePrincipal"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/aws:ec2-infrastructure/{host.id}"
    assert grant["Operations"] == ["Decrypt"]
    assert grant["Constraints"] == {"EncryptionContextSubset": {"aws:ebs:id": volume}}
    task = host.task(volume)
    assert (task["state"], task["size"], task["snapshotId"], task["isFormatted"], task["home"]) == (
        "attaching", "1", "", "false", "",
    )  # fmt: skip
    opened = open_key(host, volume)
    assert len(opened) == 64
    host.report(volume, "attached", Formatted="true")
    ec2.get_waiter("volume_in_use").wait(VolumeIds=[volume])
    assert state(ec2, volume) == ("in-use", ["attached"])
    assert (host.task(volume)["isFormatted"], host.task(volume)["home"]) == ("true", host.id)

    assert ec2.detach_volume(VolumeId=volume)["State"] == "detaching"
    host.report(volume, "busy", Message="it is mounted at /srv")
    assert state(ec2, volume) == ("in-use", ["busy"])
    assert open_key(host, volume) == opened
    task = host.task(volume)
    host.report(volume, "detached")
    assert state(ec2, volume) == ("available", [])
    assert place.client("kms").list_grants(KeyId=key, GranteePrincipal=host.row.principal.arn)["Grants"] == []
    with pytest.raises(ClientError) as error:
        host.client("kms").decrypt(
            CiphertextBlob=base64.b64decode(task["dataKey"]), EncryptionContext={"aws:ebs:id": volume}
        )
    assert code_of(error) == "AccessDeniedException"
    assert host.ask("FuinDescribeHostTasks")["attachmentSet"] == []


def test_actions_of_hosts_are_for_hosts(place: Place, host: TestHost) -> None:
    """Not even the account's root may call them, and a host may call nothing else."""
    with pytest.raises(Refused) as refused:
        ask(place, place.root, "FuinDescribeHostTasks")
    assert refused.value.code == "UnauthorizedOperation"
    with pytest.raises(ClientError) as error:
        host.client("ec2").describe_volumes()
    assert code_of(error) == "UnauthorizedOperation"


def test_attach_that_cannot_be(place: Place, ec2: Any, host: TestHost, volume: str) -> None:
    """Twice, in another zone, to no host, under a device that is taken."""
    given = {"VolumeId": volume, "InstanceId": host.id, "Device": "/dev/sdx"}
    elsewhere = TestHost(place, zone="us-east-1b")
    assert refusal(ec2.attach_volume, **{**given, "InstanceId": elsewhere.id})[0] == "InvalidVolume.ZoneMismatch"
    missing = "i-00000000000000000"
    assert refusal(ec2.attach_volume, **{**given, "InstanceId": missing}) == (
        "InvalidInstanceID.NotFound", f"The instance '{missing}' does not exist.",
    )  # fmt: skip
    assert refusal(ec2.detach_volume, VolumeId=volume)[0] == "IncorrectState"
    ec2.attach_volume(**given)
    assert refusal(ec2.attach_volume, **given) == (
        "VolumeInUse", f"{volume} is already attached to an instance",
    )  # fmt: skip
    assert refusal(ec2.delete_volume, VolumeId=volume) == (
        "VolumeInUse", f"Volume {volume} is currently attached to {host.id}",
    )  # fmt: skip
    other = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    code, text = refusal(ec2.attach_volume, **{**given, "VolumeId": other})
    assert (code, "is already in use" in text) == ("InvalidParameterValue", True)
    assert grants_of(place, ec2, volume, host) == 1, "the grant of the refused attach has stayed"
    ec2.delete_volume(VolumeId=other)
    assert refusal(ec2.detach_volume, VolumeId=volume, InstanceId=elsewhere.id)[0] == "InvalidAttachment.NotFound"


def grants_of(place: Place, ec2: Any, volume: str, host: TestHost) -> int:
    """Return how many grants of a volume's key name a host."""
    key = ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["KmsKeyId"]
    return len(place.client("kms").list_grants(KeyId=key, GranteePrincipal=host.row.principal.arn)["Grants"])


def test_force_ends_the_right_at_once(place: Place, ec2: Any, host: TestHost, volume: str) -> None:
    """Nobody waits for a host that is dead."""
    ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    assert grants_of(place, ec2, volume, host) == 1
    assert ec2.detach_volume(VolumeId=volume, Force=True)["State"] == "detaching"
    assert state(ec2, volume) == ("available", [])
    assert grants_of(place, ec2, volume, host) == 0
    with pytest.raises(Refused) as refused:
        host.report(volume, "detached")
    assert refused.value.code == "InvalidAttachment.NotFound"


def test_late_report_about_an_earlier_attachment_changes_nothing(
    place: Place, ec2: Any, host: TestHost, volume: str
) -> None:
    """A report after Force, when another host has the volume, is refused."""
    other = TestHost(place)
    ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    ec2.detach_volume(VolumeId=volume, Force=True)
    ec2.attach_volume(VolumeId=volume, InstanceId=other.id, Device="/dev/sdf")
    with pytest.raises(Refused):
        host.report(volume, "detached")
    assert state(ec2, volume) == ("in-use", ["attaching"])
    assert (grants_of(place, ec2, volume, host), grants_of(place, ec2, volume, other)) == (0, 1)


def test_failed_attach_ends(ec2: Any, host: TestHost, volume: str) -> None:
    """A host that cannot open a disk says so, and the volume is available again; an open one stays open."""
    ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    host.report(volume, "failed", Message="no such disk")
    assert state(ec2, volume) == ("available", [])
    ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    host.report(volume, "attached")
    host.report(volume, "failed", Message="resize failed")
    assert state(ec2, volume) == ("in-use", ["attached"])
    ec2.detach_volume(VolumeId=volume)
    host.report(volume, "attached")
    assert state(ec2, volume) == ("in-use", ["detaching"]), "what is to be closed became attached again"


def test_open_volume_that_fails_while_it_is_closed_stays_attached(
    place: Place, ec2: Any, host: TestHost, volume: str
) -> None:
    """Only `detached` ends what may still be open: with `failed` the host keeps its grant, and says more later."""
    ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    host.report(volume, "attached", Formatted="true")
    ec2.detach_volume(VolumeId=volume)
    host.report(volume, "failed", Message="it cannot be closed")
    assert state(ec2, volume) == ("in-use", ["detaching"])
    assert grants_of(place, ec2, volume, host) == 1
    host.report(volume, "busy")
    host.report(volume, "failed")
    assert state(ec2, volume) == ("in-use", ["busy"])
    host.report(volume, "detached")
    assert state(ec2, volume) == ("available", [])


def test_messages_of_hosts_are_escaped_in_the_log(
    ec2: Any, host: TestHost, volume: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A host can write no line of its own into the log, and nothing that a terminal obeys."""
    ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    host.report(volume, "attached", Formatted="true")
    snapshot = ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
    message = "x\nERROR forged\x1b[2J\r\x9b\u202e\u65e5"
    host.report(volume, "busy", Message=message)
    host.ask("FuinReportSnapshot", SnapshotId=snapshot, State="error", Message=message)
    lines = [record.getMessage() for record in caplog.records if record.name == "fuin.volumes"]
    assert len(lines) == 2
    for line in lines:
        assert line.isprintable()
        assert "x\\nERROR forged\\x1b[2J" in line
        assert "\u65e5" in line
    ec2.delete_snapshot(SnapshotId=snapshot)


@pytest.mark.parametrize("is_same_key", [True, False])
def test_volume_from_a_snapshot_is_filled_by_its_host(
    place: Place, ec2: Any, kms: Any, host: TestHost, is_same_key: bool
) -> None:
    """Under the same key it has the snapshot's data key; under another one the host gets a second grant to fill it."""
    keys = [kms.create_key()["KeyMetadata"]["Arn"] for _ in "12"]
    source = ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=keys[0])["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=source)["SnapshotId"]
    ec2.get_waiter("snapshot_completed").wait(SnapshotIds=[snapshot])
    key = keys[0] if is_same_key else keys[1]
    more = {} if is_same_key else {"Encrypted": True, "KmsKeyId": key}
    made = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot, **more)
    volume = made["VolumeId"]
    assert (made["KmsKeyId"], made["Size"], made["SnapshotId"]) == (key, 1, snapshot)
    assert refusal(ec2.delete_snapshot, SnapshotId=snapshot)[0] == "InvalidSnapshot.InUse"
    for name in (source, volume):
        ec2.attach_volume(VolumeId=name, InstanceId=host.id, Device=f"/dev/{name}")
    grants = kms.list_grants(KeyId=keys[0], GranteePrincipal=host.row.principal.arn)["Grants"]
    assert len(grants) == 2, "one for the source; the other one for the volume, or to fill it"
    assert (open_key(host, volume) == open_key(host, source)) is is_same_key
    assert host.task(volume)["snapshotId"] == snapshot
    assert host.client("ebs").list_snapshot_blocks(SnapshotId=snapshot)["Blocks"] == []
    host.report(volume, "attached", Formatted="true", Filled="true")
    assert host.task(volume)["snapshotId"] == ""
    left = kms.list_grants(KeyId=keys[0], GranteePrincipal=host.row.principal.arn)["Grants"]
    assert len(left) == (2 if is_same_key else 1), "the grant to fill the volume has stayed"
    with pytest.raises(ClientError) as error:
        host.client("ebs").list_snapshot_blocks(SnapshotId=snapshot)
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] in (403, 404)
    for name in (source, volume):
        ec2.detach_volume(VolumeId=name, Force=True)
        ec2.delete_volume(VolumeId=name)
    ec2.delete_snapshot(SnapshotId=snapshot)
    assert kms.list_grants(KeyId=keys[0])["Grants"] == kms.list_grants(KeyId=keys[1])["Grants"] == []


def test_needs_of_the_second_key_are_asked_of_the_caller(place: Place, ec2: Any, kms: Any, host: TestHost) -> None:
    """ReEncrypt for the same key, CreateGrant on the snapshot's key for another one; without them nothing is made."""
    keys = [kms.create_key()["KeyMetadata"]["Arn"] for _ in "12"]
    source = ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=keys[0])["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=source)["SnapshotId"]
    given = {"AvailabilityZone": ZONE, "SnapshotId": snapshot}
    for actions, is_made in (
        (["kms:ReEncryptFrom", "kms:ReEncryptTo"], True), (["kms:ReEncryptFrom"], False), (["kms:Decrypt"], False),
    ):  # fmt: skip
        user = place.client("ec2", place.add_user(allow("ec2:CreateVolume", *actions)))
        name = user.create_volume(**given)["VolumeId"]
        assert bool(ec2.describe_volumes(Filters=[{"Name": "volume-id", "Values": [name]}])["Volumes"]) is is_made
        if is_made:
            ec2.delete_volume(VolumeId=name)
    other = ec2.create_volume(Encrypted=True, KmsKeyId=keys[1], **given)["VolumeId"]
    user = place.client("ec2", place.add_user(allow("ec2:AttachVolume", "kms:CreateGrant", resource=[
        "arn:aws:ec2:*:*:*", keys[1]])))  # fmt: skip
    code, _ = refusal(user.attach_volume, VolumeId=other, InstanceId=host.id, Device="/dev/sdf")
    assert code == "CustomerKeyHasBeenRevoked"
    assert kms.list_grants(KeyId=keys[1])["Grants"] == [], "the first of two grants has stayed"
