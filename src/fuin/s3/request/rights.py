"""Rights to buckets and objects: one question to the gate for each, before anybody learns whether they exist."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import TYPE_CHECKING

from fuin import ids
from fuin.access.resources.bucket import BucketResource
from fuin.access.resources.object import ObjectResource
from fuin.access.resources.own import OwnResource
from fuin.access.vocabulary import s3_keys
from fuin.access.vocabulary.actions import S3_VERSION_ACTIONS
from fuin.errors import AccessDenied
from fuin.s3.request import existing_tags, locks, object_labels, tags
from fuin.s3.request.conditions import iso_date
from fuin.s3.request.faults import S3Fault
from fuin.store.s3.object_lock import UNLOCKED
from fuin.store.s3.object_name import ObjectName

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.access.facts import AddFacts, Facts, Table, Values
    from fuin.s3.request.call import S3Call
    from fuin.s3.request.tags import Tags
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.object_lock import ObjectLock

_HEADERS = s3_keys.headers_by_action()
BYPASS = "s3:BypassGovernanceRetention"
_ACCOUNT = re.compile("[0-9]{12}")
_LISTING_KEYS = ("prefix", "delimiter", "max-keys")
_ON_VERSIONS = frozenset(S3_VERSION_ACTIONS.values())
_EXISTING_TAGS: Table = {"s3:existingobjecttag/": existing_tags.find}
_GIVEN_TAGS: Table = {
    "s3:requestobjecttag/": lambda call: tuple(_given_tags(call).items()),
    "s3:requestobjecttagkeys": lambda call: tuple(_given_tags(call)) or None,
}


def _lock_fact(find: Callable[[S3Call, ObjectLock], str | None]) -> Callable[[S3Call], Values | None]:
    """Return the function of a condition key about the lock that a request gives."""

    def values(call: S3Call) -> Values | None:
        found = find(call, _given_lock(call))
        return None if found is None else (found,)

    return values


def _given_lock(call: S3Call) -> ObjectLock:
    """Return the lock that the request gives; none if it is wrong, which the operation refuses."""
    if call.lock is not None:
        return call.lock
    try:
        return locks.parse_headers(call.request.headers)
    except S3Fault:
        return UNLOCKED


def _remaining_days(call: S3Call, lock: ObjectLock) -> str | None:
    return None if lock.until is None else str(math.ceil((lock.until - call.now) / 86_400))


_GIVEN_HOLD: Table = {"s3:object-lock-legal-hold": _lock_fact(lambda _, lock: lock.hold)}
_GIVEN_RETENTION: Table = {
    "s3:object-lock-mode": _lock_fact(lambda _, lock: lock.mode),
    "s3:object-lock-remaining-retention-days": _lock_fact(_remaining_days),
    "s3:object-lock-retain-until-date": _lock_fact(
        lambda _, lock: None if lock.until is None else iso_date(lock.until)
    ),
}


def condition_facts(call: S3Call, action: str, missing: str | None = None, of: ObjectName | None = None) -> AddFacts:
    """Return the function that adds S3's condition keys to the facts of an action, once a condition asks.

    `missing` is the key of a missing object, if the right to list decides whether the caller hears that it is missing.
    `of` is the object, whether it exists or not, if the action is on one.
    """
    return partial(_add_facts, call, action, missing, of)


def _add_facts(call: S3Call, action: str, missing: str | None, of: ObjectName | None, facts: Facts) -> None:
    known = facts.known
    if owner := facts.get("aws:resourceaccount"):
        known["s3:resourceaccount"] = owner
    if call.request.tls_version:
        known["s3:tlsversion"] = (call.request.tls_version,)
    _add_signature(call, facts)
    for name in _HEADERS.get(action, ()) if call.row.has_condition_headers else ():
        value = call.header(name)
        if value is not None:
            known[f"s3:{name.decode()}"] = (value,)
    if action == "s3:PutObject":  # AWS: false for the steps of a multipart upload before its completion
        known["s3:objectcreationoperation"] = ("true",) if call.row.creates_object else ("false",)
    if of is not None:
        _add_object_facts(call, action, of, facts)
    if missing is not None:  # AWS: the key is the prefix of the list in which the object is not
        known["s3:prefix"] = (missing,)
    elif call.row.lists and action == call.row.action:
        for parameter in _LISTING_KEYS:
            if parameter in call.query:
                known[f"s3:{parameter}"] = (call.query[parameter],)


def _add_object_facts(call: S3Call, action: str, of: ObjectName, facts: Facts) -> None:
    """Add the version that is named, the tags that an object has, and the tags and the lock that it is to get."""
    if of.version is not None and action in _ON_VERSIONS:
        facts.known["s3:versionid"] = (of.version,)
    if action in s3_keys.ON_TAGGED_OBJECTS:
        facts.add_table(_EXISTING_TAGS, call, of)
    if action in s3_keys.GIVING_TAGS:
        facts.add_table(_GIVEN_TAGS, call)
    if action in s3_keys.RETAINING:
        facts.add_table(_GIVEN_RETENTION, call)
    if action in s3_keys.HOLDING:
        facts.add_table(_GIVEN_HOLD, call)
    if call.new_encryption is not None:  # of UpdateObjectEncryption, in place of headers
        facts.known["s3:x-amz-server-side-encryption"] = (call.new_encryption.scheme,)
        facts.known["s3:x-amz-server-side-encryption-aws-kms-key-id"] = (call.new_encryption.key_arn,)


def _given_tags(call: S3Call) -> Tags:
    """Return the tags that the request gives; none if they are wrong, which the operation refuses."""
    if call.tags is not None:
        return call.tags
    try:
        return object_labels.parse_tags(call.request.headers)
    except S3Fault:
        return {}


def _add_signature(call: S3Call, facts: Facts) -> None:
    """Add how and when the request was signed, and its x-amz-content-sha256."""
    known = facts.known
    if call.caller is None:
        declared = call.header(b"x-amz-content-sha256")
        if declared is not None:
            known["s3:x-amz-content-sha256"] = (declared,)
        return
    signed = call.caller.signed
    query_or_form = "REST-QUERY-STRING" if call.form is None else "POST"
    known["s3:authtype"] = (query_or_form,) if signed.presigned else ("REST-HEADER",)
    known["s3:signatureversion"] = ("AWS4-HMAC-SHA256",)
    known["s3:signatureage"] = (str(max(0, int((call.now - signed.timestamp) * 1000))),)  # milliseconds
    known["s3:x-amz-content-sha256"] = (signed.payload_hash,)


def authorize_bucket(call: S3Call) -> Bucket:
    """Return the request's bucket if the caller has the operation's right to it; raises AccessDenied, NoSuchBucket."""
    return _authorize(call, call.row.action, call.bucket, None)


def authorize_own_bucket(call: S3Call) -> Bucket:
    """Return the request's bucket for an operation on its policy; callers of other accounts get a 405.

    So nobody who was let in takes the bucket over. Amazon S3 API Reference, PutBucketPolicy.
    """
    bucket = authorize_bucket(call)
    if call.account != bucket.account:
        raise S3Fault("MethodNotAllowed", Method=call.request.method, ResourceType="BUCKETPOLICY")
    return bucket


def authorize_object(call: S3Call, action: str | None = None) -> Bucket:
    """Return the request's bucket if the caller has the operation's right, or `action`, to the request's object.

    For a version that the request names, it is the action on versions.
    """
    return _authorize(call, action or call.row.action, call.bucket, call.key, call.version)


def authorize_tags(call: S3Call) -> None:
    """Check the right to give the request's object the tags that its headers name, if they name any."""
    if call.header(tags.HEADER):
        authorize_object(call, "s3:PutObjectTagging")


