"""UpdateObjectEncryption, and the header of Fuin's own with which `fuin rewrap` asks for it."""

import asyncio
import base64
import datetime
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from fuin.gate.bucket_keys import BucketKeys
from fuin.ledger.check import Difference, LedgerCheck
from fuin.s3.sealing.rewrap import rewrap
from fuin.store.s3 import dependents
from tests.s3.test_two_layers import uses
from tests.support.place import Place, Reply
from tests.support.policies import allow
from tests.support.proofs import prove

SSE, DSSE = "x-amz-server-side-encryption", "aws:kms:dsse"
FROM = "x-fuin-rewrap-from"
DATA = os.urandom(300_000)
RE_ENCRYPT = ["kms:ReEncryptFrom", "kms:ReEncryptTo"]


@pytest.fixture
def old(place: Place) -> str:
    """Give the ARN of the KMS key that objects have at first."""
    return place.new_key()


@pytest.fixture
def new(place: Place) -> str:
    """Give the ARN of the KMS key that they get."""
    return place.new_key()


def kms(arn: str, *, bucket_key: bool = False, scheme: str = "aws:kms") -> dict[str, str]:
    """Return the headers of a PUT under a KMS key."""
    flag = {f"{SSE}-bucket-key-enabled": "true"} if bucket_key else {}
    return {SSE: scheme, f"{SSE}-aws-kms-key-id": arn, **flag}


def put(place: Place, bucket: str, headers: dict[str, str], key: str = "k", body: bytes = DATA) -> Reply:
    """Write an object."""
    done = place.send("PUT", f"/{bucket}/{key}", headers, body)
    assert done.status == 200, done.body
    return done


def get(place: Place, bucket: str, key: str = "k", **options: Any) -> Reply:
    """Read an object."""
    return place.send(options.pop("method", "GET"), f"/{bucket}/{key}", options.pop("headers", {}), **options)


def document(arn: str, bucket_key: str = "", name: str = "SSE-KMS") -> bytes:
    """Return the document of a request."""
    flag = f"<BucketKeyEnabled>{bucket_key}</BucketKeyEnabled>" if bucket_key else ""
    key = f"<KMSKeyArn>{arn}</KMSKeyArn>" if arn else ""
    return f"<ObjectEncryption><{name}>{key}{flag}</{name}></ObjectEncryption>".encode()


def update(place: Place, bucket: str, body: bytes, target: str = "k?encryption", **options: Any) -> Reply:
    """Ask for another encryption of an object."""
    headers = place.md5(body) | options.pop("headers", {})
    return place.send("PUT", f"/{bucket}/{target}", headers, body, **options)


async def _differences(place: Place, bucket: str) -> list[Difference]:
    checked = LedgerCheck(place.services.store, place.services.blobs)
    return [found async for found in checked.run() if found.bucket == bucket]


def differences(place: Place, bucket: str) -> list[Difference]:
    """Return what the check of the ledger finds about a bucket."""
    return place.run(_differences(place, bucket))


def left_on(place: Place, arn: str) -> int:
    """Return how many objects and versions depend on a key."""
    totals = place.run(place.services.store.read(dependents.count, arn))
    return totals.objects + totals.versions


def disable(place: Place, arn: str) -> None:
    """Let nobody use a key."""
    place.kms().disable_key(KeyId=arn)


def snapshot(paths: set[Path]) -> dict[Path, bytes]:
    """Return the content of blobs."""
    return {path: path.read_bytes() for path in paths}


