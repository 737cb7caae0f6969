"""The wire of EC2: forms, answers and errors, and the operations that need no volume."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.place import Place


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    """Return the code of an error answer."""
    code: str = error.value.response["Error"]["Code"]
    return code


def test_regions(ec2: Any) -> None:
    """The Regions are AWS's; names and filters choose among them."""
    names = [region["RegionName"] for region in ec2.describe_regions()["Regions"]]
    assert {"us-east-1", "eu-central-1"} <= set(names)
    assert names == sorted(names)
    (one,) = ec2.describe_regions(RegionNames=["eu-west-1"])["Regions"]
    assert one["Endpoint"] == "ec2.eu-west-1.amazonaws.com"
    found = ec2.describe_regions(Filters=[{"Name": "region-name", "Values": ["eu-west-?", "us-east-1"]}])["Regions"]
    assert [region["RegionName"] for region in found] == ["eu-west-1", "eu-west-2", "eu-west-3", "us-east-1"]


def test_zones(ec2: Any) -> None:
    """Each Region has three zones."""
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert [(zone["ZoneName"], zone["ZoneId"]) for zone in zones] == [
        ("us-east-1a", "use1-az1"), ("us-east-1b", "use1-az2"), ("us-east-1c", "use1-az3"),
    ]  # fmt: skip
    (one,) = ec2.describe_availability_zones(ZoneNames=["us-east-1b"])["AvailabilityZones"]
    assert one["State"] == "available"


def test_dry_run_is_told_after_the_right(place: Place, ec2: Any) -> None:
    """A dry run ends with 412; who has no right gets 403 first."""
    with pytest.raises(ClientError) as error:
        ec2.describe_regions(DryRun=True)
    assert code_of(error) == "DryRunOperation"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    with pytest.raises(ClientError) as error:
        place.client("ec2", place.add_user()).describe_regions(DryRun=True)
    assert code_of(error) == "UnauthorizedOperation"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    assert "ec2:DescribeRegions" in error.value.response["Error"]["Message"]


def test_operation_that_is_not_built(ec2: Any) -> None:
    """An operation of EC2 that is not here says so."""
    with pytest.raises(ClientError) as error:
        ec2.describe_instances()
    assert code_of(error) == "InvalidAction"
    assert "The operation DescribeInstances is not built in this server." in str(error.value)


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        ([{"Name": "nothing", "Values": ["x"]}], "InvalidParameterValue"),
        ([{"Values": ["x"]}], "MissingParameter"),
    ],
)
def test_filters_are_checked(ec2: Any, filters: list[dict[str, Any]], code: str) -> None:
    """A filter that the list does not have, or one without a name, is refused."""
    with pytest.raises(ClientError) as error:
        ec2.describe_regions(Filters=filters)
    assert code_of(error) == code
