"""Object Lock: retention in both modes, legal holds, defaults of buckets, and who may pass over them.

The answers are those that AWS was recorded to give: localstack, the tests of TestS3ObjectLock,
TestS3ObjectLockRetention and TestS3ObjectLockLegalHold. Retention is counted by the time that has certainly come
(docs/decisions/0009).
"""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.clock import CLOCK
from fuin.s3.request import locks
from fuin.store.s3.buckets import Bucket
from fuin.store.s3.object_lock import parse_column
from tests.support.place import Place, error_of
from tests.support.policies import allow

LOCKED = (403, "AccessDenied", "Access Denied because object protected by object lock.")
DAY = datetime.timedelta(days=1)


def later(days: int = 1) -> datetime.datetime:
    """Return a time that is to come."""
    return datetime.datetime.now(datetime.UTC).replace(microsecond=0) + days * DAY


@pytest.fixture
def locked(place: Place) -> str:
    """Give a bucket with Object Lock."""
    name = place.bucket("to-lock") + "-locked"
    place.s3().create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def refusal(call: Any, **members: Any) -> tuple[int, str, str]:
    """Return the error of a call that has to fail."""
    with pytest.raises(ClientError) as error:
        call(**members)
    return error_of(error.value)


def put(s3: Any, bucket: str, **more: Any) -> dict[str, Any]:
    """Put an object; return the members that name its version."""
    made = s3.put_object(Bucket=bucket, Key="k", Body=b"x", **more)
    return {"Bucket": bucket, "Key": "k", "VersionId": made["VersionId"]}


def retention(mode: str, days: int = 1) -> dict[str, Any]:
    """Return a retention that ends after some days."""
    return {"Mode": mode, "RetainUntilDate": later(days)}


def test_bucket_with_object_lock_has_versions_for_ever(place: Place, locked: str) -> None:
    """They are on from its creation, and cannot be suspended; the configuration can be changed, not removed."""
    s3 = place.s3()
    assert s3.get_bucket_versioning(Bucket=locked)["Status"] == "Enabled"
    found = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert found == {"ObjectLockEnabled": "Enabled"}
    suspended = {"Bucket": locked, "VersioningConfiguration": {"Status": "Suspended"}}
    assert refusal(s3.put_bucket_versioning, **suspended)[:2] == (409, "InvalidBucketState")
    s3.put_bucket_versioning(Bucket=locked, VersioningConfiguration={"Status": "Enabled"})
    for period in ({"Days": 3}, {"Years": 2}):
        rule = {"DefaultRetention": {"Mode": "GOVERNANCE", **period}}
        wanted = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        s3.put_object_lock_configuration(Bucket=locked, ObjectLockConfiguration=wanted)
        assert s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"] == wanted


