"""The place of each interop test: once over http, once over TLS."""

from collections.abc import Callable

import pytest

from tests.interop.place import EncryptedBucket
from tests.support.server import Server


@pytest.fixture(params=["http", "tls"])
def place(request: pytest.FixtureRequest, unique: Callable[[str], str]) -> EncryptedBucket:
    """Give a fresh bucket whose default encryption is `aws:kms` with a fresh key."""
    server: Server = request.getfixturevalue("server" if request.param == "http" else "tls_server")
    kms, s3 = server.client("kms"), server.client("s3")
    arn = kms.create_key(Description="interop")["KeyMetadata"]["Arn"]
    alias = f"alias/{unique('interop')}"
    kms.create_alias(AliasName=alias, TargetKeyId=arn)
    bucket = unique("interop")
    s3.create_bucket(Bucket=bucket)
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    return EncryptedBucket(server, bucket, arn, alias)
