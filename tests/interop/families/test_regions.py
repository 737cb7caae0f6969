"""Keys of several Regions."""

import pytest

from tests.interop.families.callers import Caller, code_of

pytestmark = pytest.mark.real
EAST, WEST = "us-east-1", "eu-west-1"


def test_key_is_replicated_to_another_region(kms: Caller) -> None:
    """A replica opens what its primary encrypted; the primary moves; a key of another Region is not found."""
    made = kms("CreateKey", MultiRegion=True)["KeyMetadata"]
    key, arn = made["KeyId"], made["Arn"]
    assert key.startswith("mrk-")
    assert code_of(kms, "DescribeKey", region=WEST, KeyId=key) == "NotFoundException"
    replica = kms("ReplicateKey", KeyId=arn, ReplicaRegion=WEST, Description="over there")["ReplicaKeyMetadata"]
    assert replica["Arn"] == arn.replace(EAST, WEST)
    assert replica["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA"
    sealed = kms("Encrypt", KeyId=key, Plaintext=b"text")["CiphertextBlob"]
    opened = kms("Decrypt", region=WEST, CiphertextBlob=sealed)
    assert (opened["KeyId"], opened["Plaintext"]) == (replica["Arn"], b"text")
    kms("UpdatePrimaryRegion", KeyId=arn, PrimaryRegion=WEST)
    shown = kms("DescribeKey", region=WEST, KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]
    assert (shown["MultiRegionKeyType"], shown["PrimaryKey"]["Region"]) == ("PRIMARY", WEST)
    assert [one["Region"] for one in shown["ReplicaKeys"]] == [EAST]
