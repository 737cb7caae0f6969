"""The rights to a snapshot from which something is made: by its ARN, its tags and its properties."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.testing.kit.users import ACCOUNT, OTHER_ACCOUNT, REGION
from tests.ebs.images import Ebs
from tests.ec2.test_volumes import ZONE
from tests.ec2.test_wire import code_of
from tests.support.place import Place
from tests.support.policies import Policy, allow

TAG = {"Key": "secret", "Value": "yes"}


def all_but(snapshot: str, condition: Any) -> Policy:
    """Return a policy that allows everything, but denies EC2's actions on a snapshot under a condition."""
    refused = {"Effect": "Deny", "Action": "ec2:*", "Resource": f"arn:aws:ec2:*::snapshot/{snapshot}"}
    permitted = allow("*")
    return {**permitted, "Statement": [*permitted["Statement"], {**refused, "Condition": condition}]}


@pytest.fixture(scope="module")
def snapshot(place: Place) -> str:
    """Give a snapshot with a tag."""
    return Ebs(place.service("ebs")).write({}, Tags=[TAG])


@pytest.mark.parametrize(
    ("condition", "is_denied"),
    [
        ({"StringEquals": {"aws:ResourceTag/secret": "yes"}}, True),
        ({"StringEquals": {"ec2:ResourceTag/secret": "no"}}, False),
        ({"StringEquals": {"ec2:Owner": ACCOUNT}}, True),
        ({"ArnLike": {"ec2:ParentVolume": f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/*"}}, True),
        ({"NumericEquals": {"ec2:VolumeSize": "1"}}, True),
        ({"NumericEquals": {"ec2:VolumeSize": "2"}}, False),
        ({"DateGreaterThan": {"ec2:SnapshotTime": "2020-01-01T00:00:00Z"}}, True),
    ],
)
def test_source_brings_its_conditions(place: Place, snapshot: str, condition: Any, is_denied: bool) -> None:
    """A Deny about the source holds for CreateVolume and CopySnapshot as for DeleteSnapshot."""
    user = place.client("ec2", place.add_user(all_but(snapshot, condition)))
    calls = (
        (user.delete_snapshot, {"SnapshotId": snapshot}),
        (user.create_volume, {"SnapshotId": snapshot, "AvailabilityZone": ZONE}),
        (user.copy_snapshot, {"SourceSnapshotId": snapshot, "SourceRegion": REGION}),
    )
    for call, members in calls:
        with pytest.raises(ClientError) as error:
            call(**members, DryRun=True)
        assert code_of(error) == ("UnauthorizedOperation" if is_denied else "DryRunOperation")


def test_tags_of_a_source_count_in_its_own_account_only(place: Place, kms: Any, snapshot: str) -> None:
    """Another account sees who owns a snapshot that is shared with it, and no tags of that account."""
    key = kms.create_key()["KeyMetadata"]["Arn"]
    shared = Ebs(place.service("ebs")).write({}, Encrypted=True, KmsKeyArn=key, Tags=[TAG])
    place.client("ec2").modify_snapshot_attribute(
        SnapshotId=shared, Attribute="createVolumePermission", OperationType="add", UserIds=[OTHER_ACCOUNT]
    )
    for condition, expected in (
        ({"StringEquals": {"aws:ResourceTag/secret": "yes"}}, "DryRunOperation"),
        ({"StringEquals": {"ec2:Owner": ACCOUNT}}, "UnauthorizedOperation"),
    ):
        user = place.client("ec2", place.add_user(all_but(shared, condition), OTHER_ACCOUNT))
        with pytest.raises(ClientError) as error:
            user.copy_snapshot(SourceSnapshotId=shared, SourceRegion=REGION, DryRun=True)
        assert code_of(error) == expected
