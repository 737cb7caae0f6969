"""A bucket or object that a test makes public by a canned ACL is made public by the bucket's policy.

ACLs are off in new buckets of AWS since April 2023. Most tests use one only to let somebody without rights in; what
they test is something else. So an ACL that is refused for this reason becomes a policy, except in
tests of that refusal.
"""

import json
import os
from collections.abc import Sequence
from typing import Any

from botocore.exceptions import ClientError

from tests.conformance.adaptation import notes

_READ, _READ_WRITE = "public-read", "public-read-write"
_LIST = ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads")
_OFF = ("AccessControlListNotSupported", "InvalidBucketAclWithObjectOwnership")
_OF_THE_REFUSAL = ("ownership", "test_block_public", "test_ignore_public", "test_bucket_put_bad_canned_acl")
_WRITE = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")


def adapt(client: Any) -> None:
    """Let a client put policies for the canned ACLs `public-read` and `public-read-write`."""
    for name in ("create_bucket", "put_bucket_acl"):
        _replace(client, name, _open_bucket)
    for name in ("put_object", "put_object_acl", "copy_object"):
        _replace(client, name, _open_object)


def _replace(client: Any, name: str, publish: Any) -> None:
    call = getattr(client, name)

    def adapted(**members: Any) -> Any:
        try:
            return call(**members)
        except ClientError as error:
            if members.get("ACL") not in (_READ, _READ_WRITE) or not _is_replaced(error):
                raise
        notes.used.add(notes.ACL)
        acl = members.pop("ACL")
        answer = {} if name.endswith("_acl") else call(**members)
        publish(client, members, acl)
        return answer

    setattr(client, name, adapted)


def _is_replaced(error: ClientError) -> bool:
    test = os.environ["PYTEST_CURRENT_TEST"]
    return error.response["Error"]["Code"] in _OFF and not any(word in test for word in _OF_THE_REFUSAL)


def _open_bucket(client: Any, members: dict[str, Any], acl: str) -> None:
    arn = f"arn:aws:s3:::{members['Bucket']}"
    _allow(client, members["Bucket"], _LIST, arn)
    if acl == _READ_WRITE:
        _allow(client, members["Bucket"], _WRITE, f"{arn}/*")


def _open_object(client: Any, members: dict[str, Any], acl: str) -> None:
    arn = f"arn:aws:s3:::{members['Bucket']}/{members['Key']}"
    _allow(client, members["Bucket"], ("s3:GetObject", "s3:GetObjectVersion"), arn)


def _allow(client: Any, bucket: str, actions: Sequence[str], resource: str) -> None:
    try:
        policy = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])
    except ClientError:
        policy = {"Version": "2012-10-17", "Statement": []}
    policy["Statement"].append({"Effect": "Allow", "Principal": "*", "Action": list(actions), "Resource": resource})
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
