"""GET, PUT and DELETE of a bucket's default encryption and of its policy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin import ids
from fuin.access import public_access
from fuin.access.bucket_policy import Refused, check_bucket_policy
from fuin.access.kinds import PolicyKind
from fuin.access.named_principals import principals_of
from fuin.errors import AccessDenied
from fuin.gate import parameters, policy_warnings
from fuin.gate.http import Answer
from fuin.s3.payload import documents
from fuin.s3.request import rights, xml
from fuin.s3.request.call import document, empty
from fuin.s3.request.faults import S3Fault
from fuin.s3.sealing import schemes
from fuin.s3.sealing.schemes import BucketDefault
from fuin.store.identity import principals
from fuin.store.identity.principals import NoSuchPrincipal
from fuin.store.s3 import buckets as rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.s3.request.call import S3Call
    from fuin.s3.request.xml import Node
    from fuin.store.s3.buckets import Bucket

_NOTHING = "NONE"  # as a blocked encryption type
_ARGUMENT = "ApplyServerSideEncryptionByDefault"
_KEY_WITH_AES = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse"
_BLOCKED = "because public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access."


async def get_bucket_encryption(call: S3Call) -> Answer:
    """Return the default encryption: SSE-S3 for a bucket without a setting."""
    default = schemes.bucket_default(await call.consult(rights.authorize_bucket))
    by_default = [xml.text("SSEAlgorithm", default.algorithm)]
    if default.key is not None:
        by_default.append(xml.text("KMSMasterKeyID", default.key))
    rule = xml.tag(_ARGUMENT, *by_default) + xml.text("BucketKeyEnabled", default.bucket_key)
    kinds = _NOTHING if default.customer_keys else schemes.CUSTOMER_KEYS
    blocked = xml.tag("BlockedEncryptionTypes", xml.text("EncryptionType", kinds))
    return document("ServerSideEncryptionConfiguration", xml.tag("Rule", rule, blocked))


async def put_bucket_encryption(call: S3Call) -> Answer:
    """Set the default encryption; whether the key exists shows when it is used, as in S3."""
    await call.consult(rights.authorize_bucket)
    default = _default(xml.parse(await documents.read(call), "ServerSideEncryptionConfiguration"))
    bucket = await call.consult(rights.authorize_bucket)  # again: the client may have sent the body slowly
    await call.change(_set_encryption, bucket, msgspec.json.encode(default).decode())
    call.facts.update(
        encryption=default.algorithm, defaultKey=default.key, bucketKey=default.bucket_key,
        customerKeys=default.customer_keys,
    )  # fmt: skip
    return empty(200)


async def delete_bucket_encryption(call: S3Call) -> Answer:
    """Go back to SSE-S3."""
    bucket = await call.consult(rights.authorize_bucket)
    await call.change(_set_encryption, bucket, None)
    return empty(204)


def _set_encryption(conn: Connection, bucket: Bucket, encryption: str | None) -> None:
    rows.check_same(conn, bucket)
    rows.set_encryption(conn, bucket.name, encryption)


def _default(root: Node) -> BucketDefault:
    """Return the one rule of the document; raises MalformedXML and InvalidArgument."""
    root.refuse_others("Rule")
    rules = root.find_children("Rule")
    if len(rules) != 1:
        raise S3Fault("MalformedXML")
    rule = rules[0]
    rule.refuse_others(_ARGUMENT, "BucketKeyEnabled", "BlockedEncryptionTypes")
    customer_keys = _allows_customer_keys(rule.find_child("BlockedEncryptionTypes"))
    flag = (rule.get("BucketKeyEnabled") or "false").strip().lower()
    by_default = rule.find_child(_ARGUMENT)
    if flag not in ("true", "false"):
        raise S3Fault("MalformedXML")
    if by_default is None:
        return BucketDefault(schemes.DEFAULT.name, None, flag == "true", customer_keys)
    by_default.refuse_others("SSEAlgorithm", "KMSMasterKeyID")
    algorithm, key = by_default.get("SSEAlgorithm"), by_default.get("KMSMasterKeyID") or None
    if algorithm is None or algorithm not in schemes.NAMED:
        raise S3Fault("MalformedXML")
    if key is not None and not schemes.NAMED[algorithm].takes_default_key(key):
        raise S3Fault("InvalidArgument", _KEY_WITH_AES, ArgumentName=_ARGUMENT)
    return BucketDefault(algorithm, key, flag == "true", customer_keys)


def _allows_customer_keys(node: Node | None) -> bool:
    """Return whether nothing is blocked; a document that does not say so blocks SSE-C, as new buckets do."""
    kinds = set() if node is None else {kind.value.strip() for kind in node.find_children("EncryptionType")}
    if not kinds <= {_NOTHING, schemes.CUSTOMER_KEYS} or len(kinds) > 1:
        raise S3Fault("MalformedXML")
    return kinds == {_NOTHING}


async def get_bucket_policy(call: S3Call) -> Answer:
    """Return the bucket policy, byte for byte."""
    bucket = await call.consult(rights.authorize_own_bucket)
    if bucket.policy is None:
        raise S3Fault("NoSuchBucketPolicy", BucketName=call.bucket)
    return Answer(200, [(b"Content-Type", b"application/json")], bucket.policy.encode())


async def get_bucket_policy_status(call: S3Call) -> Answer:
    """Say whether the bucket policy is public."""
    bucket = await call.consult(rights.authorize_bucket)
    if bucket.policy is None:
        raise S3Fault("NoSuchBucketPolicy", BucketName=call.bucket)
    return document("PolicyStatus", xml.text("IsPublic", public_access.is_public(bucket.policy)))


async def put_bucket_policy(call: S3Call) -> Answer:
    """Set the bucket policy; S3 refuses unknown elements, and elements that do not fit together."""
    await call.consult(rights.authorize_own_bucket)
    try:
        text = (await documents.read(call)).decode()
    except UnicodeDecodeError:
        raise Refused("This policy contains invalid Json") from None
    own = ids.bucket_arn(call.bucket)
    policy = check_bucket_policy(text, own)
    bucket = await call.consult(rights.authorize_own_bucket)  # again: the client may have sent the body slowly
    await call.consult(_check_not_blocked, text)
    await call.consult(_check_principals, tuple(principals_of(policy)))
    policy_warnings.note(call, text, PolicyKind.BUCKET, own)
    call.facts["policy"] = parameters.text(text)
    await call.change(_set_policy, bucket, text)
    return empty(204)


def _check_principals(call: S3Call, names: tuple[str, ...]) -> None:
    """Refuse a policy that names a missing principal; the commit checks that again."""

    def check() -> None:
        try:
            call.services.store.look_up(principals.check, names)
        except NoSuchPrincipal as error:
            raise Refused("Invalid principal in policy", f'"AWS" : "{error.name}"') from None

    check()
    call.remember(check)


def _check_not_blocked(call: S3Call, policy: str) -> None:
    """Refuse a public policy if the bucket blocks them; the commit checks that again."""
    if not public_access.is_public(policy):
        return

    def check() -> None:
        bucket = call.services.store.catalog().bucket(call.bucket)
        kept = None if bucket is None else bucket.setting(public_access.SETTING)
        if public_access.parse_setting(kept).block_public_policy:
            who = f"User: {call.principal.arn} is not authorized to perform: s3:PutBucketPolicy"
            raise AccessDenied(f'{who} on resource: "{ids.bucket_arn(call.bucket)}" {_BLOCKED}')

    check()
    call.remember(check)


async def delete_bucket_policy(call: S3Call) -> Answer:
    """Remove the bucket policy; a bucket without one answers the same."""
    bucket = await call.consult(rights.authorize_own_bucket)
    await call.change(_set_policy, bucket, None)
    return empty(204)


def _set_policy(conn: Connection, bucket: Bucket, policy: str | None) -> None:
    rows.check_same(conn, bucket)
    rows.set_policy(conn, bucket.name, policy)
