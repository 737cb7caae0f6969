"""`fuin explain` tells the steps of a volume's life."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.cli.request_story import request_steps
from tests.ec2.hosts import TestHost
from tests.ec2.test_volumes import ZONE
from tests.support.place import Place


def story(place: Place, answer: Any) -> str:
    """Return the steps of the request that was answered."""
    return "\n".join(request_steps(place.record(answer["ResponseMetadata"]["RequestId"])))


def test_life_of_a_volume_is_told(place: Place, ec2: Any, kms: Any) -> None:
    """The data key, the grant and its end, and why a volume was not made or not attached."""
    host, key = TestHost(place), kms.create_key()["KeyMetadata"]["Arn"]
    made = ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=key)
    volume = made["VolumeId"]
    told = story(place, made)
    assert "made a data key and returned it encrypted only" in told
    assert f"{{aws:ebs:id={volume}}}" in told
    assert "kms:GenerateDataKeyWithoutPlaintext on" in told
    attached = ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    grant = kms.list_grants(KeyId=key)["Grants"][0]["GrantId"]
    assert f"The grant {grant} lets {host.row.principal.arn} ask for Decrypt" in story(place, attached)
    host.report(volume, "failed", Message="no space left")
    told = "\n".join(request_steps(place.record(place.last_record().draft["request"])))
    assert f"The host reported that the volume {volume} is failed: no space left." in told
    assert f"The grant {grant} has ended" in told
    kms.disable_key(KeyId=key)
    missing = ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=key)
    told = story(place, missing)
    assert f"KMS gave no data key (DisabledException: {key} is disabled.)" in told
    assert f"so there is no volume {missing['VolumeId']}" in told
    with pytest.raises(ClientError) as error:
        ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    assert "KMS made no grant for the host (DisabledException" in story(place, error.value.response)
    ec2.delete_volume(VolumeId=volume)
