"""UpdateObjectEncryption: another KMS key, or other key material, for an object whose bytes stay where they are.

Source: Amazon S3 API Reference, "UpdateObjectEncryption", with its texts. ETag, checksums, dates, tags and the version
stay.

`fuin rewrap` sends the same request with a header of Fuin's own, x-fuin-rewrap-from: the ARN of the KMS key on which
the object depends, and the id of a key material of it if only that one counts. Then the scheme stays: what is under
DSSE-KMS or an S3 Bucket Key remains so. If the object depends on another key at the commit, nothing changes (412).
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fuin import crash
from fuin.clock import CLOCK
from fuin.errors import FuinError
from fuin.kms import on_behalf
from fuin.s3.objects import get, index
from fuin.s3.payload import documents
from fuin.s3.request import existing_tags, rights, version, xml
from fuin.s3.request.call import NewEncryption, empty
from fuin.s3.request.faults import S3Fault, invalid_argument
from fuin.s3.sealing import schemes
from fuin.s3.sealing.rewrap import rewrap
from fuin.store.errors import ObjectLocked, ObjectReplaced
from fuin.store.s3 import buckets, key_use, object_lock, rewraps

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.http import Answer
    from fuin.s3.request.call import S3Call
    from fuin.s3.request.existing_tags import SeenTags
    from fuin.s3.sealing.scheme import StoredEncryption
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.object_name import ObjectName
    from fuin.store.s3.objects import Object

HEADER = b"x-fuin-rewrap-from"
_ATTEMPTS = 5  # to change an object that is being replaced all the time
_KEY_ARN = re.compile(r"arn:aws[-a-z0-9]*:kms:[-a-z0-9]*:([0-9]{12}):key/.+")
_FROM = re.compile(r"(arn:[^ ]+)(?: ([0-9a-f]{64}))?")

_SOURCE = (
    "The UpdateObjectEncryption operation doesn't support source objects with the encryption type DSSE-KMS or SSE-C. "
    "Only source objects encrypted with SSE-S3 or SSE-KMS are supported."
)
_TARGET = (
    "The UpdateObjectEncryption operation doesn't support updating the encryption type to DSSE-KMS or SSE-C. Modify "
    "the request to specify SSE-KMS for the updated encryption type, and then try again."
)
_TYPE = (
    "Requests that modify an object encryption configuration require a valid new encryption type. Valid values are "
    "SSEKMS. Modify the request to specify SSE-KMS for the updated encryption type, and then try again."
)
_NO_ARN = (
    "Requests that modify an object's encryption type to SSE-KMS require an AWS KMS key Amazon Resource Name (ARN). "
    "Modify the request to specify a KMS key ARN, and then try again."
)
_BAD_ARN = (
    "Requests that modify an object's encryption type to SSE-KMS require a valid AWS KMS key Amazon Resource Name "
    "(ARN). Confirm that you have a correctly formatted KMS key ARN in your request, and then try again."
)
_FLAG = (
    "The BucketKeyEnabled value isn't valid. Valid values are true or false. Modify the request to specify a valid "
    "value, and then try again."
)
_NEEDS_V4 = (
    "Requests that modify an object encryption configuration require AWS Signature Version 4. Modify the request to "
    "use AWS Signature Version 4, and then try again."
)
_ACCOUNT = (
    "The AWS KMS key in the request must be owned by the same account as the bucket. Modify the request to specify a "
    "KMS key from the same account, and then try again."
)
_LOCKED = (
    "The encryption type for the specified object can't be updated because that object is protected by S3 Object Lock. "
    "If the object has a governance-mode retention period or a legal hold, you must first remove the Object Lock "
    "status on the object before you issue your UpdateObjectEncryption request. You can't use the "
    "UpdateObjectEncryption operation with objects that have an Object Lock compliance mode retention period applied "
    "to them."
)
_UNSIGNED = "There were headers present in the request which were not signed"
_NOT_UNDER_KMS = "x-fuin-rewrap-from is for objects under SSE-KMS and DSSE-KMS."


class RewrapSource(NamedTuple):
    """The KMS key on which an object has to depend, and the key material, if only that one counts."""

    key_arn: str
    material_id: bytes | None


async def update_object_encryption(call: S3Call) -> Answer:
    """Encrypt the object's data key under the KMS key of the document; no byte of the object is moved."""
    if call.caller is None:  # before anybody's body is read
        await call.consult(_authorize)
        raise S3Fault("InvalidRequest", _NEEDS_V4)
    fault = await _read(call)  # before the decision, since a condition may ask for it
    bucket = await call.consult(_authorize)
    if fault is not None:
        raise fault
    source = _parse_source(call)
    for _ in range(_ATTEMPTS):
        obj: Object = await call.consult(get.find_unless_marker, bucket)
        stored = schemes.parse_stored(obj.encryption)
        new = _check(call, bucket, obj, stored, source)
        bucket_key = new.bucket_key if source is None else bool(stored.wrapped)
        made = await rewrap(call, bucket, stored, new.key_arn, bucket_key=bucket_key)
        crash.point("update_object_encryption.after_keys")
        try:
            written = await _commit(call, bucket, obj, stored, made)
        except ObjectReplaced:
            continue
        crash.point("update_object_encryption.after_index")
        index.record_version(call, written)
        call.facts.update(objectBytes=obj.size, parts=obj.part_count, etag=obj.etag)
        return empty(200)
    raise S3Fault("SlowDown")


