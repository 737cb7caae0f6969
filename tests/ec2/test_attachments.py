"""Attachments: the grant for a host begins and ends with them, and the host says what it does."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.testing.kit.users import ACCOUNT
from tests.ec2.hosts import Refused, TestHost, ask
from tests.ec2.test_volumes import ZONE
from tests.ec2.test_wire import code_of
from tests.support.place import Place


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
