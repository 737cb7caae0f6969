"""GetBucketAcl, GetObjectAcl, PutBucketAcl, PutObjectAcl: ACLs are off; `owner_acls.py` has the only one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.s3.objects import get
from fuin.s3.payload import documents
from fuin.s3.request import owner_acls, rights, version, xml
from fuin.s3.request.call import document, empty
from fuin.s3.request.faults import S3Fault

if TYPE_CHECKING:
    from fuin.gate.http import Answer
    from fuin.s3.request.call import S3Call

_ROOT = "AccessControlPolicy"


async def get_bucket_acl(call: S3Call) -> Answer:
    """Return the bucket's ACL: full control for its owner."""
    return document(_ROOT, *owner_acls.content((await call.consult(rights.authorize_bucket)).account))


async def get_object_acl(call: S3Call) -> Answer:
    """Return the object's ACL: full control for the bucket's owner."""
    bucket = await call.consult(rights.authorize_object)
    version.check_request(call)
    found = await call.consult(get.find_head, bucket, call.object_name)
    headers = version.answer_headers(bucket, found.name.version)
    return document(_ROOT, *owner_acls.content(bucket.account), headers=headers)


async def put_bucket_acl(call: S3Call) -> Answer:
    """Accept an ACL that gives full control to the owner, and nothing to anybody else."""
    await call.consult(rights.authorize_bucket)
    raw = await documents.read(call)
    bucket = await call.consult(rights.authorize_bucket)  # again: the client may have sent the body slowly
    _check_put(call, raw, bucket.account)
    return empty(200)


async def put_object_acl(call: S3Call) -> Answer:
    """Accept an ACL that gives full control to the bucket's owner, and nothing to anybody else."""
    await call.consult(rights.authorize_object)
    version.check_request(call)
    raw = await documents.read(call)
    bucket = await call.consult(rights.authorize_object)
    found = await call.consult(get.find_unless_marker, bucket)
    _check_put(call, raw, bucket.account)
    return empty(200, version.answer_headers(bucket, found.name.version))


def _check_put(call: S3Call, raw: bytes, owner: str) -> None:
    in_headers = owner_acls.check_headers(call.request.headers, owner)
    if raw and in_headers:
        raise S3Fault("UnexpectedContent")
    if raw:
        owner_acls.check_document(xml.parse(raw, _ROOT), owner)
    elif not in_headers:
        raise S3Fault("MissingSecurityHeader")