def authorize_lock(call: S3Call) -> None:
    """Check the rights to give the request's object the lock that its headers name, if they name any."""
    headers = call.request.headers
    if headers.get(locks.MODE) or headers.get(locks.UNTIL):
        authorize_object(call, "s3:PutObjectRetention")
    if headers.get(locks.HOLD):
        authorize_object(call, "s3:PutObjectLegalHold")


def authorize_bypass(call: S3Call, bucket: Bucket) -> bool:
    """Return whether the request passes over retention in governance mode, which needs a right to the object."""
    bypass = locks.asks_bypass(call, bucket)
    if bypass:
        authorize_object(call, BYPASS)
    return bypass


def may(call: S3Call, action: str) -> bool:
    """Return whether the caller has a right to the request's object that only decides what an answer shows."""
    decisions = len(call.decisions)
    try:
        authorize_object(call, action)
    except AccessDenied:
        del call.decisions[decisions:]  # nobody has asked for it, so nobody was refused
        return False
    return True


def authorize_other_object(call: S3Call, action: str, name: ObjectName) -> Bucket:
    """Return the bucket of another object than the request's: the source of a copy, or one of many to delete."""
    return _authorize(call, action, *name, owner_header=b"x-amz-source-expected-bucket-owner")


def _authorize(
    call: S3Call,
    action: str,
    name: str,
    key: str | None,
    version: str | None = None,
    owner_header: bytes = b"x-amz-expected-bucket-owner",
) -> Bucket:
    """Return a bucket if the caller has a right to it, or to an object or a version of it."""
    if version is not None:
        action = S3_VERSION_ACTIONS.get(action, action)
    bucket = call.services.store.catalog().bucket(name)
    arn = ids.bucket_arn(name) if key is None else ids.object_arn(name, key)
    facts = condition_facts(call, action, of=None if key is None else ObjectName(name, key, version))
    if bucket is None:
        call.permit(action, OwnResource(arn, call.account), facts)
        raise S3Fault("NoSuchBucket", BucketName=name)
    _permit(call, action, arn, bucket, facts)
    check_owner(call, bucket, owner_header)
    call.remember(partial(_authorize_again, call, action, bucket, arn, facts))
    return bucket


