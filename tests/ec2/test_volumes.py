"""The life of a volume without a host: made, described, modified, deleted."""

import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

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


def refusal(call: Any, **given: Any) -> tuple[str, str]:
    """Return the code and the text with which a call is refused."""
    with pytest.raises(ClientError) as error:
        call(**given)
    answer = error.value.response["Error"]
    return answer["Code"], answer["Message"]


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({"Size": None}, "MissingParameter", "The request must contain the parameter size/snapshot"),
        ({"AvailabilityZone": "us-east-1x"}, "InvalidZone.NotFound", "The zone 'us-east-1x' does not exist."),
        ({"KmsKeyId": "alias/x"}, "InvalidParameterDependency",
         "The parameter KmsKeyId requires the parameter Encrypted to be set."),
        ({"Iops": 300}, "InvalidParameterCombination", "The parameter iops is not supported for gp2 volumes."),
        ({"Size": 20000}, "InvalidParameterValue", "maximum is 16384GiB."),
        ({"VolumeType": "io2"}, "InvalidParameterValue", "minimum is 4GiB."),
        ({"VolumeType": "io2", "Size": 4}, "MissingParameter", "The parameter iops must be specified for io2 volumes."),
        ({"VolumeType": "floppy"}, "InvalidParameterValue", "Unsupported volume type 'floppy'"),
        ({"MultiAttachEnabled": True}, "UnsupportedOperation", "Multi-Attach is not built in this server"),
        ({"SnapshotId": "snap-00000000000000000"}, "InvalidSnapshot.NotFound",
         "The snapshot 'snap-00000000000000000' does not exist."),
        ({"SnapshotId": "nothing"}, "InvalidParameterValue", "Value (nothing) for parameter snapshotId is invalid."),
        ({"TagSpecifications": [{"ResourceType": "volume"}]}, "InvalidParameterValue",
         "Tag specification must have at least one tag"),
        ({"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": ""}]}]},
         "InvalidParameterValue", "'instance' is not a valid taggable resource type"),
    ],
)  # fmt: skip
def test_volumes_that_cannot_be_made(ec2: Any, given: dict[str, Any], code: str, text: str) -> None:
    """The errors are AWS's."""
    members = {"AvailabilityZone": ZONE, "Size": 1, **given}
    found = refusal(ec2.create_volume, **{name: value for name, value in members.items() if value is not None})
    assert found[0] == code
    assert text in found[1]


def test_unencrypted_volume_is_refused(place: Place) -> None:
    """Encryption is on by default, and overrides a request without it; switched off, the error says how to go on."""
    ec2 = place.client("ec2", region="eu-west-3")
    given = {"AvailabilityZone": "eu-west-3a", "Size": 1}
    assert ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    assert ec2.create_volume(Encrypted=False, **given)["Encrypted"]
    assert not ec2.disable_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    for unencrypted in ({}, {"Encrypted": False}):
        code, text = refusal(ec2.create_volume, **unencrypted, **given)
        assert code == "UnsupportedOperation"
        assert "aws ec2 enable-ebs-encryption-by-default" in text
    assert ec2.create_volume(Encrypted=True, **given)["Encrypted"]
    assert place.client("ec2").get_ebs_encryption_by_default()["EbsEncryptionByDefault"]
    ec2.enable_ebs_encryption_by_default()
    assert ec2.create_volume(**given)["Encrypted"]


def test_default_key(place: Place) -> None:
    """It is alias/aws/ebs until another one is set, and that one is answered as an ARN."""
    ec2, kms = place.client("ec2", region="eu-west-2"), place.client("kms", region="eu-west-2")
    given = {"AvailabilityZone": "eu-west-2a", "Size": 1}
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.create_alias(AliasName="alias/disks", TargetKeyId=key)
    assert ec2.modify_ebs_default_kms_key_id(KmsKeyId="alias/disks")["KmsKeyId"] == key
    assert ec2.get_ebs_default_kms_key_id()["KmsKeyId"] == key
    assert ec2.create_volume(**given)["KmsKeyId"] == key
    assert ec2.reset_ebs_default_kms_key_id()["KmsKeyId"] == "alias/aws/ebs"
    assert ec2.create_volume(**given)["KmsKeyId"] != key
    assert refusal(ec2.modify_ebs_default_kms_key_id, KmsKeyId="alias/nothing")[0] == "InvalidKmsKeyId"


def test_client_token_makes_one_volume(ec2: Any) -> None:
    """The same request again returns the volume; another request with the token is refused."""
    given = {"AvailabilityZone": ZONE, "Size": 1, "ClientToken": secrets.token_hex(8)}
    first = ec2.create_volume(**given)
    assert ec2.create_volume(**given)["VolumeId"] == first["VolumeId"]
    assert refusal(ec2.create_volume, **{**given, "Size": 2})[0] == "IdempotentParameterMismatch"


