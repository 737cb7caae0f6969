"""The life of a volume without a host: made, described, modified, deleted."""

from typing import Any

from fuin.testing.kit.users import REGION
from tests.support.place import Place

ZONE = "us-east-1a"


def uses(place: Place, answer: Any) -> list[dict[str, Any]]:
    """Return the records of the uses of KMS keys by the request that was answered."""
    found = place.record(answer["ResponseMetadata"]["RequestId"])
    return [entry.draft for entry in found if entry.draft.get("use")]


def test_volume_has_a_data_key_of_its_own(place: Place, ec2: Any) -> None:
    """CreateVolume asks KMS for a data key as the caller, forwarded, bound to the volume's id; nobody sees it."""
    answer = ec2.create_volume(AvailabilityZone=ZONE, Size=8)
    assert answer["State"] == "creating"
    assert answer["Encrypted"]
    name = answer["VolumeId"]
    alias = place.client("kms").describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]
    assert answer["KmsKeyId"] == alias["Arn"]
    use = uses(place, answer)[-1]
    assert use["use"] == "kms:GenerateDataKeyWithoutPlaintext"
    assert use["context"] == {"aws:ebs:id": name}
    assert use["via"] == f"ec2.{REGION}.amazonaws.com"
    (volume,) = ec2.describe_volumes(VolumeIds=[name])["Volumes"]
    assert volume["State"] == "available"
    assert (volume["Size"], volume["VolumeType"], volume["Iops"]) == (8, "gp2", 100)
    assert "Tags" not in volume
    ec2.get_waiter("volume_available").wait(VolumeIds=[name])
