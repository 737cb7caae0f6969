"""The guard of keys that something depends on: what would end them is refused, what can be taken back is noted."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from fuin.kms.dependents import ALLOWING_TAG
from fuin.kms.material import imports as operations
from tests.kms.asking import NewKey, arn_of, refusal
from tests.kms.importing import EXISTING, NEW, bring, fresh, soon
from tests.kms.rotating import material_of, materials_of, newest
from tests.security.test_held_bodies import finish, held
from tests.support.place import Place

ALLOWED = [{"TagKey": ALLOWING_TAG, "TagValue": "true"}]
BODY = b"content" * 100
KMS = {"ServerSideEncryption": "aws:kms"}

Guards = Callable[..., None]


@pytest.fixture
def guards(place: Place) -> Iterator[Guards]:
    """Give a function that sets the server's guards until the test ends."""
    before = place.services.settings

    def change(**settings: str) -> None:
        place.services.settings = replace(before, **settings)  # type: ignore[arg-type]

    yield change
    place.services.settings = before


@pytest.fixture
def needed(place: Place, new_key: NewKey) -> str:
    """Give a key with an object."""
    key_id = new_key()
    put(place, key_id)
    return key_id


def put(place: Place, key_id: str, bucket: str = "") -> str:
    """Put an object under a key; return its bucket."""
    name = bucket or place.bucket("guarded")
    place.s3().put_object(Bucket=name, Key="k", Body=BODY, SSEKMSKeyId=key_id, **KMS)
    return name


def state(kms: Any, key_id: str) -> str:
    """Return a key's state."""
    found: str = kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"]
    return found


def numbers(*, objects: int = 0, uploads: int = 0, buckets: int = 0, size: int = 0) -> dict[str, int]:
    """Return the fact of a record."""
    return {"objects": objects, "versions": 0, "uploads": uploads, "buckets": buckets, "bytes": size}


def test_deletion_of_a_key_that_is_needed_is_refused(place: Place, kms: Any, new_key: NewKey) -> None:
    """The answer says how much depends on the key and how to go on; nothing has changed."""
    key_id, s3 = new_key(), place.s3()
    bucket = put(place, key_id)
    put(place, key_id)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u", SSEKMSKeyId=key_id, **KMS)["UploadId"]
    s3.upload_part(Bucket=bucket, Key="u", UploadId=upload, PartNumber=1, Body=BODY)
    kms.create_alias(AliasName=f"alias/{key_id}", TargetKeyId=key_id)
    for name in (key_id, f"alias/{key_id}"):
        set_default(place, place.bucket("guarded"), name)
    code, message = refusal(kms.schedule_key_deletion, KeyId=key_id)
    assert code == "ConflictException"
    assert message.startswith(
        f"{arn_of(key_id)} is still needed, and what it encrypts is lost without it; objects: 2, older versions of "
        "objects: 0, uploads under way: 1, in all 2100 bytes; buckets with it as their default: 2. "
    )
    assert f"fuin key dependents {arn_of(key_id)} --list" in message
    assert f"{ALLOWING_TAG} with the value true" in message
    assert state(kms, key_id) == "Enabled"
    [draft] = newest(place, 2)[:1]
    assert (draft["operation"], draft["error"]) == ("kms:ScheduleKeyDeletion", "ConflictException")
    assert draft["facts"]["dependents"] == numbers(objects=2, uploads=1, buckets=2, size=2100)


def set_default(place: Place, bucket: str, key: str | None) -> None:
    """Set a bucket's default encryption, or remove it."""
    if key is None:
        place.s3().delete_bucket_encryption(Bucket=bucket)
        return
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    place.s3().put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)


def test_each_kind_of_dependent_keeps_a_key(place: Place, kms: Any, new_key: NewKey) -> None:
    """An upload alone, a default alone; when both have gone, the key may end as everywhere."""
    key_id, bucket, s3 = new_key(), place.bucket("guarded"), place.s3()
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u", SSEKMSKeyId=key_id, **KMS)["UploadId"]
    assert refusal(kms.schedule_key_deletion, KeyId=key_id)[0] == "ConflictException"
    s3.abort_multipart_upload(Bucket=bucket, Key="u", UploadId=upload)
    set_default(place, bucket, arn_of(key_id))
    assert refusal(kms.schedule_key_deletion, KeyId=key_id)[0] == "ConflictException"
    set_default(place, bucket, None)
    assert kms.schedule_key_deletion(KeyId=key_id)["KeyState"] == "PendingDeletion"
    assert "dependents" not in place.last_record().draft["facts"]


