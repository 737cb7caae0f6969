"""Versions: what clients see of versioned and suspended buckets, as AWS was recorded to answer.

The answers are those of localstack's snapshots of AWS: test_delete_object_versioned,
test_put_object_on_suspended_bucket,
test_delete_object_on_suspended_bucket, test_delete_objects_versioned, test_object_tagging_versioned,
test_put_object_acl_on_delete_marker, test_s3_copy_object_in_place_versioned, test_s3_copy_object_src_not_exists,
test_delete_versioned_bucket_with_objects, test_put_object_if_match_versioned_bucket.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.settings import SMALL_OBJECT
from tests.support.place import Place, error_of

ENABLED, SUSPENDED = {"Status": "Enabled"}, {"Status": "Suspended"}
UNKNOWN = "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD"  # of AWS's form, not of ours


@pytest.fixture
def versioned(place: Place, bucket: str) -> str:
    """Give a bucket with versions."""
    place.s3().put_bucket_versioning(Bucket=bucket, VersioningConfiguration=ENABLED)
    return bucket


def put(s3: Any, bucket: str, body: bytes, key: str = "k", **more: Any) -> str:
    """Put an object; return its version id, empty for none."""
    version: str = s3.put_object(Bucket=bucket, Key=key, Body=body, **more).get("VersionId", "")
    return version


def get(s3: Any, bucket: str, version: str | None = None, key: str = "k") -> bytes:
    """Return the bytes of an object or a version."""
    members = {"Bucket": bucket, "Key": key} | ({} if version is None else {"VersionId": version})
    body: bytes = s3.get_object(**members)["Body"].read()
    return body


def refusal(call: Any, **members: Any) -> tuple[int, str]:
    """Return status and code of a call that has to fail."""
    with pytest.raises(ClientError) as error:
        call(**members)
    return error_of(error.value)[:2]


def listed(s3: Any, bucket: str, **more: Any) -> list[tuple[str, str, bool, bool]]:
    """Return key, version id, whether it is the latest, and whether it is a delete marker; of each key in order."""
    answer = s3.list_object_versions(Bucket=bucket, **more)
    found = [(one, False) for one in answer.get("Versions", ())] + [
        (one, True) for one in answer.get("DeleteMarkers", ())
    ]
    found.sort(key=lambda pair: (pair[0]["Key"], not pair[0]["IsLatest"]))
    return [(one["Key"], one["VersionId"], one["IsLatest"], marker) for one, marker in found]


def test_each_put_makes_a_version(place: Place, versioned: str) -> None:
    """All are read by their ids, and the newest without; ids differ, and the list has the newest first."""
    s3 = place.s3()
    made = [put(s3, versioned, body) for body in (b"one", b"two", b"three")]
    assert len(set(made)) == 3
    assert [get(s3, versioned, version) for version in made] == [b"one", b"two", b"three"]
    newest = s3.get_object(Bucket=versioned, Key="k")
    assert (newest["Body"].read(), newest["VersionId"]) == (b"three", made[2])
    answer = s3.list_object_versions(Bucket=versioned)
    assert [one["VersionId"] for one in answer["Versions"]] == made[::-1]
    assert [one["IsLatest"] for one in answer["Versions"]] == [True, False, False]
    assert [one["Size"] for one in answer["Versions"]] == [5, 3, 3]
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=versioned)["Contents"]] == ["k"]
    head = s3.head_object(Bucket=versioned, Key="k", VersionId=made[0])
    assert (head["ContentLength"], head["VersionId"]) == (3, made[0])


def test_bucket_without_versions_tells_of_none(place: Place, bucket: str) -> None:
    """No header has a version, `null` reads the object, and the list says null."""
    s3 = place.s3()
    assert put(s3, bucket, b"one") == ""
    for answer in (s3.head_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k", VersionId="null")):
        assert "VersionId" not in answer
    assert listed(s3, bucket) == [("k", "null", True, False)]
    assert refusal(s3.get_object, Bucket=bucket, Key="k", VersionId=UNKNOWN) == (400, "InvalidArgument")
    assert refusal(s3.delete_object, Bucket=bucket, Key="k", VersionId=UNKNOWN) == (400, "InvalidArgument")
    assert place.send("GET", f"/{bucket}/k?versionId=").code == "InvalidArgument"
    assert "VersionId" not in s3.delete_object(Bucket=bucket, Key="k")
    assert listed(s3, bucket) == []


def test_deletion_puts_a_marker_and_its_removal_brings_the_object_back(place: Place, versioned: str) -> None:
    """Without a version nothing is lost; the answers tell of the marker."""
    s3 = place.s3()
    made = put(s3, versioned, b"one")
    done = s3.delete_object(Bucket=versioned, Key="k")
    assert done["DeleteMarker"] is True
    hidden = place.send("GET", f"/{versioned}/k")
    assert (hidden.status, hidden.code) == (404, "NoSuchKey")
    assert (hidden.headers["x-amz-delete-marker"], hidden.headers["x-amz-version-id"]) == ("true", done["VersionId"])
    assert place.send("HEAD", f"/{versioned}/k").headers["x-amz-delete-marker"] == "true"
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned)
    assert get(s3, versioned, made) == b"one"
    marker = place.send("GET", f"/{versioned}/k?versionId={done['VersionId']}")
    assert (marker.status, marker.code, marker.headers["allow"]) == (405, "MethodNotAllowed", "DELETE")
    assert (marker.headers["x-amz-delete-marker"], "last-modified" in marker.headers) == ("true", True)
    second = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    assert {row[1]: row[2:] for row in listed(s3, versioned)} == {
        second: (True, True), done["VersionId"]: (False, True), made: (False, False),
    }  # fmt: skip
    for version in (second, done["VersionId"]):
        gone = s3.delete_object(Bucket=versioned, Key="k", VersionId=version)
        assert (gone["DeleteMarker"], gone["VersionId"]) == (True, version)
    assert get(s3, versioned) == b"one"


def test_version_that_is_deleted_is_gone(place: Place, versioned: str) -> None:
    """The one before becomes the newest; a second deletion answers the same; a read of it says NoSuchVersion."""
    s3 = place.s3()
    body = bytes(SMALL_OBJECT + 1)  # a blob
    first, second = put(s3, versioned, body), put(s3, versioned, b"two")
    for _ in range(2):
        gone = s3.delete_object(Bucket=versioned, Key="k", VersionId=second)
        assert (gone["VersionId"], "DeleteMarker" in gone) == (second, False)
    assert get(s3, versioned) == body
    assert refusal(s3.get_object, Bucket=versioned, Key="k", VersionId=second) == (404, "NoSuchVersion")
    assert refusal(s3.delete_object, Bucket=versioned, Key="k", VersionId=UNKNOWN) == (400, "InvalidArgument")
    assert refusal(s3.get_object, Bucket=versioned, Key="other", VersionId=first) == (404, "NoSuchVersion")
    blobs = len(place.blobs())
    s3.delete_object(Bucket=versioned, Key="k", VersionId=first)
    place.wait_for(lambda: len(place.blobs()) < blobs)


def test_suspended_bucket_replaces_the_null_version_only(place: Place, versioned: str) -> None:
    """Versions with ids stay under it; a deletion makes a null marker in place of the null version."""
    s3 = place.s3()
    first = put(s3, versioned, b"one")
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration=SUSPENDED)
    assert s3.head_object(Bucket=versioned, Key="k")["VersionId"] == first
    assert [put(s3, versioned, body) for body in (b"two", b"three")] == ["", ""]
    assert listed(s3, versioned) == [("k", "null", True, False), ("k", first, False, False)]
    found = s3.get_object(Bucket=versioned, Key="k")
    assert (found["Body"].read(), found["VersionId"]) == (b"three", "null")
    gone = s3.delete_object(Bucket=versioned, Key="k")
    assert (gone["DeleteMarker"], gone["VersionId"]) == (True, "null")
    assert listed(s3, versioned) == [("k", "null", True, True), ("k", first, False, False)]
    put(s3, versioned, b"four")
    assert listed(s3, versioned) == [("k", "null", True, False), ("k", first, False, False)]
    s3.put_bucket_versioning(Bucket=versioned, VersioningConfiguration=ENABLED)
    last = put(s3, versioned, b"five")
    assert {row[1] for row in listed(s3, versioned)} == {first, "null", last}
    assert get(s3, versioned, "null") == b"four"


def test_object_from_before_versions_is_the_null_version(place: Place, bucket: str) -> None:
    """It is the oldest of its key; it is read, told and deleted as null."""
    s3 = place.s3()
    put(s3, bucket, b"old")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=ENABLED)
    assert s3.head_object(Bucket=bucket, Key="k")["VersionId"] == "null"
    made = put(s3, bucket, b"new")
    assert listed(s3, bucket) == [("k", made, True, False), ("k", "null", False, False)]
    assert get(s3, bucket, "null") == b"old"
    assert s3.delete_object(Bucket=bucket, Key="k", VersionId="null")["VersionId"] == "null"
    assert listed(s3, bucket) == [("k", made, True, False)]


def test_many_are_deleted_at_once(place: Place, versioned: str) -> None:
    """Markers for objects, versions by their ids, and NoSuchVersion for what no version is."""
    s3 = place.s3()
    made = put(s3, versioned, b"one")

    def delete(*wanted: dict[str, str]) -> Any:
        return s3.delete_objects(Bucket=versioned, Delete={"Objects": list(wanted)})

    deleted = {one["Key"]: one for one in delete({"Key": "k"}, {"Key": "none"})["Deleted"]}
    assert all(one["DeleteMarker"] and one["DeleteMarkerVersionId"] for one in deleted.values())
    marker = deleted["k"]["DeleteMarkerVersionId"]
    (gone,) = delete({"Key": "k", "VersionId": marker})["Deleted"]
    assert gone == {"Key": "k", "VersionId": marker, "DeleteMarker": True, "DeleteMarkerVersionId": marker}
    (error,) = delete({"Key": "k", "VersionId": UNKNOWN})["Errors"]
    assert (error["Code"], error["VersionId"]) == ("NoSuchVersion", UNKNOWN)
    assert delete({"Key": "k", "VersionId": made})["Deleted"] == [{"Key": "k", "VersionId": made}]
    assert [row[0] for row in listed(s3, versioned)] == ["none"]


def test_conditions_are_on_the_newest_version(place: Place, versioned: str) -> None:
    """A delete marker is no object: If-None-Match holds, If-Match says NoSuchKey."""
    s3 = place.s3()
    put(s3, versioned, b"one")
    assert refusal(s3.put_object, Bucket=versioned, Key="k", IfNoneMatch="*") == (412, "PreconditionFailed")
    etag = s3.head_object(Bucket=versioned, Key="k")["ETag"]
    assert put(s3, versioned, b"two", IfMatch=etag)
    assert refusal(s3.put_object, Bucket=versioned, Key="k", IfMatch=etag) == (412, "PreconditionFailed")
    s3.delete_object(Bucket=versioned, Key="k")
    assert refusal(s3.put_object, Bucket=versioned, Key="k", IfMatch=etag) == (404, "NoSuchKey")
    assert put(s3, versioned, b"three", IfNoneMatch="*")


def test_tags_are_those_of_a_version(place: Place, versioned: str) -> None:
    """The answers tell which one; a delete marker has no tags, also as the newest."""
    s3 = place.s3()
    first, second = put(s3, versioned, b"one", Tagging="a=1"), put(s3, versioned, b"two")
    tags = {"TagSet": [{"Key": "b", "Value": "2"}]}
    assert s3.put_object_tagging(Bucket=versioned, Key="k", Tagging=tags)["VersionId"] == second
    old = s3.get_object_tagging(Bucket=versioned, Key="k", VersionId=first)
    assert (old["TagSet"], old["VersionId"]) == ([{"Key": "a", "Value": "1"}], first)
    assert s3.get_object_tagging(Bucket=versioned, Key="k")["TagSet"] == tags["TagSet"]
    assert s3.delete_object_tagging(Bucket=versioned, Key="k", VersionId=first)["VersionId"] == first
    assert s3.get_object_tagging(Bucket=versioned, Key="k", VersionId=first)["TagSet"] == []
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    for version in ({}, {"VersionId": marker}):
        named = {"Bucket": versioned, "Key": "k", **version}
        for call, more in ((s3.get_object_tagging, {}), (s3.put_object_tagging, {"Tagging": tags}),
                           (s3.delete_object_tagging, {})):  # fmt: skip
            assert refusal(call, **named, **more) == (405, "MethodNotAllowed")


def test_acl_and_attributes_of_versions(place: Place, versioned: str) -> None:
    """As AWS tells them, also where a delete marker is the newest."""
    s3 = place.s3()
    first, second = put(s3, versioned, b"one!"), put(s3, versioned, b"two")
    wanted = ["ObjectSize", "ETag"]
    found = s3.get_object_attributes(Bucket=versioned, Key="k", ObjectAttributes=wanted)
    assert (found["ObjectSize"], found["VersionId"]) == (3, second)
    found = s3.get_object_attributes(Bucket=versioned, Key="k", ObjectAttributes=wanted, VersionId=first)
    assert (found["ObjectSize"], found["VersionId"]) == (4, first)
    assert s3.get_object_acl(Bucket=versioned, Key="k", VersionId=first)["Grants"]
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    attributes = {"Bucket": versioned, "Key": "k", "ObjectAttributes": wanted}
    assert refusal(s3.get_object_attributes, **attributes) == (404, "NoSuchKey")
    assert refusal(s3.get_object_acl, Bucket=versioned, Key="k") == (404, "NoSuchKey")
    assert refusal(s3.get_object_acl, Bucket=versioned, Key="k", VersionId=marker) == (405, "MethodNotAllowed")
    owner_only = {"Bucket": versioned, "Key": "k", "ACL": "bucket-owner-full-control"}
    assert refusal(s3.put_object_acl, **owner_only) == (405, "MethodNotAllowed")


def test_old_version_is_copied_to_the_top(place: Place, versioned: str) -> None:
    """The way to restore one; a copy in place that changes nothing is refused, and a marker is no source."""
    s3 = place.s3()
    first = put(s3, versioned, b"one", Metadata={"a": "b"})
    second = put(s3, versioned, b"two")
    source = {"Bucket": versioned, "Key": "k", "VersionId": first}
    done = s3.copy_object(Bucket=versioned, Key="k", CopySource=source)
    assert done["CopySourceVersionId"] == first
    assert done["VersionId"] not in (first, second)
    found = s3.get_object(Bucket=versioned, Key="k")
    assert (found["Body"].read(), found["Metadata"], found["VersionId"]) == (b"one", {"a": "b"}, done["VersionId"])
    same = {"Bucket": versioned, "Key": "k", "CopySource": {"Bucket": versioned, "Key": "k"}}
    assert refusal(s3.copy_object, **same) == (400, "InvalidRequest")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    assert refusal(s3.copy_object, **(same | {"Key": "other"})) == (404, "NoSuchKey")
    named = same | {"Key": "other", "CopySource": source | {"VersionId": marker}}
    assert refusal(s3.copy_object, **named) == (400, "InvalidRequest")
    unknown = same | {"CopySource": source | {"VersionId": UNKNOWN}}
    assert refusal(s3.copy_object, **unknown) == (400, "InvalidArgument")


def test_upload_makes_a_version_and_copies_one(place: Place, versioned: str) -> None:
    """The completion tells its id; a part may be copied from an old version."""
    s3 = place.s3()
    first = put(s3, versioned, b"one")
    put(s3, versioned, b"two")
    upload = s3.create_multipart_upload(Bucket=versioned, Key="k")["UploadId"]
    named = {"Bucket": versioned, "Key": "k", "UploadId": upload}
    source = {"Bucket": versioned, "Key": "k", "VersionId": first}
    part = s3.upload_part_copy(**named, PartNumber=1, CopySource=source)
    assert part["CopySourceVersionId"] == first
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]}
    done = s3.complete_multipart_upload(**named, MultipartUpload=parts)
    assert s3.complete_multipart_upload(**named, MultipartUpload=parts)["VersionId"] == done["VersionId"]
    assert get(s3, versioned, done["VersionId"]) == get(s3, versioned) == b"one"
    assert len(listed(s3, versioned)) == 3


def test_bucket_with_versions_stays(place: Place, versioned: str) -> None:
    """Also one in which only a delete marker is left; the message says what to do."""
    s3 = place.s3()
    made = put(s3, versioned, b"one")
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    for version in (made, marker):
        with pytest.raises(ClientError, match="You must delete all versions in the bucket") as error:
            s3.delete_bucket(Bucket=versioned)
        assert error_of(error.value)[:2] == (409, "BucketNotEmpty")
        s3.delete_object(Bucket=versioned, Key="k", VersionId=version)
    s3.delete_bucket(Bucket=versioned)


def test_pages_of_versions(place: Place, versioned: str) -> None:
    """Each is listed once, whatever the size of pages; markers that go with nothing are refused."""
    s3 = place.s3()
    made = {(key, put(s3, versioned, b"x", key)) for key in ("a", "b/1", "b/2", "c") for _ in range(3)}
    for size in (1, 2, 5, 1000):
        pages = s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": size})
        found = [(one["Key"], one["VersionId"]) for page in pages for one in page.get("Versions", ())]
        assert len(found) == len(made)
        assert set(found) == made
    page = s3.list_object_versions(Bucket=versioned, Delimiter="/")
    assert [one["Prefix"] for one in page["CommonPrefixes"]] == ["b/"]
    assert len(page["Versions"]) == 6
    assert len(listed(s3, versioned, Prefix="b/")) == 6
    assert len(listed(s3, versioned, KeyMarker="b/1")) == 6
    assert place.send("GET", f"/{versioned}?versions&version-id-marker=null").code == "InvalidArgument"
    wrong = place.send("GET", f"/{versioned}?versions&key-marker=a&version-id-marker={UNKNOWN}")
    assert wrong.code == "InvalidArgument"


def test_rights_to_versions_are_rights_of_their_own(place: Place, versioned: str, key: str) -> None:
    """s3:GetObject reads the newest one only, and s3:DeleteObject removes no version; a condition names one."""
    s3 = place.s3()
    first = put(s3, versioned, b"one")
    second = put(s3, versioned, b"two")
    arn = f"arn:aws:s3:::{versioned}/*"

    def client(*statements: dict[str, Any]) -> Any:
        return place.s3(place.new_user({"Version": "2012-10-17", "Statement": list(statements)}))

    plain = client({"Effect": "Allow", "Action": ["s3:GetObject", "s3:DeleteObject"], "Resource": arn})
    assert get(plain, versioned) == b"two"
    assert refusal(plain.get_object, Bucket=versioned, Key="k", VersionId=second) == (403, "AccessDenied")
    assert refusal(plain.delete_object, Bucket=versioned, Key="k", VersionId=first) == (403, "AccessDenied")
    many = plain.delete_objects(
        Bucket=versioned, Delete={"Objects": [{"Key": "k", "VersionId": first}, {"Key": "other"}]}
    )
    assert [one["Code"] for one in many["Errors"]] == ["AccessDenied"]
    assert [one["Key"] for one in many["Deleted"]] == ["other"]
    condition = {"StringEquals": {"s3:VersionId": first}}
    one = client({"Effect": "Allow", "Action": "s3:GetObjectVersion", "Resource": arn, "Condition": condition})
    assert get(one, versioned, first) == b"one"
    assert refusal(one.get_object, Bucket=versioned, Key="k", VersionId=second) == (403, "AccessDenied")
    assert refusal(one.get_object, Bucket=versioned, Key="k") == (403, "AccessDenied")
    source = {"Bucket": versioned, "Key": "k", "VersionId": second}
    writer = client({"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": arn})
    assert refusal(writer.copy_object, Bucket=versioned, Key="copy", CopySource=source) == (403, "AccessDenied")
    lister = client({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{versioned}"})
    assert refusal(lister.list_object_versions, Bucket=versioned) == (403, "AccessDenied")


def test_condition_on_tags_looks_at_the_version_that_is_named(place: Place, versioned: str) -> None:
    """The tags of the newest version say nothing about an older one."""
    s3 = place.s3()
    secret, public = put(s3, versioned, b"one", Tagging="open=no"), put(s3, versioned, b"two", Tagging="open=yes")
    condition = {"StringEquals": {"s3:ExistingObjectTag/open": "yes"}}
    statement = {
        "Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": f"arn:aws:s3:::{versioned}/*",
        "Condition": condition,
    }  # fmt: skip
    reader = place.s3(place.new_user({"Version": "2012-10-17", "Statement": [statement]}))
    assert get(reader, versioned, public) == get(reader, versioned) == b"two"
    assert refusal(reader.get_object, Bucket=versioned, Key="k", VersionId=secret) == (403, "AccessDenied")


def test_versions_under_other_keys_open_each_by_its_own(place: Place, versioned: str, key: str) -> None:
    """Each version has its encryption: a disabled key ends its versions, and no others."""
    s3, other = place.s3(), place.new_key()
    first = put(s3, versioned, b"one", ServerSideEncryption="aws:kms", SSEKMSKeyId=other)
    second = put(s3, versioned, b"two", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    head = s3.head_object(Bucket=versioned, Key="k", VersionId=first)
    assert head["SSEKMSKeyId"] == other
    place.kms().disable_key(KeyId=other)
    assert refusal(s3.get_object, Bucket=versioned, Key="k", VersionId=first) == (400, "KMS.DisabledException")
    assert get(s3, versioned, second) == b"two"
    assert refusal(s3.copy_object, Bucket=versioned, Key="k", CopySource={
        "Bucket": versioned, "Key": "k", "VersionId": first}) == (400, "KMS.DisabledException")  # fmt: skip


def test_records_name_the_versions(place: Place, versioned: str) -> None:
    """A write, a read by id and a deletion say which version they were about."""
    s3 = place.s3()
    done = s3.put_object(Bucket=versioned, Key="k", Body=b"one")
    assert place.drafts(done["ResponseMetadata"]["RequestId"])[-1]["facts"]["versionId"] == done["VersionId"]
    read = s3.get_object(Bucket=versioned, Key="k", VersionId=done["VersionId"])
    read["Body"].read()
    assert place.drafts(read["ResponseMetadata"]["RequestId"])[-1]["facts"]["versionId"] == done["VersionId"]
    gone = s3.delete_object(Bucket=versioned, Key="k")
    facts = place.drafts(gone["ResponseMetadata"]["RequestId"])[-1]["facts"]
    assert (facts["versionId"], facts["deleteMarker"], facts["deleted"]) == (gone["VersionId"], True, False)
    objects = [{"Key": "k", "VersionId": done["VersionId"]}, {"Key": "k"}]
    many = s3.delete_objects(Bucket=versioned, Delete={"Objects": objects})
    drafts = place.drafts(many["ResponseMetadata"]["RequestId"])
    assert drafts[0]["facts"]["versions"] == [{"key": "k", "versionId": done["VersionId"]}]
    assert drafts[-1]["facts"]["deleteMarkers"] == 1


def test_versioning_is_a_setting_of_the_bucket(place: Place, bucket: str) -> None:
    """It is never unset again; the record of the change says what it is now."""
    s3 = place.s3()
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for state in (SUSPENDED, ENABLED, SUSPENDED):
        done = s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=state)
        assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == state["Status"]
        draft = place.drafts(done["ResponseMetadata"]["RequestId"])[-1]
        assert draft["facts"]["settings"] == {"versioning": state}
    statement = {"Effect": "Allow", "Action": "s3:GetBucketVersioning", "Resource": "*"}
    reader = place.s3(place.new_user({"Version": "2012-10-17", "Statement": [statement]}))
    assert reader.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    members = {"Bucket": bucket, "VersioningConfiguration": ENABLED}
    assert refusal(reader.put_bucket_versioning, **members) == (403, "AccessDenied")