@pytest.mark.parametrize(
    ("before", "before_key", "after_key", "asked"),
    [
        ("aws:kms", False, False, RE_ENCRYPT),
        ("aws:kms", True, True, RE_ENCRYPT),
        ("aws:kms", False, True, ["kms:Decrypt", "kms:GenerateDataKey"]),
        ("aws:kms", True, False, ["kms:Decrypt", "kms:Encrypt"]),
        ("AES256", False, False, ["kms:Decrypt", "kms:ReEncryptTo"]),
        ("AES256", False, True, ["kms:Decrypt", "kms:GenerateDataKey"]),
    ],
)
def test_nothing_but_the_encryption_changes(
    place: Place, bucket: str, old: str, new: str, before: str, before_key: bool, after_key: bool, asked: list[str]
) -> None:
    """Bytes, blobs, ETag, checksum, date and labels stay; the former key is not needed any longer."""
    there = set(place.blobs())
    headers = kms(old, bucket_key=before_key) if before == "aws:kms" else {SSE: before}
    more = {"x-amz-tagging": "a=b", "x-amz-meta-m": "1", "x-amz-checksum-algorithm": "SHA256", "content-type": "a/b"}
    put(place, bucket, headers | more)
    stored = snapshot(set(place.blobs()) - there)
    checked = {"x-amz-checksum-mode": "ENABLED"}
    first = get(place, bucket, headers=checked)
    place.services.bucket_keys = BucketKeys()
    done = update(place, bucket, document(new, "true" if after_key else ""))
    assert (done.status, done.body) == (200, b"")
    assert [use[0] for use in uses(place, done)] == asked
    disable(place, old)
    second = get(place, bucket, headers=checked)
    assert (second.status, second.body) == (200, DATA)
    changing = {"date", "x-amz-request-id", "x-amz-id-2", SSE, f"{SSE}-aws-kms-key-id", f"{SSE}-bucket-key-enabled"}
    kept = [{name: reply.headers[name] for name in reply.headers if name not in changing} for reply in (first, second)]
    assert kept[0] == kept[1]
    assert (second.headers[SSE], second.headers[f"{SSE}-aws-kms-key-id"]) == ("aws:kms", new)
    assert second.headers.get(f"{SSE}-bucket-key-enabled") == ("true" if after_key else None)
    assert snapshot(set(stored)) == stored
    assert (left_on(place, old), left_on(place, new)) == (0, 1)
    assert differences(place, bucket) == []


def test_the_record_says_what_was_and_what_is(place: Place, bucket: str, old: str, new: str) -> None:
    """The keys and the schemes, in the records of both uses; the caller is the one who asked."""
    user = place.add_user(allow("s3:UpdateObjectEncryption", *RE_ENCRYPT))
    put(place, bucket, kms(old))
    done = update(place, bucket, document(new), user=user)
    assert done.status == 200
    context = {"aws:s3:arn": f"arn:aws:s3:::{bucket}/k"}
    assert uses(place, done) == [(RE_ENCRYPT[0], old, context), (RE_ENCRYPT[1], new, context)]
    for draft in place.drafts(done.headers["x-amz-request-id"]):
        assert draft["principal"].endswith(user.name)
        facts = draft["facts"]
        assert (facts["encryption"], facts["keyArn"], facts["context"]) == ("aws:kms", new, context)
        assert facts["before"] == {"encryption": "aws:kms", "keyArn": old, "bucketKey": False}
    assert facts["objectBytes"] == len(DATA)


def test_a_bucket_key_from_memory_leaves_a_record_before_the_change(place: Place, bucket: str, new: str) -> None:
    """Neither key is asked for anything then."""
    put(place, bucket, kms(new, bucket_key=True), "warm")
    assert get(place, bucket, "warm").status == 200
    put(place, bucket, {SSE: "AES256"})
    put(place, bucket, {SSE: "AES256"}, "other")
    update(place, bucket, document(new, "true"), "other?encryption")
    done = update(place, bucket, document(new, "true"))
    drafts = place.drafts(done.headers["x-amz-request-id"])
    assert [draft.get("use") for draft in drafts] == ["kms:Decrypt", None, None]
    assert drafts[1]["about"] == "change"
    assert drafts[1]["facts"]["bucketKeys"][0]["from"] == "memory"


