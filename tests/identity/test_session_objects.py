"""Objects with temporary credentials: in one piece, in signed chunks, presigned; and what ends with the session."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import urllib3
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fuin.signing import streaming
from tests.identity.assuming import Session, allow, assume, flipped, new_role, refused, trust, user_arn
from tests.s3 import chunks
from tests.support.place import ANYTHING, Place

Names = Callable[[str], str]


def test_objects_with_sessions(place: Place, unique: Names) -> None:
    """Buckets and objects under SSE-KMS: written in one piece and in signed chunks, presigned, read, and refused."""
    key = place.service("kms").create_key()["KeyMetadata"]["Arn"]
    alice = place.new_user(ANYTHING)
    bucket = unique("night")
    place.service("s3").create_bucket(Bucket=bucket)
    role = new_role(
        place, trust(user_arn(alice)),
        allow(["s3:PutObject", "s3:GetObject", "kms:GenerateDataKey", "kms:Decrypt"]),
    )  # fmt: skip
    session = assume(place, role, alice)
    s3 = session.client(place, "s3")
    body = hashlib.sha256(b"seed").digest() * 40_000
    encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    for name, more in (("whole", {}), ("checked", {"ChecksumAlgorithm": "CRC32"})):
        s3.put_object(Bucket=bucket, Key=name, Body=body, **encryption, **more)
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == body
    assert streamed(place, session, f"/{bucket}/streamed", [body, b"tail"]) == 200
    assert s3.get_object(Bucket=bucket, Key="streamed")["Body"].read() == body + b"tail"
    assert streamed(place, replace(session, token=flipped(session.token, -1)), f"/{bucket}/streamed", [b"x"]) == 400
    url = presigned(session, f"{place.url}/{bucket}/whole")
    assert urllib3.request("GET", url).data == body
    for wrong in (url.replace("X-Amz-Security-Token=", "X-Amz-Security-Token=A"), cut(url, "X-Amz-Security-Token")):
        answer = urllib3.request("GET", wrong)
        assert answer.status in {400, 403}
        assert body not in answer.data
    assert refused(s3.delete_object, Bucket=bucket, Key="whole")[1] == "AccessDenied"
    place.service("iam").put_role_policy(
        RoleName=role.name, PolicyName="own", PolicyDocument=json.dumps(allow(["s3:GetObject"]))
    )
    answer = urllib3.request("GET", url)  # the right to the key is the caller's own
    assert (answer.status, b"kms:Decrypt" in answer.data) == (403, True)
    place.service("iam").delete_role_policy(RoleName=role.name, PolicyName="own")
    assert urllib3.request("GET", url).status == 403


def test_missing_objects_with_session_policies(place: Place, unique: Names) -> None:
    """A session policy that lets list under a prefix lets its session hear that an object under it is missing."""
    alice = place.new_user(ANYTHING)
    bucket = unique("iceberg")
    place.service("s3").create_bucket(Bucket=bucket)
    role = new_role(place, trust(user_arn(alice)), allow(["s3:GetObject", "s3:ListBucket"]))
    policy = allow(["s3:GetObject"])
    policy["Statement"] = [
        policy["Statement"],
        allow(["s3:ListBucket"], Condition={"StringLike": {"s3:prefix": "table/*"}})["Statement"],
    ]
    s3 = assume(place, role, alice, Policy=json.dumps(policy)).client(place, "s3")
    assert refused(s3.get_object, Bucket=bucket, Key="table/metadata")[1] == "NoSuchKey"
    assert refused(s3.get_object, Bucket=bucket, Key="other/metadata")[1] == "AccessDenied"


class _Streaming(S3SigV4Auth):  # type: ignore[misc]
    """Signs a request whose body comes in signed chunks."""

    def payload(self, request: AWSRequest) -> str:
        """Return what stands for the body's hash."""
        return streaming.SIGNED


def streamed(place: Place, session: Session, target: str, pieces: list[bytes]) -> int:
    """Put an object in signed chunks; return the status."""
    length = {"X-Amz-Decoded-Content-Length": str(sum(map(len, pieces)))}
    request = AWSRequest("PUT", place.url + target, headers=length)
    _Streaming(credentials(session), "s3", "us-east-1").add_auth(request)
    headers = dict(request.headers.items())
    body = chunks.signed(session.user, headers, pieces)
    return urllib3.request("PUT", place.url + target, headers=headers, body=body, retries=False).status


def credentials(session: Session) -> Credentials:
    """Return a session's credentials for a signer."""
    return Credentials(session.user.access_key_id, session.user.secret_access_key, session.token)


def presigned(session: Session, url: str) -> str:
    """Return a presigned URL of a session."""
    request = AWSRequest("GET", url)
    S3SigV4QueryAuth(credentials(session), "s3", "us-east-1", expires=600).add_auth(request)
    made: str = request.url
    assert "X-Amz-Security-Token" in made
    return made


def cut(url: str, name: str) -> str:
    """Return a URL without one parameter."""
    path, _, query = url.partition("?")
    return path + "?" + "&".join(pair for pair in query.split("&") if not pair.startswith(f"{name}="))
