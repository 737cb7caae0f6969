"""Buckets of several Regions, encrypted under one multi-Region key: each uses the key of its own Region."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.place import Place

IRELAND = "eu-west-1"


def test_each_bucket_uses_the_key_of_its_region(place: Place, s3: Any) -> None:
    """Objects name the key of the bucket's Region, and a disabled replica closes the buckets there alone."""
    kms, there = place.kms(), place.kms(region=IRELAND)
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    kms.replicate_key(KeyId=key, ReplicaRegion=IRELAND)
    s3.create_bucket(Bucket="related-here")
    s3.create_bucket(Bucket="related-there", CreateBucketConfiguration={"LocationConstraint": IRELAND})
    for bucket, region in (("related-here", "us-east-1"), ("related-there", IRELAND)):
        asked = {"Bucket": bucket, "Key": "k", "Body": b"text", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
        assert s3.put_object(**asked)["SSEKMSKeyId"].split(":")[3] == region
    there.disable_key(KeyId=key)
    assert s3.get_object(Bucket="related-here", Key="k")["Body"].read() == b"text"
    with pytest.raises(ClientError, match=r"KMS\.DisabledException"):
        s3.get_object(Bucket="related-there", Key="k")
    there.enable_key(KeyId=key)
    assert s3.get_object(Bucket="related-there", Key="k")["Body"].read() == b"text"
