"""The life of a volume where the rows of decisions have to be waited for: on PostgreSQL, as of many nodes."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.ec2.hosts import TestHost
from tests.ec2.test_attachments import open_key, state
from tests.ec2.test_volumes import ZONE
from tests.ec2.test_wire import code_of
from tests.support.place import Place
from tests.support.policies import allow
from tests.support.postgres import PostgresServer


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[Place]:
    """Give all services on PostgreSQL."""
    with postgres.database() as name:
        made = Place(tmp_path_factory.mktemp("ec2") / "data", postgres.socket_url(name))
        yield made
        made.close()


def test_life_of_a_volume(shared: Place) -> None:
    """Made, attached, opened, filled, detached, modified, tagged and deleted."""
    ec2, kms, host = shared.client("ec2"), shared.client("kms"), TestHost(shared)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    given = {"AvailabilityZone": ZONE, "Encrypted": True, "ClientToken": "once"}
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "Name", "Value": "pg"}]}]
    source = ec2.create_volume(**given, Size=1, KmsKeyId=key, TagSpecifications=tags)["VolumeId"]
    assert ec2.create_volume(**given, Size=1, KmsKeyId=key, TagSpecifications=tags)["VolumeId"] == source
    snapshot = ec2.create_snapshot(VolumeId=source)["SnapshotId"]
    volume = ec2.create_volume(AvailabilityZone=ZONE, SnapshotId=snapshot)["VolumeId"]
    for name in (source, volume):
        ec2.attach_volume(VolumeId=name, InstanceId=host.id, Device=f"/dev/{name}")
    assert open_key(host, volume) == open_key(host, source)
    host.report(volume, "attached", Formatted="true", Filled="true")
    assert state(ec2, volume) == ("in-use", ["attached"])
    ec2.modify_volume(VolumeId=volume, Size=2)
    ec2.detach_volume(VolumeId=volume)
    host.report(volume, "detached")
    ec2.detach_volume(VolumeId=source, Force=True)
    assert kms.list_grants(KeyId=key)["Grants"] == []
    ec2.create_tags(Resources=[volume], Tags=[{"Key": "a", "Value": "b"}])
    assert len(ec2.describe_tags()["Tags"]) == 2
    user = shared.client("ec2", shared.add_user(allow("ec2:DescribeVolumes")))
    with pytest.raises(ClientError) as error:
        user.delete_volume(VolumeId=volume)
    assert code_of(error) == "UnauthorizedOperation"
    with pytest.raises(ClientError) as error:
        kms.schedule_key_deletion(KeyId=key)
    assert code_of(error) == "ConflictException"
    ec2.delete_snapshot(SnapshotId=snapshot)
    for name in (source, volume):
        ec2.delete_volume(VolumeId=name)
    assert user.describe_volumes()["Volumes"] == []
    kms.schedule_key_deletion(KeyId=key)