def test_who_may_not_read_may_rewrap(place: Place, bucket: str, old: str, new: str) -> None:
    """The rights are ReEncryptFrom on the former key and ReEncryptTo on the new one, and that to the object."""
    put(place, bucket, kms(old))
    needed = ["s3:UpdateObjectEncryption", *RE_ENCRYPT]
    for missing in needed:
        user = place.add_user(allow(*(action for action in needed if action != missing), "kms:Decrypt", "kms:Encrypt"))
        refused = update(place, bucket, document(new), user=user)
        assert (refused.status, refused.code) == (403, "AccessDenied")
        assert missing in refused.message
    assert left_on(place, old) == 1
    user = place.add_user(allow(*needed))
    assert update(place, bucket, document(new), user=user).status == 200
    assert get(place, bucket, user=user).code == "AccessDenied"


def test_conditions_of_policies(place: Place, bucket: str, old: str, new: str) -> None:
    """The key that the document asks for, the object's tags, and whether the key stays the same."""
    put(place, bucket, kms(old) | {"x-amz-tagging": "class=public"})
    key_id = "s3:x-amz-server-side-encryption-aws-kms-key-id"
    for condition, allowed, refused in (
        ({"ArnEquals": {key_id: old}}, old, new),
        ({"StringEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}, old, None),
        ({"StringEquals": {"s3:ExistingObjectTag/class": "public"}}, old, None),
    ):
        user = place.add_user(allow("s3:UpdateObjectEncryption", condition=condition))
        policy = allow("s3:UpdateObjectEncryption", condition=condition)
        policy["Statement"] += allow(*RE_ENCRYPT)["Statement"]
        place.set_policy(user, policy)
        assert update(place, bucket, document(allowed), user=user).status == 200
        if refused is not None:
            spoofed = {key_id.removeprefix("s3:"): old}
            assert update(place, bucket, document(refused), user=user, headers=spoofed).code == "AccessDenied"
    policy = allow(*RE_ENCRYPT, condition={"Bool": {"kms:ReEncryptOnSameKey": "true"}})
    policy["Statement"] += allow("s3:UpdateObjectEncryption")["Statement"]
    place.set_policy(user, policy)
    assert update(place, bucket, document(new), user=user).code == "AccessDenied"
    assert update(place, bucket, document(old), user=user).status == 200
    place.set_policy(user, allow("s3:*", "kms:*", condition={"StringEquals": {"s3:ExistingObjectTag/class": "x"}}))
    assert update(place, bucket, document(old), user=user).code == "AccessDenied"


def test_requests_that_are_wrong(place: Place, bucket: str, old: str) -> None:
    """Each with AWS's text; nothing has changed after them."""
    put(place, bucket, kms(old))
    region, account, resource = old.split(":", 5)[3:]
    foreign = f"arn:aws:kms:{region}:{int(account) + 1}:{resource}"
    cases = [
        (b"<ObjectEncryption/>", "require a valid new encryption type"),
        (document("", name="SSE-S3"), "require a valid new encryption type"),
        (document(old, name="DSSE-KMS"), "updating the encryption type to DSSE-KMS or SSE-C"),
        (document(""), "require an AWS KMS key Amazon Resource Name"),
        (document(resource.removeprefix("key/")), "require a valid AWS KMS key"),
        (document("alias/aws/s3"), "require a valid AWS KMS key"),
        (document(f"arn:aws:kms:{region}:{account}:alias/aws/s3"), "require a valid AWS KMS key"),
        (document(old, "perhaps"), "The BucketKeyEnabled value isn't valid"),
    ]
    for body, said in cases:
        refused = update(place, bucket, body)
        assert (refused.status, refused.code) == (400, "InvalidRequest"), body
        assert said in refused.message
    refused = update(place, bucket, document(foreign))
    assert (refused.status, refused.code) == (403, "AccessDenied")
    assert "must be owned by the same account as the bucket" in refused.message
    for body in (b"", b"<Other/>", b"<ObjectEncryption>", document(old).replace(b"</SSE-KMS>", b"<X/></SSE-KMS>")):
        assert update(place, bucket, body).code == "MalformedXML"
    assert place.send("PUT", f"/{bucket}/k?encryption", {}, document(old)).code == "InvalidRequest"
    missing = f"arn:aws:kms:{region}:{account}:key/00000000-0000-0000-0000-000000000000"
    assert update(place, bucket, document(missing)).code == "KMS.NotFoundException"
    assert left_on(place, old) == 1


def test_sources_that_aws_does_not_take(place: Place, bucket: str, old: str, new: str) -> None:
    """Two layers and customer keys."""
    rules = {"Rules": [{"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}]}
    place.s3().put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    put(place, bucket, kms(old, scheme=DSSE))
    secret = os.urandom(32)
    customer = {
        f"{SSE}-customer-algorithm": "AES256", f"{SSE}-customer-key": _base64(secret),
        f"{SSE}-customer-key-md5": _base64(hashlib.md5(secret).digest()),
    }  # fmt: skip
    put(place, bucket, customer, "c")
    for key in ("k", "c"):
        refused = update(place, bucket, document(new), f"{key}?encryption")
        assert (refused.status, refused.code) == (400, "InvalidRequest")
        assert "source objects with the encryption type DSSE-KMS or SSE-C" in refused.message
    refused = update(place, bucket, document(new), "c?encryption", headers={FROM: old})
    assert refused.code == "InvalidRequest"
    assert (left_on(place, old), left_on(place, new)) == (1, 0)


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()


def test_versions(place: Place, bucket: str, old: str, new: str) -> None:
    """One version by its id, the null one, the newest one; a delete marker and what is missing are refused."""
    s3 = place.s3()
    put(place, bucket, kms(old), body=b"null")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first, second = (put(place, bucket, kms(old), body=body).headers["x-amz-version-id"] for body in (b"1", b"2"))
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    for number, version in enumerate((first, "null", None)):
        target = "k?encryption" if version is None else f"k?encryption&versionId={version}"
        assert update(place, bucket, document(new), target).status == 200
        assert (left_on(place, old), left_on(place, new)) == (2 - number, 1 + number)
    assert s3.list_object_versions(Bucket=bucket)["Versions"] == listed
    disable(place, old)
    for version, body in ((first, b"1"), (second, b"2"), ("null", b"null")):
        assert get(place, bucket, f"k?versionId={version}").body == body
    marker = s3.delete_object(Bucket=bucket, Key="k")["VersionId"]
    assert update(place, bucket, document(new)).code == "MethodNotAllowed"
    assert update(place, bucket, document(new), f"k?encryption&versionId={marker}").code == "MethodNotAllowed"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=first)
    assert update(place, bucket, document(new), f"k?encryption&versionId={first}").code == "NoSuchVersion"
    assert update(place, bucket, document(new), "k?encryption&versionId=x").code == "InvalidArgument"
    assert update(place, bucket, document(new), "none?encryption").code == "NoSuchKey"
    assert update(place, "no-such-bucket-here", document(new)).code == "NoSuchBucket"


def test_locked_versions_keep_their_key(place: Place, old: str, new: str) -> None:
    """Else a key that is deleted afterwards would end them. Newer material of the same key is no danger to them."""
    s3 = place.s3()
    name = place.bucket("to-lock") + "-locked"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    kept = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": old, "Bucket": name, "Body": b"x"}
    for mode in ("GOVERNANCE", "COMPLIANCE"):
        s3.put_object(Key=mode, ObjectLockMode=mode, ObjectLockRetainUntilDate=until, **kept)
    held = s3.put_object(Key="hold", ObjectLockLegalHoldStatus="ON", **kept)["VersionId"]
    for key in ("GOVERNANCE", "COMPLIANCE", "hold"):
        for headers in ({}, {FROM: old}):
            refused = update(place, name, document(new), f"{key}?encryption", headers=headers)
            assert (refused.status, refused.code) == (403, "AccessDenied")
            assert "protected by S3 Object Lock" in refused.message
        assert update(place, name, document(old), f"{key}?encryption").code == "AccessDenied"
        assert update(place, name, document(old), f"{key}?encryption", headers={FROM: old}).status == 200
    s3.put_object_legal_hold(Bucket=name, Key="hold", VersionId=held, LegalHold={"Status": "OFF"})
    assert update(place, name, document(new), "hold?encryption").status == 200
    assert (left_on(place, old), left_on(place, new)) == (2, 1)


def test_a_lock_that_comes_meanwhile(place: Place, old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit looks at the lock again."""
    s3 = place.s3()
    name = place.bucket("to-lock") + "-locked"
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    put(place, name, kms(old))
    between(monkeypatch, lambda: s3.put_object_legal_hold(Bucket=name, Key="k", LegalHold={"Status": "ON"}))
    refused = update(place, name, document(new))
    assert "protected by S3 Object Lock" in refused.message
    assert left_on(place, old) == 1


def between(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Let something happen once between the use of the keys and the commit."""
    function = "fuin.s3.objects.encryption_update.rewrap"

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        made = await rewrap(*args, **kwargs)
        monkeypatch.setattr(function, rewrap)
        await asyncio.to_thread(act)
        return made

    monkeypatch.setattr(function, wrapped)


def test_an_object_that_is_replaced_meanwhile(
    place: Place, bucket: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is about the object that is there at its commit; with Fuin's header, if it depends on the key."""
    third = place.new_key()
    put(place, bucket, kms(old))
    between(monkeypatch, lambda: put(place, bucket, kms(third), body=b"second"))
    assert update(place, bucket, document(new)).status == 200
    assert (left_on(place, third), left_on(place, new)) == (0, 1)
    assert get(place, bucket).body == b"second"
    put(place, bucket, kms(old))
    between(monkeypatch, lambda: put(place, bucket, kms(third), body=b"third"))
    done = update(place, bucket, document(new), headers={FROM: old})
    assert (done.status, done.code) == (412, "PreconditionFailed")
    assert (left_on(place, third), get(place, bucket).body) == (1, b"third")
    put(place, bucket, kms(old))
    between(monkeypatch, lambda: place.s3().delete_object(Bucket=bucket, Key="k"))
    assert update(place, bucket, document(new)).code == "NoSuchKey"
    put(place, bucket, kms(old))
    between(monkeypatch, lambda: update(place, bucket, document(third)))
    assert update(place, bucket, document(new)).status == 200
    disable(place, old)
    disable(place, third)
    assert get(place, bucket).body == DATA


def test_a_key_that_ends_meanwhile(
    place: Place, bucket: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No object comes under a key whose deletion was scheduled before the commit."""
    put(place, bucket, kms(old))
    between(monkeypatch, lambda: place.kms().schedule_key_deletion(KeyId=new, PendingWindowInDays=7))
    assert update(place, bucket, document(new)).code == "KMS.KMSInvalidStateException"
    assert (left_on(place, old), get(place, bucket).body) == (1, DATA)


def test_a_right_that_is_taken_meanwhile(
    place: Place, bucket: str, old: str, new: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit asks for the rights to the object again."""
    user = place.add_user(allow("s3:*", *RE_ENCRYPT))
    put(place, bucket, kms(old))
    between(monkeypatch, lambda: place.set_policy(user, allow(*RE_ENCRYPT)))
    assert update(place, bucket, document(new), user=user).code == "AccessDenied"
    assert left_on(place, old) == 1


def test_a_read_under_way_goes_on(place: Place, bucket: str, old: str, new: str) -> None:
    """It has its data key; the former key may even be disabled."""
    body = os.urandom(6_000_000)
    put(place, bucket, kms(old), body=body)
    with place.connection() as connection:
        connection.request("GET", f"/{bucket}/k", headers=place.signed("GET", f"/{bucket}/k"))
        answer = connection.getresponse()
        begun = answer.read(100_000)
        assert update(place, bucket, document(new)).status == 200
        disable(place, old)
        assert begun + answer.read() == body
    assert get(place, bucket).body == body


def test_layers_and_bucket_keys_stay_with_the_header(place: Place, bucket: str, old: str, new: str) -> None:
    """Both data keys of two layers; what is under a bucket key remains so, whatever the document says."""
    headers = {"layers": kms(old, scheme=DSSE), "bucket-key": kms(old, bucket_key=True), "plain": kms(old)}
    for key, chosen in headers.items():
        put(place, bucket, chosen, key)
        done = update(place, bucket, document(new, "true"), f"{key}?encryption", headers={FROM: old})
        assert done.status == 200, done.body
        asked = [use[0] for use in uses(place, done)]
        assert asked == RE_ENCRYPT * (2 if key == "layers" else 1)
        read = get(place, bucket, key)
        assert (read.body, read.headers[f"{SSE}-aws-kms-key-id"]) == (DATA, new)
        assert (read.headers[SSE] == DSSE) is (key == "layers")
        assert ("x-amz-server-side-encryption-bucket-key-enabled" in read.headers) is (key == "bucket-key")
    disable(place, old)
    for key in headers:
        assert get(place, bucket, key, headers={"range": "bytes=299990-"}).body == DATA[-10:]
    assert (left_on(place, old), differences(place, bucket)) == (0, [])
    found, counts = prove(place, bucket)
    assert (found, counts.opened) == ([], 3)


def test_to_the_newest_material(place: Place, bucket: str, old: str) -> None:
    """After a rotation the former material is needed by nothing; again and again, and in any scheme."""
    headers = {"layers": kms(old, scheme=DSSE), "bucket-key": kms(old, bucket_key=True), "plain": kms(old)}
    for key, chosen in headers.items():
        put(place, bucket, chosen, key)
    for _ in range(2):
        (before,) = place.run(place.services.store.read(dependents.count_by_material, old))
        assert before is not None
        place.kms().rotate_key_on_demand(KeyId=old)
        for key in headers:
            chosen = {FROM: f"{old} {before.hex()}"}
            assert update(place, bucket, document(old), f"{key}?encryption", headers=chosen).status == 200
            assert update(place, bucket, document(old), f"{key}?encryption", headers=chosen).status == 412
        (after,) = place.run(place.services.store.read(dependents.count_by_material, old))
        assert after != before
        assert [get(place, bucket, key).body == DATA for key in headers] == [True] * 3
        assert differences(place, bucket) == []


def test_header_of_fuin(place: Place, bucket: str, old: str, new: str) -> None:
    """It has to be signed and well-formed, and to name what the object depends on; SSE-S3 is not meant by it."""
    put(place, bucket, kms(old))
    for value, code in (
        ("", "InvalidArgument"), ("x", "InvalidArgument"), (f"{old} 12", "InvalidArgument"),
        (new, "PreconditionFailed"), (f"{old} {'0' * 64}", "PreconditionFailed"),
    ):  # fmt: skip
        assert update(place, bucket, document(new), headers={FROM: value}).code == code
    target, body = f"/{bucket}/k?encryption", document(new)
    headers = place.signed("PUT", target, place.md5(body), body)
    refused = place.raw("PUT", target, headers | {FROM: old}, body)
    assert (refused.code, refused.message) == (
        "AccessDenied", "There were headers present in the request which were not signed",
    )  # fmt: skip
    put(place, bucket, {SSE: "AES256"}, "s3")
    assert update(place, bucket, document(new), "s3?encryption", headers={FROM: old}).code == "InvalidRequest"
    assert (left_on(place, old), left_on(place, new)) == (1, 0)


def test_parts_and_copies(place: Place, bucket: str, old: str, new: str) -> None:
    """An object of parts is one change; copies and ranges of what was re-wrapped are as of anything else."""
    s3 = place.s3()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ServerSideEncryption="aws:kms", SSEKMSKeyId=old)
    given = {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"]}
    big = os.urandom(5 * 1024 * 1024)
    tags = [s3.upload_part(**given, PartNumber=number, Body=big)["ETag"] for number in (1, 2)]
    parts = [{"ETag": tag, "PartNumber": number} for number, tag in enumerate(tags, 1)]
    s3.complete_multipart_upload(**given, MultipartUpload={"Parts": parts})
    before = s3.head_object(Bucket=bucket, Key="k")
    done = s3.update_object_encryption(Bucket=bucket, Key="k", ObjectEncryption={"SSEKMS": {"KMSKeyArn": new}})
    assert done["ResponseMetadata"]["HTTPStatusCode"] == 200
    disable(place, old)
    after = s3.head_object(Bucket=bucket, Key="k")
    assert [after[name] == before[name] for name in ("ETag", "LastModified", "ContentLength")] == [True] * 3
    assert get(place, bucket).body == big + big
    assert get(place, bucket, "k?partNumber=2").body == big
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    assert get(place, bucket, "copy").body == big + big
    assert differences(place, bucket) == []


def test_uploads_under_way_are_not_there_yet(place: Place, bucket: str, old: str, new: str) -> None:
    """They still depend on their key, and so does what becomes of them."""
    s3 = place.s3()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ServerSideEncryption="aws:kms", SSEKMSKeyId=old)
    assert update(place, bucket, document(new)).code == "NoSuchKey"
    given = {"Bucket": bucket, "Key": "k", "UploadId": upload["UploadId"]}
    tag = s3.upload_part(**given, PartNumber=1, Body=b"x")["ETag"]
    s3.complete_multipart_upload(**given, MultipartUpload={"Parts": [{"ETag": tag, "PartNumber": 1}]})
    assert left_on(place, old) == 1
    assert update(place, bucket, document(new)).status == 200


def test_damage_is_found_as_before(place: Place, bucket: str, old: str, new: str) -> None:
    """A flipped byte anywhere in the blob, another object's data key in the row, another header in the blob."""
    there = set(place.blobs())
    put(place, bucket, kms(old))
    (blob,) = set(place.blobs()) - there
    put(place, bucket, kms(old), "other")
    (other,) = set(place.blobs()) - there - {blob}
    for key in ("k", "other"):
        assert update(place, bucket, document(new), f"{key}?encryption").status == 200
    good = blob.read_bytes()
    for at in (0, 40, 100, 300, 700, 2000, len(good) - 1):
        blob.write_bytes(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
        assert get(place, bucket).status == 500, at
    blob.write_bytes(other.read_bytes())
    assert get(place, bucket).status == 500
    (found,) = differences(place, bucket)
    assert (found.column, found.key) == ("encryption", "k")
    assert [each.key for each in prove(place, bucket)[0]] == ["k"]
    blob.write_bytes(good)
    assert (get(place, bucket).body, differences(place, bucket)) == (DATA, [])
    place.run(place.services.store.write(_exchange_rows, bucket))
    assert [get(place, bucket, key).status for key in ("k", "other")] != [200, 200]
    assert DATA not in [get(place, bucket, key).body for key in ("k", "other")]


def _exchange_rows(conn: Connection, bucket: str) -> None:
    """Give each of two objects the encryption of the other one."""
    found = conn.execute(text("SELECT key, encryption FROM objects WHERE bucket = :b"), {"b": bucket})
    rows = {row.key: row.encryption for row in found}
    for key, other in ((b"k", b"other"), (b"other", b"k")):
        given = {"e": rows[other], "b": bucket, "k": key}
        conn.execute(text("UPDATE objects SET encryption = :e WHERE bucket = :b AND key = :k"), given)


def test_anonymous_callers(place: Place, bucket: str, old: str) -> None:
    """KMS has to know who asks, also where a policy lets everybody."""
    put(place, bucket, kms(old))
    body = document(old)
    refused = place.raw("PUT", f"/{bucket}/k?encryption", place.md5(body), body)
    assert refused.code == "AccessDenied"
    place.put_policy(bucket, {"Effect": "Allow", "Principal": "*", "Action": "s3:UpdateObjectEncryption",
                              "Resource": f"arn:aws:s3:::{bucket}/*"})  # fmt: skip
    refused = place.raw("PUT", f"/{bucket}/k?encryption", place.md5(body), body)
    assert (refused.code, "Signature Version 4" in refused.message) == ("InvalidRequest", True)
