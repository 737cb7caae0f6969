"""Buckets: CreateBucket, HeadBucket, ListBuckets, DeleteBucket, GetBucketLocation."""

from __future__ import annotations

import ipaddress
import re
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from fuin import ids
from fuin.access.resources.own import OwnResource
from fuin.access.vocabulary.missing_capabilities import ACLS, DIRECTORY_BUCKETS
from fuin.errors import FuinError
from fuin.gate import lists
from fuin.gate.permit import permit
from fuin.numbers import whole_number
from fuin.s3.buckets import kept_settings
from fuin.s3.payload import documents
from fuin.s3.request import metadata, owner_acls, rights, tags, xml
from fuin.s3.request.call import document, empty
from fuin.s3.request.conditions import iso_date
from fuin.s3.request.faults import S3Fault, invalid_argument, not_implemented
from fuin.store.errors import AlreadyExists
from fuin.store.s3 import buckets as rows
from fuin.store.s3 import uploads
from fuin.store.s3.buckets import Bucket
from fuin.store.s3.versions import ENABLED

if TYPE_CHECKING:
    from collections.abc import Container

    from sqlalchemy import Connection

    from fuin.access.facts import Facts
    from fuin.gate.http import Answer
    from fuin.s3.request.call import S3Call
    from fuin.s3.request.tags import Tags

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_RESERVED_STARTS = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_ENDS = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")
_HOLDS_VERSIONS = "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
_LOCK = b"x-amz-bucket-object-lock-enabled"
_LOCK_ACTIONS = ("s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning")  # that it needs besides
_OLD_EUROPE = "EU"
_NO_CONSTRAINT_REGION = "us-east-1"  # the one region whose buckets have no location constraint


def check_name(name: str) -> None:
    """Raise InvalidBucketName unless the name follows S3's rules for general purpose buckets."""
    if (
        not _NAME.fullmatch(name)
        or any(pair in name for pair in ("..", ".-", "-."))  # its labels are those of a DNS name
        or name.startswith(_RESERVED_STARTS)
        or name.endswith(_RESERVED_ENDS)
        or _looks_like_address(name)
    ):
        raise S3Fault("InvalidBucketName", BucketName=name)


def _looks_like_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True


async def create_bucket(call: S3Call) -> Answer:
    """Create a bucket in the caller's account; a second creation of one's own bucket succeeds, as in us-east-1."""
    wanted, fault = await _configuration(call)
    facts = partial(_add_configuration, call, wanted)
    own = OwnResource(ids.bucket_arn(call.bucket), call.account)
    await call.consult(permit, call.row.action, own, facts)
    if fault is not None:
        raise fault
    if wanted.tags:
        await call.consult(permit, "s3:TagResource", own, facts)
    locked = (call.header(_LOCK) or "").strip().lower() == "true"
    for action in _LOCK_ACTIONS if locked else ():
        await call.consult(permit, action, own, facts)
    check_name(call.bucket)
    metadata.check_supported(call.request.headers)
    owner_acls.check_headers(call.request.headers, call.account, owner_acls.NEW_BUCKET)
    if (call.header(b"x-amz-object-ownership") or "BucketOwnerEnforced") != "BucketOwnerEnforced":
        raise not_implemented(ACLS, "x-amz-object-ownership")
    region = wanted.region or call.region
    _check_place(call, region)
    settings = kept_settings.new_bucket_settings(wanted.tags, locked=locked)
    versioning = ENABLED if locked else None
    bucket = Bucket(call.bucket, call.account, region, call.now, versioning=versioning, settings=settings)
    try:
        await call.announce("change")
        await call.add(rows.insert_bucket, bucket)
    except AlreadyExists:
        await call.consult(_check_own, region, wanted.tags)
    call.facts["bucketRegion"] = region
    return empty(200, [(b"Location", f"/{call.bucket}".encode())])


class _Configuration(NamedTuple):
    """The location constraint of a bucket that is to be created, if the request names one, and its tags."""

    region: str | None
    tags: Tags


async def _configuration(call: S3Call) -> tuple[_Configuration, Exception | None]:
    """Return the configuration, or the fault of the body, which only an allowed caller hears."""
    if call.caller is None:  # an anonymous request creates no bucket, so its body is not read
        return _Configuration(None, {}), None
    try:
        return _parse_configuration(await documents.read(call)), None
    except (FuinError, xml.MalformedDocument) as fault:
        return _Configuration(None, {}), fault


def _add_configuration(call: S3Call, wanted: _Configuration, facts: Facts) -> None:
    """Add the condition keys of CreateBucket to the facts."""
    rights.condition_facts(call, call.row.action)(facts)
    if wanted.region is not None:
        facts.known["s3:locationconstraint"] = (wanted.region,)
    facts.add({f"aws:RequestTag/{name}": value for name, value in wanted.tags.items()})
    facts.add({"aws:TagKeys": tuple(wanted.tags)})


def _check_place(call: S3Call, region: str) -> None:
    """Refuse to create a bucket in another Region than the signature's, as AWS does everywhere but in us-east-1."""
    if call.region not in {region, _NO_CONSTRAINT_REGION}:
        text = f"The {region} location constraint is incompatible for the region specific endpoint this request was"
        raise S3Fault("IllegalLocationConstraintException", f"{text} sent to.")


