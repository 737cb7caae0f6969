"""Listing objects: order, prefix, delimiter, pages and encodings, in both versions."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.place import ACCOUNT, Place, error_of

NAMES = ["a", "a/", "a/b", "a/b/c", "a/c", "a0", "b", "b/x", "é", "日本/x", "z z", "z+z", "%41", "\U0001f600"]


@pytest.fixture(scope="module")
def listed(place: Place) -> str:
    """Give a bucket with the objects NAMES."""
    bucket = place.bucket("listed")
    for name in NAMES:
        place.s3().put_object(Bucket=bucket, Key=name, Body=b"x")
    return bucket


def expected(prefix: str, delimiter: str) -> list[str]:
    """Return keys and common prefixes as S3 orders them: by the bytes of UTF-8."""
    found = set()
    for name in NAMES:
        if name.startswith(prefix):
            at = name.find(delimiter, len(prefix)) if delimiter else -1
            found.add(name if at < 0 else name[: at + len(delimiter)])
    return sorted(found, key=str.encode)


def entries(page: dict[str, Any]) -> list[str]:
    """Return a page's keys and prefixes in order."""
    names = [item["Key"] for item in page.get("Contents", [])]
    names += [item["Prefix"] for item in page.get("CommonPrefixes", [])]
    return sorted(names, key=str.encode)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    prefix=st.sampled_from(["", "a", "a/", "a/b", "z", "日", "none"]),
    delimiter=st.sampled_from(["", "/", "b", "/b"]),
    size=st.integers(1, 6),
    version=st.sampled_from(["list_objects", "list_objects_v2"]),
)
def test_pages_give_everything_once(
    place: Place, listed: str, prefix: str, delimiter: str, size: int, version: str
) -> None:
    """All pages together give every key and prefix once, in order, whatever the page size."""
    members = {"Delimiter": delimiter} if delimiter else {}
    pages = (
        place.s3()
        .get_paginator(version)
        .paginate(Bucket=listed, Prefix=prefix, PaginationConfig={"PageSize": size}, **members)
    )
    found = []
    for page in pages:
        assert len(entries(page)) <= size
        found += entries(page)
    assert found == expected(prefix, delimiter)


def test_start_after_and_marker(place: Place, listed: str) -> None:
    """A listing starts after any name, whether an object has it or not."""
    s3 = place.s3()
    got = s3.list_objects_v2(Bucket=listed, StartAfter="a/bb")
    assert entries(got)[0] == "a/c"
    assert got["StartAfter"] == "a/bb"
    assert entries(s3.list_objects(Bucket=listed, Marker="b"))[0] == "b/x"


def test_tokens_are_opaque_and_checked(place: Place, listed: str) -> None:
    """A token does not show the key, and a made-up one is refused."""
    got = place.s3().list_objects_v2(Bucket=listed, MaxKeys=3)
    assert "a/b" not in got["NextContinuationToken"]
    for token in ("nonsense", "AAAA", ""):
        with pytest.raises(ClientError) as error:
            place.s3().list_objects_v2(Bucket=listed, ContinuationToken=token)
        assert error_of(error.value)[:2] == (400, "InvalidArgument")


def test_what_a_listing_tells(place: Place, listed: str) -> None:
    """Size, ETag, class, owner when asked for, the count of both kinds; nothing of the encryption."""
    got = place.s3().list_objects_v2(Bucket=listed, Prefix="a", Delimiter="/", FetchOwner=True)
    assert (got["KeyCount"], got["MaxKeys"], got["IsTruncated"]) == (3, 1000, False)
    first = got["Contents"][0]
    assert (first["Key"], first["Size"], first["StorageClass"]) == ("a", 1, "STANDARD")
    assert first["Owner"]["ID"] == ACCOUNT
    assert first["ETag"].startswith('"')
    assert "Owner" not in place.s3().list_objects_v2(Bucket=listed)["Contents"][0]
    assert place.s3().list_objects_v2(Bucket=listed, MaxKeys=0)["KeyCount"] == 0


@pytest.mark.parametrize("query", ["encoding-type=base64", "list-type=3", "list-type=1", "list-type=2&encoding-type=x"])
def test_wrong_arguments(place: Place, listed: str, query: str) -> None:
    """url is the only encoding, and 2 the only type of a listing."""
    reply = place.send("GET", f"/{listed}?{query}")
    assert (reply.status, reply.code) == (400, "InvalidArgument")


def test_empty_arguments_ask_for_nothing(place: Place, listed: str) -> None:
    """An empty type, encoding or size is none."""
    reply = place.send("GET", f"/{listed}?list-type=&encoding-type=&max-keys=&prefix=&delimiter=")
    assert (reply.status, reply.text("MaxKeys"), reply.text("EncodingType")) == (200, "1000", "")


def test_names_that_xml_cannot_hold(place: Place, bucket: str) -> None:
    """A key with control characters is listed percent-encoded."""
    name = "a\x01\x0b\x1f\n\r\t<&>"
    place.s3().put_object(Bucket=bucket, Key=name, Body=b"x")
    assert place.s3().list_objects_v2(Bucket=bucket)["Contents"][0]["Key"] == name
    assert place.s3().get_object(Bucket=bucket, Key=name)["Body"].read() == b"x"
