"""Header fields that come out of a presigned query, and what of older objects no header can hold."""

import json

import pytest
import urllib3
from sqlalchemy import Connection, text

from tests.s3.test_authentication import presigned
from tests.support.place import Place, Reply


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-meta-desc", "line1\nline2"),
        ("X-Amz-Meta-A", "x\r\nSet-Cookie: e"),
        ("x-amz-meta-desc", "a\0b"),
        ("x-amz-meta-desc", "a\x7fb"),
        ("x-amz-meta-foo bar", "x"),
        ("x-amz-meta-a:b", "x"),
        ("x-amz-meta-:", "x"),
        ("x-amz-meta- ", "x"),
        ("x-amz-meta-a\nb", "x"),
        ("x-amz-meta-größe", "x"),
        ("x-amz-acl", "private\n"),
        ("x-amz-server-side-encryption", "AES256\r\n"),
        ("x-amz-server-side-encryption-context", "e30=\n"),
    ],
)
def test_a_query_holds_what_a_header_can(place: Place, bucket: str, name: str, value: str) -> None:
    """What no header can hold was stored once, and no GET could give it back: it is refused, and nothing stored."""
    for target in (f"/{bucket}/k", f"/{bucket}/k?uploads"):
        method = "POST" if "?" in target else "PUT"
        url = presigned(place, method, f"/{bucket}/k", ({"uploads": ""} if "?" in target else {}) | {name: value})
        reply = urllib3.request(method, url, body=b"hello")
        assert reply.status == 400
        assert Reply(reply.status, {}, reply.data).code == "InvalidArgument"
    assert place.send("HEAD", f"/{bucket}/k").status == 404


def test_a_query_may_say_what_headers_say(place: Place, bucket: str) -> None:
    """Values beyond ASCII are UTF-8, and space around them is none, as in a header."""
    query = {"x-amz-meta-desc": " größe ", "x-amz-storage-class": " STANDARD", "x-amz-meta-empty": ""}
    assert urllib3.request("PUT", presigned(place, "PUT", f"/{bucket}/k", query), body=b"x").status == 200
    headers = place.send("HEAD", f"/{bucket}/k").headers
    assert (headers["x-amz-meta-desc"], headers["x-amz-meta-empty"]) == ("=?UTF-8?Q?gr=C3=B6=C3=9Fe?=", "")


def test_what_older_objects_hold_can_be_read(place: Place, bucket: str) -> None:
    """Metadata that was taken before is given as an encoded word; what has no name for a header is counted."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x", Metadata={"a": "1"})
    old = {"a": "line1\nline2", "nul": "a\0b", "foo bar": "x", "b:c": "x", "é": "x", "": "x"}

    def store(conn: Connection) -> None:
        statement = text("UPDATE objects SET metadata = :kept WHERE bucket = :bucket")
        conn.execute(statement, {"kept": json.dumps(old), "bucket": bucket})

    place.run(place.services.store.change(store))
    place.s3().copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    for method, key in (("GET", "k"), ("HEAD", "k"), ("GET", "copy")):
        reply = place.send(method, f"/{bucket}/{key}")
        assert reply.status == 200
        given = {name: value for name, value in reply.headers.items() if name.startswith("x-amz-meta-")}
        assert given == {
            "x-amz-meta-a": "=?UTF-8?B?bGluZTEKbGluZTI=?=", "x-amz-meta-nul": "=?UTF-8?B?YQBi?=", "x-amz-meta-": "x"
        }  # fmt: skip
        assert reply.headers["x-amz-missing-meta"] == "3"