def test_volume_keeps_a_key(place: Place, kms: Any, new_key: NewKey) -> None:
    """A volume alone does; the answer and the record say how many there are."""
    key_id, ec2 = new_key(), place.client("ec2")
    made = ec2.create_volume(AvailabilityZone="us-east-1a", Size=3, Encrypted=True, KmsKeyId=key_id)["VolumeId"]
    code, message = refusal(kms.schedule_key_deletion, KeyId=key_id)
    assert code == "ConflictException"
    assert "buckets with it as their default: 0; volumes: 1, snapshots of volumes: 0. " in message
    assert place.last_record().draft["facts"]["dependents"] == {**numbers(), "volumes": 1, "snapshots": 0}
    ec2.delete_volume(VolumeId=made)
    assert kms.schedule_key_deletion(KeyId=key_id)["KeyState"] == "PendingDeletion"


def test_a_tag_allows_the_deletion(place: Place, kms: Any, needed: str, caplog: pytest.LogCaptureFixture) -> None:
    """With another value it does not; with `true` the key ends, and record and log say what depended on it."""
    kms.tag_resource(KeyId=needed, Tags=[{"TagKey": ALLOWING_TAG, "TagValue": "yes"}])
    assert refusal(kms.schedule_key_deletion, KeyId=needed)[0] == "ConflictException"
    kms.tag_resource(KeyId=needed, Tags=ALLOWED)
    assert kms.schedule_key_deletion(KeyId=needed)["KeyState"] == "PendingDeletion"
    assert place.last_record().draft["facts"]["dependents"] == numbers(objects=1, size=len(BODY))
    assert f"ScheduleKeyDeletion of {arn_of(needed)}" in caplog.text


def test_a_key_that_ends_already_says_so(kms: Any, needed: str) -> None:
    """The state comes before the dependents, as programs expect that ask twice."""
    kms.tag_resource(KeyId=needed, Tags=ALLOWED)
    kms.schedule_key_deletion(KeyId=needed)
    assert refusal(kms.schedule_key_deletion, KeyId=needed) == (
        "KMSInvalidStateException", f"{arn_of(needed)} is pending deletion.",
    )  # fmt: skip


@pytest.mark.parametrize(("guard", "is_noted"), [("warn", True), ("off", False)])
def test_the_guard_of_deletion_is_a_setting(
    place: Place, kms: Any, needed: str, guards: Guards, guard: str, is_noted: bool
) -> None:
    """A server may warn only, or do as AWS does."""
    guards(deletion_guard=guard)
    assert kms.schedule_key_deletion(KeyId=needed)["KeyState"] == "PendingDeletion"
    assert ("dependents" in place.last_record().draft["facts"]) == is_noted


def test_disabling_goes_through_and_is_noted(
    place: Place, kms: Any, needed: str, guards: Guards, caplog: pytest.LogCaptureFixture
) -> None:
    """The record and the log say what cannot be opened for now, unless a setting says otherwise."""
    kms.disable_key(KeyId=needed)
    assert state(kms, needed) == "Disabled"
    [draft] = newest(place, 2)[:1]
    assert draft["facts"]["dependents"] == numbers(objects=1, size=len(BODY))
    assert f"DisableKey of {arn_of(needed)}" in caplog.text
    guards(disabling_guard="off")
    kms.enable_key(KeyId=needed)
    kms.disable_key(KeyId=needed)
    assert "dependents" not in place.last_record().draft["facts"]