def test_existing_bucket_gets_object_lock_once_it_has_versions(place: Place, bucket: str) -> None:
    """Until then nothing about locks is taken, and nothing is told."""
    s3 = place.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    enabled = {"Bucket": bucket, "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}
    code = "ObjectLockConfigurationNotFoundError"
    assert refusal(s3.get_object_lock_configuration, Bucket=bucket)[:2] == (404, code)
    assert refusal(s3.put_object_lock_configuration, **enabled)[:2] == (409, "InvalidBucketState")
    missing = (400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
    named = {"Bucket": bucket, "Key": "k"}
    assert refusal(s3.get_object_retention, **named) == missing
    assert refusal(s3.put_object_retention, **named, Retention=retention("GOVERNANCE")) == missing
    assert refusal(s3.get_object_legal_hold, **named) == missing
    assert refusal(s3.put_object_legal_hold, **named, LegalHold={"Status": "ON"}) == missing
    assert refusal(s3.put_object, **named, Body=b"x", ObjectLockLegalHoldStatus="ON") == missing
    for flag in (True, False):
        assert refusal(s3.delete_object, **named, BypassGovernanceRetention=flag)[:2] == (400, "InvalidArgument")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object_lock_configuration(**enabled)
    s3.put_object_legal_hold(**named, LegalHold={"Status": "ON"})
    assert refusal(s3.delete_object, **named, VersionId="null") == LOCKED


def test_governance_is_passed_over_with_the_right_only(place: Place, locked: str) -> None:
    """A version under it goes with bypass; a delete marker needs nothing, and hides it only."""
    s3 = place.s3()
    version = put(s3, locked)
    s3.put_object_retention(**version, Retention=retention("GOVERNANCE", 2))
    assert s3.get_object_retention(**version)["Retention"]["Mode"] == "GOVERNANCE"
    assert refusal(s3.delete_object, **version) == LOCKED
    many = s3.delete_objects(Bucket=locked, Delete={"Objects": [{"Key": "k", "VersionId": version["VersionId"]}]})
    assert [(one["Code"], one["VersionId"]) for one in many["Errors"]] == [("AccessDenied", version["VersionId"])]
    marker = s3.delete_object(Bucket=locked, Key="k")["VersionId"]
    s3.delete_object(Bucket=locked, Key="k", VersionId=marker)
    user = place.s3(place.new_user(allow("s3:DeleteObject*", "s3:PutObjectRetention", "s3:GetObjectRetention")))
    assert refusal(user.delete_object, **version, BypassGovernanceRetention=True)[:2] == (403, "AccessDenied")
    shorter = {"Retention": retention("GOVERNANCE", 1)}
    assert refusal(user.put_object_retention, **version, **shorter) == LOCKED
    assert refusal(user.put_object_retention, **version, **shorter, BypassGovernanceRetention=True)[0] == 403
    user.put_object_retention(**version, Retention=retention("GOVERNANCE", 3))
    assert refusal(user.put_object_retention, **version, Retention=retention("COMPLIANCE", 4)) == LOCKED
    s3.put_object_retention(**version, Retention={}, BypassGovernanceRetention=True)
    assert refusal(s3.get_object_retention, **version)[:2] == (404, "NoSuchObjectLockConfiguration")
    user.delete_object(**version)


def test_compliance_is_passed_over_by_nobody(place: Place, locked: str) -> None:
    """Not by the root with bypass: it may only be extended. It ends when its time has certainly come."""
    s3 = place.s3()
    version = put(s3, locked, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=later(2))
    for more in ({}, {"BypassGovernanceRetention": True}):
        assert refusal(s3.delete_object, **version, **more) == LOCKED
        assert refusal(s3.put_object_retention, **version, Retention=retention("COMPLIANCE", 1), **more) == LOCKED
        assert refusal(s3.put_object_retention, **version, Retention=retention("GOVERNANCE", 3), **more) == LOCKED
        assert refusal(s3.put_object_retention, **version, Retention={}, **more) == LOCKED
    s3.put_object_retention(**version, Retention=retention("COMPLIANCE", 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(CLOCK), "certain_time", lambda _: (later(3) + DAY).timestamp())
        s3.delete_object(**version)


def test_wall_clock_that_is_set_forward_ends_no_retention(place: Place, locked: str) -> None:
    """Nor does one whose time is not known at all."""
    s3 = place.s3()
    version = put(s3, locked, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later(1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(CLOCK), "certain_time", lambda _: 0.0)
        assert refusal(s3.delete_object, **version) == LOCKED


def test_default_retention_does_not_begin_in_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wall clock that was set back while an object is written does not shorten what protects it."""
    kept = locks.Configuration(locks.DefaultRetention("GOVERNANCE", days=1)).column()
    bucket = Bucket("b", "123456789012", "us-east-1", 1.0, settings=((locks.SETTING, kept),))
    monkeypatch.setattr(type(CLOCK), "certain_time", lambda _: 1_000_000.0)
    for now, end in ((1.0, 1_086_400.0), (2_000_000.0, 2_086_400.0)):
        assert parse_column(locks.with_default(bucket, None, now)).until == end


def test_legal_hold_stays_until_it_is_taken_off(place: Place, locked: str) -> None:
    """Bypass does not help; other versions of the key are free."""
    s3 = place.s3()
    first, second = put(s3, locked, ObjectLockLegalHoldStatus="ON"), put(s3, locked)
    assert s3.get_object_legal_hold(**first)["LegalHold"] == {"Status": "ON"}
    assert refusal(s3.get_object_legal_hold, **second)[:2] == (404, "NoSuchObjectLockConfiguration")
    for more in ({}, {"BypassGovernanceRetention": True}):
        assert refusal(s3.delete_object, **first, **more) == LOCKED
    s3.delete_object(**second)
    s3.put_object_legal_hold(**first, LegalHold={"Status": "OFF"})
    assert s3.head_object(**first)["ObjectLockLegalHoldStatus"] == "OFF"
    s3.delete_object(**first)


def test_new_versions_get_the_default_of_the_bucket(place: Place, locked: str) -> None:
    """But those that bring a retention; an upload gets it when it is completed, a copy has none of its source."""
    s3 = place.s3()
    before = put(s3, locked, ObjectLockLegalHoldStatus="ON")
    copy = s3.copy_object(Bucket=locked, Key="copy", CopySource=before)
    assert "ObjectLockLegalHoldStatus" not in s3.head_object(Bucket=locked, Key="copy", VersionId=copy["VersionId"])
    default = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 5}}
    s3.put_object_lock_configuration(
        Bucket=locked, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": default}
    )
    own = put(s3, locked, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later(1))
    upload = s3.create_multipart_upload(Bucket=locked, Key="m")["UploadId"]
    part = s3.upload_part(Bucket=locked, Key="m", UploadId=upload, PartNumber=1, Body=b"x")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=locked, Key="m", UploadId=upload, MultipartUpload=parts)
    s3.copy_object(Bucket=locked, Key="copy", CopySource=own)
    put(s3, locked)
    days = {}
    for name, key in (("upload", "m"), ("copy", "copy"), ("plain", "k")):
        head = s3.head_object(Bucket=locked, Key=key)
        days[name] = round((head["ObjectLockRetainUntilDate"] - later(0)) / DAY)
        assert head["ObjectLockMode"] == "GOVERNANCE"
    assert days == {"upload": 5, "copy": 5, "plain": 5}
    assert round((s3.head_object(**own)["ObjectLockRetainUntilDate"] - later(0)) / DAY) == 1


_ON = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
MALFORMED = [
    ("object-lock", "<ObjectLockConfiguration/>"),
    ("object-lock", "<ObjectLockConfiguration><ObjectLockEnabled>On</ObjectLockEnabled></ObjectLockConfiguration>"),
    ("object-lock", f"{_ON}<Rule/></ObjectLockConfiguration>"),
]
DEFAULTS = [
    ("", "MalformedXML"), ("<Mode>GOVERNANCE</Mode>", "MalformedXML"), ("<Days>1</Days>", "MalformedXML"),
    ("<Mode>OTHER</Mode><Days>1</Days>", "MalformedXML"),
    ("<Mode>GOVERNANCE</Mode><Days>1</Days><Years>1</Years>", "MalformedXML"),
    ("<Mode>GOVERNANCE</Mode><Days>x</Days>", "MalformedXML"),
    ("<Mode>GOVERNANCE</Mode><Days>0</Days>", "InvalidArgument"),
    ("<Mode>GOVERNANCE</Mode><Days>-1</Days>", "InvalidArgument"),
    ("<Mode>GOVERNANCE</Mode><Days>36501</Days>", "InvalidArgument"),
    ("<Mode>GOVERNANCE</Mode><Years>99999999999999999999</Years>", "InvalidArgument"),
]  # fmt: skip


def test_documents_that_are_wrong(place: Place, locked: str) -> None:
    """Each is refused as AWS refuses it, and changes nothing."""
    s3 = place.s3()
    version = put(s3, locked)
    governance = "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>"
    start = f"{_ON}<Rule><DefaultRetention>"
    end = "</DefaultRetention></Rule></ObjectLockConfiguration>"
    for name, text, code in [
        *((name, text, "MalformedXML") for name, text in MALFORMED),
        *(("object-lock", f"{start}{default}{end}", code) for default, code in DEFAULTS),
    ]:
        reply = place.send("PUT", f"/{locked}?{name}", place.md5(text.encode()), text.encode())
        assert (reply.status, reply.code) == (400, code), text
    for name, text, code in (
        ("retention", "<Retention><Mode>GOVERNANCE</Mode></Retention>", "MalformedXML"),
        ("retention", "<Retention><RetainUntilDate>2100-01-01T00:00:00Z</RetainUntilDate></Retention>", "MalformedXML"),
        ("retention", f"{governance}2019-12-31T00:00:00Z</RetainUntilDate></Retention>", "InvalidArgument"),
        ("retention", f"{governance}soon</RetainUntilDate></Retention>", "InvalidArgument"),
        ("legal-hold", "<LegalHold/>", "MalformedXML"),
        ("legal-hold", "<LegalHold><Status>on</Status></LegalHold>", "MalformedXML"),
    ):  # fmt: skip
        reply = place.send("PUT", f"/{locked}/k?{name}", place.md5(text.encode()), text.encode())
        assert (reply.status, reply.code) == (400, code), text
    found = s3.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    assert found == {"ObjectLockEnabled": "Enabled"}
    assert refusal(s3.get_object_retention, **version)[:2] == (404, "NoSuchObjectLockConfiguration")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-object-lock-mode": "GOVERNANCE"},
        {"x-amz-object-lock-retain-until-date": "2100-01-01T00:00:00Z"},
        {"x-amz-object-lock-mode": "BAD", "x-amz-object-lock-retain-until-date": "2100-01-01T00:00:00Z"},
        {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": "2019-01-01T00:00:00Z"},
        {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": "x"},
        {
            "x-amz-object-lock-mode": "GOVERNANCE",
            "x-amz-object-lock-retain-until-date": "9999-12-31T23:59:59-12:00",
        },
        {"x-amz-object-lock-legal-hold": "on"},
    ],
)
def test_headers_that_are_wrong(place: Place, locked: str, headers: dict[str, str]) -> None:
    """A write and the beginning of an upload refuse them."""
    for method, target in (("PUT", f"/{locked}/k"), ("POST", f"/{locked}/k?uploads")):
        reply = place.send(method, target, headers | place.md5(b""))
        assert (reply.status, reply.code) == (400, "InvalidArgument")
    assert "Versions" not in place.s3().list_object_versions(Bucket=locked)


def test_write_with_a_lock_needs_a_digest(place: Place, locked: str) -> None:
    """So that what is kept for years is what was meant."""
    reply = place.send("PUT", f"/{locked}/k", {"x-amz-object-lock-legal-hold": "ON"}, b"x")
    assert (reply.status, reply.code) == (400, "InvalidRequest")
    assert "Content-MD5 OR x-amz-checksum-" in reply.message


def test_locks_need_rights_of_their_own(place: Place, locked: str) -> None:
    """To give them in a write, to set them, to see them; conditions see the lock that a request gives."""
    root = place.s3()
    writer = place.s3(place.new_user(allow("s3:PutObject", "s3:GetObject", "s3:GetObjectVersion")))
    version = put(writer, locked)
    for more in (
        {"ObjectLockLegalHoldStatus": "ON"}, {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": later()},
    ):  # fmt: skip
        assert refusal(writer.put_object, Bucket=locked, Key="k", Body=b"x", **more)[:2] == (403, "AccessDenied")
        create = {"Bucket": locked, "Key": "k", **more}
        assert refusal(writer.create_multipart_upload, **create)[:2] == (403, "AccessDenied")
        assert refusal(writer.copy_object, **create, CopySource=version)[:2] == (403, "AccessDenied")
    root.put_object_legal_hold(**version, LegalHold={"Status": "ON"})
    assert "ObjectLockLegalHoldStatus" not in writer.head_object(**version)
    assert root.head_object(**version)["ObjectLockLegalHoldStatus"] == "ON"
    assert refusal(writer.get_object_legal_hold, **version)[0] == 403
    short = {"NumericLessThanEquals": {"s3:object-lock-remaining-retention-days": "3"}}
    keeper = place.s3(place.new_user(allow("s3:PutObjectRetention", condition=short)))
    keeper.put_object_retention(**version, Retention=retention("GOVERNANCE", 2))
    assert refusal(keeper.put_object_retention, **version, Retention=retention("GOVERNANCE", 9))[0] == 403
    mode = {"StringEquals": {"s3:object-lock-mode": "GOVERNANCE"}}
    policy = allow("s3:PutObject")
    policy["Statement"] += allow("s3:PutObjectRetention", condition=mode)["Statement"]
    chooser = place.s3(place.new_user(policy))
    put(chooser, locked, ObjectLockMode="GOVERNANCE", ObjectLockRetainUntilDate=later())
    strict = {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": later()}
    assert refusal(chooser.put_object, Bucket=locked, Key="k", Body=b"x", **strict)[0] == 403


def test_delete_marker_has_no_lock(place: Place, locked: str) -> None:
    """Asking for one is not allowed."""
    s3 = place.s3()
    put(s3, locked)
    marker = {"Bucket": locked, "Key": "k", "VersionId": s3.delete_object(Bucket=locked, Key="k")["VersionId"]}
    assert refusal(s3.get_object_retention, **marker)[:2] == (405, "MethodNotAllowed")
    assert refusal(s3.put_object_retention, **marker, Retention=retention("GOVERNANCE"))[:2] == (
        405,
        "MethodNotAllowed",
    )
    assert refusal(s3.put_object_legal_hold, **marker, LegalHold={"Status": "ON"})[:2] == (405, "MethodNotAllowed")
    missing = {"Bucket": locked, "Key": "none"}
    assert refusal(s3.put_object_legal_hold, **missing, LegalHold={"Status": "ON"})[:2] == (404, "NoSuchKey")


def test_new_bucket_with_object_lock_needs_the_rights_to_it(place: Place) -> None:
    """Its creator must be allowed to set Object Lock and versions."""
    name = place.bucket("rights") + "-locked"
    user = place.s3(place.new_user(allow("s3:CreateBucket")))
    assert refusal(user.create_bucket, Bucket=name, ObjectLockEnabledForBucket=True)[:2] == (403, "AccessDenied")
    wanted = ("s3:CreateBucket", "s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning")
    place.s3(place.new_user(allow(*wanted))).create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)


def test_record_says_what_the_lock_is(place: Place, locked: str) -> None:
    """Before it is set, and after."""
    s3 = place.s3()
    version = put(s3, locked)
    done = s3.put_object_legal_hold(**version, LegalHold={"Status": "ON"})
    first, last = place.drafts(done["ResponseMetadata"]["RequestId"])
    assert first["about"] == "change"
    assert first["facts"]["lock"] == last["facts"]["lock"] == {"mode": None, "until": None, "hold": "ON"}
    assert last["facts"]["versionId"] == version["VersionId"]