def test_filters_of_volumes(place: Place, ec2: Any) -> None:
    """Values are alternatives, filters all hold; wildcards, tags and pages."""
    mark = secrets.token_hex(4)
    made = {}
    for number, (kind, size) in enumerate((("gp2", 1), ("gp3", 2), ("gp3", 3))):
        tags = [{"Key": "mark", "Value": mark}, {"Key": f"n{number}", "Value": "a*b"}]
        made[number] = ec2.create_volume(
            AvailabilityZone=ZONE, Size=size, VolumeType=kind, Encrypted=True,
            TagSpecifications=[{"ResourceType": "volume", "Tags": tags}],
        )["VolumeId"]  # fmt: skip

    def found(**filters: Any) -> list[int]:
        given = [{"Name": "tag:mark", "Values": [mark]}]
        given += [{"Name": name.replace("_", "-"), "Values": values} for name, values in filters.items()]
        names = [one["VolumeId"] for one in ec2.describe_volumes(Filters=given)["Volumes"]]
        assert names == sorted(names)
        return sorted(number for number, name in made.items() if name in names)

    assert found() == [0, 1, 2]
    assert found(volume_type=["gp3"]) == [1, 2]
    assert found(size=["1", "3"]) == [0, 2]
    assert found(volume_type=["gp?"], size=["2"]) == [1]
    assert found(status=["avail*"], encrypted=["true"]) == [0, 1, 2]
    assert found(tag_key=["n1"]) == [1]
    assert found(snapshot_id=["*"]) == []
    mine = [{"Name": "tag:mark", "Values": [mark]}]
    assert len(ec2.describe_volumes(Filters=[*mine, {"Name": "tag:n2", "Values": ["a\\*b"]}])["Volumes"]) == 1
    assert len(ec2.describe_volumes(Filters=[*mine, {"Name": "tag:n2", "Values": ["a\\?b"]}])["Volumes"]) == 0
    assert refusal(ec2.describe_volumes, Filters=[{"Name": "nothing", "Values": ["x"]}])[0] == "InvalidParameterValue"


def test_pages_of_volumes(place: Place) -> None:
    """Five at least in a page; paginators of clients walk through all."""
    ec2 = place.client("ec2", region="sa-east-1")
    made = {ec2.create_volume(AvailabilityZone="sa-east-1b", Size=1)["VolumeId"] for _ in range(7)}
    pages = list(ec2.get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Volumes"]) for page in pages] == [5, 2]
    assert {one["VolumeId"] for page in pages for one in page["Volumes"]} == made
    assert refusal(ec2.describe_volumes, MaxResults=4)[0] == "InvalidParameterValue"
    one = made.pop()
    assert refusal(ec2.describe_volumes, MaxResults=5, VolumeIds=[one]) == (
        "InvalidParameterCombination", "The parameter volumeSet cannot be used with the parameter maxResults",
    )  # fmt: skip
    assert refusal(ec2.describe_volumes, NextToken="%")[0] == "InvalidNextToken"
    statuses = ec2.describe_volume_status(VolumeIds=[one])["VolumeStatuses"]
    assert statuses[0]["VolumeStatus"]["Status"] == "ok"


def test_modifications(ec2: Any) -> None:
    """A volume only grows, and four times a day at most."""
    name = ec2.create_volume(AvailabilityZone=ZONE, Size=2)["VolumeId"]
    done = ec2.modify_volume(VolumeId=name, Size=3, VolumeType="gp3")["VolumeModification"]
    assert (done["OriginalSize"], done["TargetSize"], done["TargetIops"]) == (2, 3, 3000)
    assert done["ModificationState"] == "completed"
    assert refusal(ec2.modify_volume, VolumeId=name, Size=1)[0] == "InvalidParameterValue"
    for size in (4, 5, 6):
        ec2.modify_volume(VolumeId=name, Size=size)
    assert refusal(ec2.modify_volume, VolumeId=name, Size=7)[0] == "VolumeModificationRateExceeded"
    (last,) = ec2.describe_volumes_modifications(VolumeIds=[name])["VolumesModifications"]
    assert (last["OriginalSize"], last["TargetSize"]) == (5, 6)
    (volume,) = ec2.describe_volumes(VolumeIds=[name])["Volumes"]
    assert (volume["Size"], volume["VolumeType"], volume["Throughput"]) == (6, "gp3", 125)


def test_tags(ec2: Any) -> None:
    """Given, changed, found and removed; by value only if it is that value."""
    name = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    ec2.create_tags(Resources=[name], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    ec2.create_tags(Resources=[name], Tags=[{"Key": "a", "Value": "3"}])
    mine = [{"Name": "resource-id", "Values": [name]}]
    found = ec2.describe_tags(Filters=mine)["Tags"]
    assert [(tag["Key"], tag["Value"], tag["ResourceType"]) for tag in found] == [
        ("a", "3", "volume"), ("b", "2", "volume"),
    ]  # fmt: skip
    ec2.delete_tags(Resources=[name], Tags=[{"Key": "a", "Value": "1"}, {"Key": "b"}])
    assert ec2.describe_volumes(VolumeIds=[name])["Volumes"][0]["Tags"] == [{"Key": "a", "Value": "3"}]
    ec2.delete_volume(VolumeId=name)
    assert ec2.describe_tags(Filters=mine)["Tags"] == []
    one = [{"Key": "k", "Value": "v"}]
    assert refusal(ec2.create_tags, Resources=[name], Tags=one)[0] == "InvalidVolume.NotFound"
    assert refusal(ec2.create_tags, Resources=["x-1"], Tags=one)[0] == "InvalidID"
    assert refusal(ec2.create_tags, Resources=[], Tags=one) == (
        "MissingParameter", "The request must contain the parameter resourceIdSet",
    )  # fmt: skip


def test_deletion(ec2: Any) -> None:
    """A deleted volume is not found, and the waiter says so."""
    name = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    ec2.delete_volume(VolumeId=name)
    ec2.get_waiter("volume_deleted").wait(VolumeIds=[name])
    assert refusal(ec2.delete_volume, VolumeId=name) == (
        "InvalidVolume.NotFound", f"The volume '{name}' does not exist.",
    )  # fmt: skip
    assert refusal(ec2.describe_volumes, VolumeIds=["vol-x"])[0] == "InvalidParameterValue"