def _parse_configuration(raw: bytes) -> _Configuration:
    """Return the request's location constraint, which may be any region's name, and tags."""
    if not raw:
        return _Configuration(None, {})
    root = xml.parse(raw, "CreateBucketConfiguration")
    if root.find_child("Location") is not None or root.find_child("Bucket") is not None:
        raise not_implemented(DIRECTORY_BUCKETS)
    found = root.find_child("Tags")
    given = {} if found is None else tags.parse_set(found, tags.OF_NEW_BUCKETS)
    region = (root.get("LocationConstraint") or "").strip()
    if region == _OLD_EUROPE:
        return _Configuration("eu-west-1", given)
    if region and not _REGION.fullmatch(region):
        raise S3Fault("InvalidLocationConstraint", "The specified location-constraint is not valid",
                      LocationConstraint=region)  # fmt: skip
    return _Configuration(region or None, given)


def _check_own(call: S3Call, region: str, given: Tags) -> None:
    present = call.services.store.catalog().bucket(call.bucket)
    if present is None or present.account != call.account:
        raise S3Fault("BucketAlreadyExists", BucketName=call.bucket)
    if present.region != region or given:  # AWS: with tags, even with the same ones
        raise S3Fault("BucketAlreadyOwnedByYou", BucketName=call.bucket)


async def head_bucket(call: S3Call) -> Answer:
    """Say whether a bucket exists and the caller may list it."""
    bucket = await call.consult(rights.authorize_bucket)
    return empty(200, [(b"x-amz-bucket-region", bucket.region.encode()), (b"x-amz-access-point-alias", b"false")])


async def list_buckets(call: S3Call) -> Answer:
    """List the buckets of the caller's account, in pages if the request asks for that."""
    action, every = call.row.action, ids.bucket_arn("*")  # so AWS's own policies name it, beside "*"
    await call.consult(permit, action, OwnResource(every, call.account), rights.condition_facts(call, action))
    limit, after = _limit(call.query.get("max-buckets")), call.query.get("continuation-token", "")
    prefix, region = call.query.get("prefix", ""), call.query.get("bucket-region")
    entries, last = await lists.page(call, _page, call.account, prefix, after, region, limit)
    content = [xml.tag("Buckets", *entries), owner(call.account)]
    if last is not None:
        content.append(xml.text("ContinuationToken", last))
    if prefix:
        content.append(xml.text("Prefix", prefix))
    return document("ListAllMyBucketsResult", *content)


def _page(
    conn: Connection, account: str, prefix: str, after: str, region: str | None, limit: int
) -> tuple[list[str], str | None]:
    """Return the entries of a page, and the name after which the next page begins, if there is one."""
    found = rows.list_buckets(conn, account, prefix, after, region, limit + 1)
    return [_entry(bucket) for bucket in found[:limit]], found[limit - 1].name if len(found) > limit else None


def _limit(text: str | None) -> int:
    if not text:
        return 10_000
    number = whole_number(text, 1, 10_000)
    if number is None:
        raise invalid_argument("max-buckets", text[:100], "max-buckets must be between 1 and 10000")
    return number


def _entry(bucket: Bucket) -> str:
    return xml.tag(
        "Bucket",
        xml.text("Name", bucket.name),
        xml.text("CreationDate", iso_date(bucket.created)),
        xml.text("BucketRegion", bucket.region),
    )


def owner(account: str) -> str:
    """Return the Owner element; the canonical id of an account is its number here."""
    return xml.tag("Owner", xml.text("ID", account))


async def delete_bucket(call: S3Call) -> Answer:
    """Remove a bucket without objects, and its unfinished multipart uploads, whose names the record has before."""
    bucket = await call.consult(rights.authorize_bucket)
    if bucket.versioning is not None and not await call.services.store.read(rows.is_empty, bucket.name):
        raise S3Fault("BucketNotEmpty", _HOLDS_VERSIONS, BucketName=bucket.name)
    await call.services.store.read(rows.check_empty, bucket.name)
    if named := await call.services.store.read(uploads.list_names, bucket.name):
        call.facts["unfinishedUploads"] = len(named)
        await call.name("uploads", [{"key": key, "uploadId": upload_id} for upload_id, key in named.items()])
    left = await call.change(_delete, bucket, named)
    call.replaced += left
    return empty(204)


def _delete(conn: Connection, bucket: Bucket, named: Container[str]) -> list[str]:
    """Remove the bucket and return the blobs of its unfinished uploads, whose ids are `named` on the record.

    Raises BucketNotEmpty, or OperationAborted if another upload has begun in the meantime; then nothing is removed.
    """
    rows.check_same(conn, bucket)
    left: list[str] = []
    while found := uploads.list_uploads(conn, bucket.name, "", "", "", 1000):
        for upload in found:
            if upload.upload_id not in named:
                raise S3Fault("OperationAborted")
            left += uploads.abort_upload(conn, upload.upload_id, upload.name)
    rows.delete_bucket(conn, bucket.name)
    return left


async def get_bucket_location(call: S3Call) -> Answer:
    """Return the bucket's region, which is an empty constraint for us-east-1."""
    bucket = await call.consult(rights.authorize_bucket)
    return document("LocationConstraint", "" if bucket.region == _NO_CONSTRAINT_REGION else xml.escape(bucket.region))