def test_a_count_that_fails_undoes_nothing(
    place: Place, kms: Any, needed: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The key is disabled before anything is counted: what must end at once does."""
    monkeypatch.setattr("fuin.store.engine.lists.WAITING_AT_MOST", 0)
    kms.disable_key(KeyId=needed)
    monkeypatch.undo()
    assert state(kms, needed) == "Disabled"
    assert "could not be counted" in caplog.text


def imported(place: Place, kms: Any, new_key: NewKey) -> tuple[str, bytes]:
    """Return a key with imported material, an object under it, and the material."""
    key_id, material = new_key(Origin="EXTERNAL"), fresh()
    bring(kms, key_id, material)
    put(place, key_id)
    return key_id, material


def test_imported_material_is_guarded(place: Place, kms: Any, new_key: NewKey) -> None:
    """It goes only from a key that nothing depends on, or one with the tag; what is gone can be deleted again."""
    key_id, material = imported(place, kms, new_key)
    code, message = refusal(kms.delete_imported_key_material, KeyId=key_id)
    assert (code, "objects: 1," in message) == ("ConflictException", True)
    assert state(kms, key_id) == "Enabled"
    kms.tag_resource(KeyId=key_id, Tags=ALLOWED)
    kms.delete_imported_key_material(KeyId=key_id)
    assert place.last_record().draft["facts"]["dependents"] == numbers(objects=1, size=len(BODY))
    assert state(kms, key_id) == "PendingImport"
    kms.untag_resource(KeyId=key_id, TagKeys=[ALLOWING_TAG])
    kms.delete_imported_key_material(KeyId=key_id)
    bring(kms, key_id, material)
    assert refusal(kms.delete_imported_key_material, KeyId=key_id)[0] == "ConflictException"


def test_each_material_in_use_is_guarded(place: Place, kms: Any, new_key: NewKey) -> None:
    """One that only waits for its rotation goes; one from before it keeps the whole key, so it does not."""
    key_id, _ = imported(place, kms, new_key)
    first, waiting = material_of(kms, key_id), fresh()
    bring(kms, key_id, waiting, **NEW)
    [pending] = [one["KeyMaterialId"] for one in materials_of(kms, key_id) if one["KeyMaterialId"] != first]
    kms.delete_imported_key_material(KeyId=key_id, KeyMaterialId=pending)
    bring(kms, key_id, waiting, **NEW)
    kms.rotate_key_on_demand(KeyId=key_id)
    assert material_of(kms, key_id) == pending
    for material in (first, pending):
        code = refusal(kms.delete_imported_key_material, KeyId=key_id, KeyMaterialId=material)[0]
        assert code == "ConflictException"


@pytest.mark.usefixtures("nothing_due")
def test_expiry_is_noted(place: Place, kms: Any, new_key: NewKey, caplog: pytest.LogCaptureFixture) -> None:
    """Material ends on its date, which its owner has set; record and log say what depended on it."""
    key_id, material = imported(place, kms, new_key)
    bring(kms, key_id, material, **EXISTING, **soon())
    place.sql("UPDATE materials SET valid_to = :past WHERE key_id = :id", past=time.time(), id=key_id)
    assert place.run(operations.expire_due(place.services, time.time())) == [arn_of(key_id)]
    for draft in newest(place, 2):
        assert draft["facts"]["dependents"] == numbers(objects=1, size=len(BODY))
    assert f"DeleteExpiredKeyMaterial of {arn_of(key_id)}" in caplog.text


def test_each_region_has_its_own_dependents(place: Place, kms: Any, ireland: Any, pair: str) -> None:
    """A replica that nothing depends on goes, though an object depends on the primary key."""
    put(place, pair)
    assert ireland.schedule_key_deletion(KeyId=pair)["KeyState"] == "PendingDeletion"
    assert refusal(kms.schedule_key_deletion, KeyId=pair)[0] == "ConflictException"


def _put_slowly(place: Place, key_id: str, change: Callable[[], object]) -> bytes:
    """Return the answer to a PUT that waits for its body while `change` is made."""
    headers = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key_id}
    target = f"/{place.bucket('guarded')}/late"
    with held(place, target, place.signed("PUT", target, headers, BODY), BODY) as connection:
        change()
        return finish(connection, BODY)


def test_no_object_slips_in_behind_the_guard(place: Place, kms: Any, new_key: NewKey) -> None:
    """An object that has its data key before the deletion is scheduled, and its bytes after it, is refused."""
    key_id = new_key()
    assert b" 400 " in _put_slowly(place, key_id, lambda: kms.schedule_key_deletion(KeyId=key_id))
    kms.cancel_key_deletion(KeyId=key_id)
    kms.schedule_key_deletion(KeyId=key_id)  # nothing depends on it


def test_no_object_slips_in_behind_the_end_of_material(place: Place, kms: Any, new_key: NewKey) -> None:
    """The same when imported material is deleted meanwhile."""
    key_id = new_key(Origin="EXTERNAL")
    bring(kms, key_id, fresh())
    assert b" 400 " in _put_slowly(place, key_id, lambda: kms.delete_imported_key_material(KeyId=key_id))


def test_an_object_under_a_disabled_key_ends_as_on_aws(place: Place, kms: Any, new_key: NewKey) -> None:
    """Its data key was given before, and the key can be enabled again: nothing is lost."""
    key_id = new_key()
    assert b" 200 " in _put_slowly(place, key_id, lambda: kms.disable_key(KeyId=key_id))
