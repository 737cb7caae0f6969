"""What answers say of lifecycle rules: x-amz-expiration of objects, x-amz-abort-date and its rule of uploads."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fuin.s3.lifecycle import headers, rules
from fuin.s3.lifecycle.rules import DAY, LifecycleConfiguration, LifecycleRule
from fuin.store.s3.buckets import Bucket
from tests.support.place import Place

NAME = "x-amz-expiration"


def put(s3: Any, bucket: str, *chosen: dict[str, Any]) -> None:
    """Put rules; each is enabled and takes all objects unless it says otherwise."""
    every = [{"Status": "Enabled", "Filter": {}, **one} for one in chosen]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": every})


def midnight(days: int, begun: float) -> str:
    """Return the midnight after some days, as HTTP writes it."""
    day = datetime.fromtimestamp(begun, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (day + timedelta(days=days + 1)).strftime("%a, %d %b %Y %H:%M:%S GMT")


def modified(s3: Any, bucket: str, key: str) -> float:
    """Return an object's time."""
    found: float = s3.head_object(Bucket=bucket, Key=key)["LastModified"].timestamp()
    return found


def test_each_answer_about_an_object_says_when_it_ends(place: Place, s3: Any, bucket: str) -> None:
    """PUT, GET, HEAD, a copy and a completed upload; without a rule for it nothing is said."""
    put(s3, bucket, {"ID": "weekly rule", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 7}})
    answers = [s3.put_object(Bucket=bucket, Key="logs/a", Body=b"x")]
    found = s3.get_object(Bucket=bucket, Key="logs/a")
    found["Body"].read()
    answers += [found, s3.head_object(Bucket=bucket, Key="logs/a")]
    answers.append(s3.copy_object(Bucket=bucket, Key="logs/b", CopySource=f"{bucket}/logs/a"))
    upload = {"Bucket": bucket, "Key": "logs/c"}
    upload["UploadId"] = s3.create_multipart_upload(**upload)["UploadId"]
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"x")["ETag"]
    answers.append(s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]}))
    expected = f'expiry-date="{midnight(7, modified(s3, bucket, "logs/a"))}", rule-id="weekly rule"'
    assert [answer["Expiration"] for answer in answers] == [expected] * 5
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="other", Body=b"x")
    assert NAME not in place.send("GET", f"/{bucket}/logs/a?attributes", {"x-amz-object-attributes": "ETag"}).headers
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="logs/a")


def test_a_version_that_is_named_says_nothing(s3: Any, bucket: str) -> None:
    """Not even if it is the current one, as on AWS."""
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put(s3, bucket, {"ID": "one", "Expiration": {"Days": 3}})
    written = s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert "Expiration" in written
    assert "Expiration" in s3.head_object(Bucket=bucket, Key="k")
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="k", VersionId=written["VersionId"])


def test_tags_and_sizes_are_looked_at(s3: Any, bucket: str) -> None:
    """The tags are those of the object now; a rule that only removes delete markers says nothing."""
    put(
        s3, bucket, {"ID": "tagged", "Filter": {"Tag": {"Key": "a", "Value": "b"}}, "Expiration": {"Days": 1}},
        {"ID": "large", "Filter": {"ObjectSizeGreaterThan": 20}, "Expiration": {"Days": 1}},
        {"ID": "markers", "Expiration": {"ExpiredObjectDeleteMarker": True}},
        {"ID": "off", "Status": "Disabled", "Expiration": {"Days": 1}},
        {"ID": "older", "NoncurrentVersionExpiration": {"NoncurrentDays": 1}},
    )  # fmt: skip
    assert 'rule-id="large"' in s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 21)["Expiration"]
    assert "Expiration" not in s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert 'rule-id="tagged"' in s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=b&c=d")["Expiration"]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "other"}]})
    assert "Expiration" not in s3.head_object(Bucket=bucket, Key="k")


def test_the_earliest_rule_is_named(s3: Any, bucket: str) -> None:
    """Of two with one end the first; a date is sent as it is, also in the past."""
    put(
        s3, bucket, {"ID": "late", "Expiration": {"Days": 9}}, {"ID": "first", "Expiration": {"Days": 2}},
        {"ID": "second", "Expiration": {"Days": 2}},
        {"ID": "past", "Filter": {"Prefix": "p"}, "Expiration": {"Date": datetime(2020, 1, 1, tzinfo=UTC)}},
    )  # fmt: skip
    assert 'rule-id="first"' in s3.put_object(Bucket=bucket, Key="k", Body=b"x")["Expiration"]
    told = s3.put_object(Bucket=bucket, Key="p", Body=b"x")["Expiration"]
    assert told == 'expiry-date="Wed, 01 Jan 2020 00:00:00 GMT", rule-id="past"'


def test_an_id_that_a_header_cannot_carry_is_encoded(s3: Any, bucket: str) -> None:
    """Quotation marks, percent signs, line ends and other alphabets; and days beyond the calendar."""
    put(s3, bucket, {"ID": 'a "b"\n%é', "Expiration": {"Days": 2**31 - 1}})
    told = s3.put_object(Bucket=bucket, Key="k", Body=b"x")["Expiration"]
    assert told == 'expiry-date="Fri, 31 Dec 9999 00:00:00 GMT", rule-id="a %22b%22%0A%25%C3%A9"'


def test_an_upload_says_when_it_is_aborted(s3: Any, bucket: str) -> None:
    """In the answers of CreateMultipartUpload and ListParts, by the earliest rule for its key."""
    put(
        s3, bucket, {"ID": "long", "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 9}},
        {"ID": "short", "Filter": {"Prefix": "u/"}, "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2}},
        {"ID": "objects", "Expiration": {"Days": 1}},
    )  # fmt: skip
    for key, days, name in (("u/k", 2, "short"), ("k", 9, "long")):
        begun = time.time()
        created = s3.create_multipart_upload(Bucket=bucket, Key=key)
        listed = s3.list_parts(Bucket=bucket, Key=key, UploadId=created["UploadId"])
        for answer in (created, listed):
            told = answer["AbortDate"].strftime("%a, %d %b %Y %H:%M:%S GMT")
            assert told in (midnight(days, begun), midnight(days, time.time()))
            assert answer["AbortRuleId"] == name
    s3.delete_bucket_lifecycle(Bucket=bucket)
    assert "AbortDate" not in s3.create_multipart_upload(Bucket=bucket, Key="k")


@pytest.mark.parametrize(
    ("moment", "days", "expected"), [(0.0, 1, 2), (1.0, 1, 2), (DAY - 1, 1, 2), (DAY, 1, 3), (10 * DAY + 0.5, 3, 14)]
)
def test_the_midnight_after(moment: float, days: int, expected: int) -> None:
    """A time is rounded up to the next midnight; one that is a midnight too, so that no day is too short."""
    assert rules.midnight_after(moment, days) == expected * DAY


def test_a_bucket_without_rules_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No document is read: an object of such a bucket is not even looked at."""
    monkeypatch.setattr(rules, "parse_setting", None)
    bucket = Bucket("b", "1", "r", 0.0, settings=(("cors", "[]"),))
    assert headers.object_headers(bucket, None) == []  # type: ignore[arg-type]
    assert headers.upload_headers(bucket, None) == []  # type: ignore[arg-type]


def test_rules_are_read_once() -> None:
    """A document that was parsed stays in memory."""
    kept = LifecycleConfiguration((LifecycleRule("r", True, days=1),)).column()
    assert rules.parse_setting(kept) is rules.parse_setting("".join(list(kept)))