def _authorize(call: S3Call) -> Bucket:
    bucket = rights.authorize_object(call)
    version.check_request(call)
    return bucket


async def _read(call: S3Call) -> Exception | None:
    """Read the request's document; return its fault, if it has one, which only an allowed caller hears."""
    try:
        call.new_encryption = _parse(xml.parse(await documents.read(call), "ObjectEncryption"))
    except (FuinError, xml.MalformedDocument) as fault:
        return fault
    return None


def _parse(root: xml.Node) -> NewEncryption:
    """Return the key and whether there is to be a bucket key; raises MalformedXML, InvalidRequest."""
    names = [child.name for child in root.children]
    if names != ["SSE-KMS"]:
        raise S3Fault("InvalidRequest", _TARGET if {"DSSE-KMS", schemes.CUSTOMER_KEYS}.intersection(names) else _TYPE)
    (chosen,) = root.children
    chosen.refuse_others("KMSKeyArn", "BucketKeyEnabled")
    arn = (chosen.get("KMSKeyArn") or "").strip()
    if not arn:
        raise S3Fault("InvalidRequest", _NO_ARN)
    if not _KEY_ARN.fullmatch(arn):
        raise S3Fault("InvalidRequest", _BAD_ARN)
    flag = (chosen.get("BucketKeyEnabled") or "false").strip().lower()
    if flag not in ("true", "false"):
        raise S3Fault("InvalidRequest", _FLAG)
    return NewEncryption(schemes.UPDATED.name, arn, flag == "true")


def _parse_source(call: S3Call) -> RewrapSource | None:
    """Return what the object has to depend on, by Fuin's own header, which has to be signed; raises InvalidArgument."""
    value = call.header(HEADER)
    if value is None:
        return None
    if call.signed is None or HEADER not in call.signed.signed_headers:
        raise S3Fault("AccessDenied", _UNSIGNED)
    found = _FROM.fullmatch(value)
    if found is None:
        raise invalid_argument(HEADER.decode(), value[:100], "It is the ARN of a KMS key, and perhaps a key material.")
    return RewrapSource(found[1], bytes.fromhex(found[2]) if found[2] else None)


def _check(
    call: S3Call, bucket: Bucket, obj: Object, stored: StoredEncryption, source: RewrapSource | None
) -> NewEncryption:
    """Return what the request asks for, if this object can have it."""
    new = call.new_encryption
    if new is None:
        raise RuntimeError("the document was not read")
    if source is None and not stored.scheme.takes_update:
        raise S3Fault("InvalidRequest", _SOURCE)
    if source is not None and not stored.scheme.is_under_kms:
        raise S3Fault("InvalidRequest", _NOT_UNDER_KMS)
    if source is not None and not _depends_on(obj, source):
        raise S3Fault("PreconditionFailed", Condition=HEADER.decode())
    stays = _stays_under_key(new, stored, source)
    match = _KEY_ARN.fullmatch(new.key_arn)
    if match is None or (match[1] != bucket.account and not stays):
        raise S3Fault("AccessDenied", _ACCOUNT)
    lock = object_lock.parse_column(obj.labels.object_lock)
    if not stays and lock.forbids_deletion(CLOCK.certain_time(), bypass=False):
        raise S3Fault("AccessDenied", _LOCKED)
    return new


def _depends_on(obj: Object, source: RewrapSource) -> bool:
    use = key_use.object_key_use(obj.encryption)
    return use.key_arn == source.key_arn and source.material_id in (None, use.material_id)


def _stays_under_key(new: NewEncryption, stored: StoredEncryption, source: RewrapSource | None) -> bool:
    """Return whether only the key material becomes another one: a lock, and an owner of the key, say nothing of it."""
    return source is not None and new.key_arn == stored.key


async def _commit(call: S3Call, bucket: Bucket, obj: Object, stored: StoredEncryption, made: StoredEncryption) -> str:
    """Make the change; raises ObjectReplaced, and AccessDenied for an object that was locked meanwhile."""
    if call.record.is_open:  # no use of a KMS key has put the change on the record
        await call.announce("change")
    call.remember(partial(on_behalf.require_lasting_key, call, made.key))
    stays = call.header(HEADER) is not None and made.key == stored.key
    unlocked_at = None if stays else CLOCK.certain_time()
    change = (obj.encryption, made.column(), unlocked_at)
    try:
        written: str = await call.write(_write, bucket, call.object_name, change, call.seen_tags)
    except ObjectLocked:
        raise S3Fault("AccessDenied", _LOCKED) from None
    return written


def _write(
    conn: Connection, bucket: Bucket, name: ObjectName, change: tuple[str, str, float | None], seen: SeenTags
) -> str:
    buckets.check_same(conn, bucket)
    existing_tags.check_same(conn, seen)
    return rewraps.rewrap(conn, name, *change)
