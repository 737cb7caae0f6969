"""A client that holds back the end of its body keeps no right that it has lost, and gets none to a new bucket."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from fuin.settings import SMALL_OBJECT
from tests.support.place import ACCOUNT, Place
from tests.support.policies import allow


@contextmanager
def held(place: Place, target: str, headers: Mapping[str, str], body: bytes) -> Iterator[socket.socket]:
    """Send a PUT without its last byte and give the connection; the rights are checked by then."""
    skipped = {"host", "content-length"}
    lines = [f"{name}: {value}" for name, value in headers.items() if name.lower() not in skipped]
    own = [f"Host: 127.0.0.1:{place.settings.port}", f"Content-Length: {len(body)}", "Expect: 100-continue"]
    with socket.create_connection(("127.0.0.1", place.settings.port), 30) as connection:
        connection.sendall("\r\n".join([f"PUT {target} HTTP/1.1", *own, *lines, "", ""]).encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")  # the rights are checked, the body is waited for
        connection.sendall(body[:-1])
        yield connection


def finish(connection: socket.socket, body: bytes) -> bytes:
    """Send the last byte and return the answer's first line."""
    connection.sendall(body[-1:])
    return connection.recv(65536).split(b"\r\n", 1)[0]


def _policy(bucket: str) -> bytes:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}).encode()


def _handed_over(place: Place, bucket: str) -> None:
    place.s3().delete_bucket(Bucket=bucket)
    place.s3(place.other_root).create_bucket(Bucket=bucket)


def test_a_held_bucket_policy_does_not_reach_the_next_owner(place: Place) -> None:
    """Who owned a bucket's name before cannot put a policy on the bucket that another account has made since."""
    bucket = place.bucket("squatted")
    body = _policy(bucket)
    target = f"/{bucket}?policy"
    with held(place, target, place.signed("PUT", target, place.md5(body), body), body) as connection:
        _handed_over(place, bucket)
        assert b" 403 " in finish(connection, body)
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        place.s3(place.other_root).get_bucket_policy(Bucket=bucket)


def test_a_held_object_does_not_reach_the_next_owner(place: Place) -> None:
    """An object for a bucket that is gone is not put into another account's bucket of the same name."""
    bucket = place.bucket("squatted")
    body = b"planted" + bytes(SMALL_OBJECT)  # a blob
    target = f"/{bucket}/planted"
    with held(place, target, place.signed("PUT", target, {}, body), body) as connection:
        _handed_over(place, bucket)
        assert b" 404 " in finish(connection, body)
    assert place.s3(place.other_root).list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert not place.blobs()


def test_a_held_bucket_policy_does_not_outlive_the_right(place: Place) -> None:
    """A user who has lost s3:PutBucketPolicy puts no policy with a request that was begun before."""
    bucket = place.bucket("kept")
    user = place.add_user(allow("s3:*"))
    body = _policy(bucket)
    target = f"/{bucket}?policy"
    with held(place, target, place.signed("PUT", target, place.md5(body), body, user=user), body) as connection:
        place.set_policy(user, allow("s3:ListAllMyBuckets"))
        assert b" 403 " in finish(connection, body)
