"""What the tests of multi-Region keys share."""

from typing import Any

from tests.kms.asking import arn_of
from tests.support.place import ACCOUNT

IRELAND, SYDNEY = "eu-west-1", "ap-southeast-2"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


def described(client: Any, key_id: str) -> dict[str, Any]:
    """Return a key's metadata."""
    metadata: dict[str, Any] = client.describe_key(KeyId=key_id)["KeyMetadata"]
    return metadata


def related(client: Any, key_id: str) -> tuple[str, str, list[str]]:
    """Return what kind of key it is, the primary key's Region and those of the replicas, as DescribeKey tells."""
    told = described(client, key_id)["MultiRegionConfiguration"]
    for each in (told["PrimaryKey"], *told["ReplicaKeys"]):
        assert each["Arn"] == arn_of(key_id, region=each["Region"])
    return told["MultiRegionKeyType"], told["PrimaryKey"]["Region"], [key["Region"] for key in told["ReplicaKeys"]]