def _authorize_again(call: S3Call, action: str, bucket: Bucket, arn: str, facts: AddFacts) -> None:
    """Check a right to a bucket again; raises NoSuchBucket if it was removed, even if another has its name now."""
    now = call.services.store.catalog().bucket(bucket.name)
    if now is None or (now.account, now.created) != (bucket.account, bucket.created):
        raise S3Fault("NoSuchBucket", BucketName=bucket.name)
    _permit(call, action, arn, now, facts)


def _permit(call: S3Call, action: str, arn: str, bucket: Bucket, facts: AddFacts) -> None:
    """Check a right to a bucket or an object; callers of other accounts do not learn the reason of a refusal.

    AWS: "Troubleshoot access denied (403 Forbidden) errors in Amazon S3". Otherwise they could find out whose bucket it
    is, by policies of their own that deny by the owner.
    """
    kind = BucketResource if arn == ids.bucket_arn(bucket.name) else ObjectResource
    try:
        call.permit(action, kind(arn, bucket.account, bucket.policy, bucket), facts)
    except AccessDenied as error:
        raise (error if call.account == bucket.account else AccessDenied("Access Denied")) from None


def check_owner(call: S3Call, bucket: Bucket, header: bytes = b"x-amz-expected-bucket-owner") -> None:
    """Raise AccessDenied if the request expects another owner, or a 400 if that is not an account's id."""
    expected = call.header(header)
    if expected is None:
        return
    if not _ACCOUNT.fullmatch(expected):
        raise S3Fault("InvalidBucketOwnerAWSAccountID")
    if expected != bucket.account:
        raise S3Fault("AccessDenied")


def missing_object(call: S3Call, bucket: Bucket, name: ObjectName) -> S3Fault:
    """Return NoSuchKey or NoSuchVersion for a caller who may list the bucket; raises AccessDenied for any other."""
    facts = condition_facts(call, "s3:ListBucket", missing=name.key)
    _permit(call, "s3:ListBucket", ids.bucket_arn(bucket.name), bucket, facts)
    if name.version is not None:
        return S3Fault("NoSuchVersion", Key=name.key, VersionId=name.version)
    return S3Fault("NoSuchKey", Key=name.key)
