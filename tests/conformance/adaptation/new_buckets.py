"""New buckets are as AWS made them when the suite was written.

Since April 2023 a new bucket of AWS blocks public policies, and since April 2026 it blocks SSE-C. A user who wants one
of these sets the bucket so. The suite does not; here each new bucket is set so through the same client. SSE-C is
allowed for the tests of encryption only, since a bucket with an encryption setting of its own differs in other
points too.
"""

import os
from typing import Any

from botocore.exceptions import ClientError

_SSE_C = {
    "Rules": [
        {
            "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
            "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]},
        }
    ]
}


def adapt(client: Any) -> None:
    """Let a client's new buckets accept public policies and SSE-C."""
    create = client.create_bucket

    def create_bucket(**members: Any) -> Any:
        answer = create(**members)
        try:
            client.delete_public_access_block(Bucket=members["Bucket"])
            if any(word in os.environ["PYTEST_CURRENT_TEST"] for word in ("sse", "enc")):
                client.put_bucket_encryption(Bucket=members["Bucket"], ServerSideEncryptionConfiguration=_SSE_C)
        except ClientError:
            pass  # a caller who may only create
        return answer

    client.create_bucket = create_bucket
