"""The target of a question: a key, a bucket or an object, found by its name, and the rights that an action on it needs.

An action on an object under SSE-KMS needs two rights: one on the object, and one on the key, for which the object store
asks as the caller.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fuin import ids
from fuin.access.question import Question
from fuin.access.resources.bucket import BucketResource
from fuin.access.resources.key import KeyResource, condition_keys
from fuin.access.resources.object import ObjectResource
from fuin.access.resources.own import OwnResource
from fuin.access.vocabulary.actions import KEYLESS, KMS, S3_BUCKET, S3_KEYLESS, S3_OBJECT, S3_OPERATIONS
from fuin.access.vocabulary.s3_encryption import key_action
from fuin.advice import holders
from fuin.errors import FuinError
from fuin.store.engine import installation
from fuin.store.kms import aliases, keys
from fuin.store.s3 import buckets, objects
from fuin.store.s3.object_name import ObjectName

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.access.grants import Grant
    from fuin.advice.case import Case
    from fuin.advice.holders import PrincipalInForce
    from fuin.store.kms.keys import Key
    from fuin.store.s3.buckets import Bucket

Values = dict[str, str | tuple[str, ...]]

_S3_ALIAS = "alias/aws/s3"
_ON_BUCKETS = "arn:aws:s3:::"
_LISTS_BUCKETS = "s3:listallmybuckets"
_MAKES = "s3:putobject"  # a new object gets the default encryption of the bucket, whatever the present object has


@dataclass(frozen=True, slots=True)
class Right:
    """One right that a question needs: the action, the resource's ARN, and the facts that are known about the request.

    `facts` are certain. Keys that begin with one of `certain` (in lower case) and are not in `facts` are certainly
    absent.
    """

    action: str
    resource: str
    case: Callable[[PrincipalInForce], Case]
    facts: Values
    certain: tuple[str, ...]
    note: str = ""

    def question(self, holder: PrincipalInForce) -> Question:
        """Return the question for a principal."""
        return Question(holder.principal, self.action, self.resource, dict(self.facts))

    def knows(self, key: str) -> bool:
        """Return whether the facts are certain about a condition key."""
        return key.startswith(self.certain) or any(key == name.lower() for name in self.facts)


# The keys that follow from the principal and the resource alone: they are the same in every request.
_CERTAIN_KEYS = (
    "aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:principalisawsservice", "aws:principalorg",
    "aws:principalservicename", "aws:username", "aws:userid", "aws:principaltag/", "kms:calleraccount",
    "aws:resourceaccount", "aws:resourceorg", "aws:resourcetag/", "kms:keyspec", "kms:keyusage", "kms:keyorigin",
    "kms:customermasterkey", "kms:multiregion", "kms:resourcealiases",
)  # fmt: skip
_CERTAIN_THROUGH_S3 = (
    "kms:viaservice", "kms:encryptioncontext", "kms:encryptionalgorithm", "kms:requestalias", "aws:viaawsservice",
    "aws:calledvia", "kms:grantconstraint", "kms:granteeprincipal", "aws:requestedregion",
)  # fmt: skip


def rights(conn: Connection, action: str, target: str) -> tuple[Right, ...]:
    """Return the rights that an action on a target needs.

    `target` is a key (id, ARN, alias), an object or bucket (s3://bucket/key, ARN), or * for no particular resource.
    Raises FuinError if the target does not exist, or if the action is not possible on such a target.
    """
    known = installation.find_meta(conn)
    if known is None:
        raise FuinError("the server has not finished its first start")
    _check_action(action, target)
    if target == "*":
        named = ids.bucket_arn("*") if action.lower() == _LISTS_BUCKETS else "*"
        return (
            Right(
                action,
                named,
                lambda holder: holder.case(OwnResource(named, holder.principal.account)),
                {},
                _CERTAIN_KEYS,
            ),
        )
    if target.startswith(("s3://", _ON_BUCKETS)):
        return _bucket_rights(conn, action, target.removeprefix("s3://").removeprefix(_ON_BUCKETS))
    return (right_to_key(conn, action, find_key(conn, target, known.account, known.region)),)


def _check_action(action: str, target: str) -> None:
    """Refuse an action that no request can need on the target: it is misspelled, or for another kind of resource."""
    folded = action.lower()
    if folded in S3_OPERATIONS:
        raise FuinError(f"there is no action {action}: that operation needs {S3_OPERATIONS[folded]}")
    is_s3_target = target.startswith(("s3://", _ON_BUCKETS))
    if folded.startswith("kms:") and folded not in KMS:
        raise FuinError(f"there is no action {action}")
    if target != "*" and not folded.startswith("s3:" if is_s3_target else "kms:"):
        if not folded.startswith(("s3:", "kms:")):
            raise FuinError(f"{action} is not an action on keys or buckets: these begin with kms: or s3:")
        if folded.startswith("s3:"):
            raise FuinError(f"{action} is not asked for of {target}: name s3://BUCKET or s3://BUCKET/KEY")
        raise FuinError(f"{action} is not asked for of {target}: name a key, by its id, ARN or alias")
    if target == "*" and folded in (KMS - KEYLESS) | S3_BUCKET | S3_OBJECT:
        raise FuinError(f"{action} is asked for of a key, bucket or object: name one")
    if target != "*" and folded in KEYLESS | S3_KEYLESS:
        raise FuinError(f'{action} is on no particular resource: ask for "*"')


def _write_as_granted(action: str, given: Sequence[Grant]) -> str:
    """Return an action in the case that the grants use: grants compare the case, policies do not."""
    names = {f"kms:{name}" for grant in given for name in grant.operations}
    return next((name for name in names if name.lower() == action.lower()), action)


def right_to_key(conn: Connection, action: str, key: Key) -> Right:
    """Return the right to a key, for a direct request or one through a service."""
    given = holders.all_grants(conn, key)
    facts: Values = {**condition_keys(key, holders.Aliases(conn)), "aws:ResourceAccount": key.account}
    note = "" if key.enabled else f"the key is {key.state}: nobody can use it now"
    resource = KeyResource(key.arn, key.account, key.policy, key)
    return Right(
        _write_as_granted(action, given),
        key.arn,
        lambda holder: holder.case(resource, given),
        facts,
        _CERTAIN_KEYS,
        note,
    )


def find_key(conn: Connection, text: str, account: str, region: str) -> Key:
    """Return the key of an id, ARN, alias or alias ARN; raises FuinError."""
    resource = text
    if text.startswith("arn:"):
        parts = text.split(":", 5)
        if len(parts) != 6 or parts[2] != "kms":
            raise FuinError(f"{text} is not the ARN of a key")
        region, account, resource = parts[3:]
    if resource.startswith("alias/"):
        alias = aliases.find_alias(conn, account, region, resource)
        resource = alias.key_id if alias else resource
    key_id = resource.removeprefix("key/")
    regions = [region] if text.startswith("arn:") else keys.list_regions(conn, key_id)
    chosen = region if region in regions or not regions else regions[0]
    key = keys.find_key(conn, key_id, chosen)
    if key is None or key.manager == keys.SERVICE:
        raise FuinError(f"there is no key {text}")
    return key


def _bucket_rights(conn: Connection, action: str, path: str) -> tuple[Right, ...]:
    """Return the right to a bucket or an object and, if it needs one, the right to the object's key."""
    name, _, key = path.partition("/")
    bucket = buckets.find_bucket(conn, name)
    if bucket is None:
        raise FuinError(f"there is no bucket {name}")
    resource = BucketResource(ids.bucket_arn(name), bucket.account, bucket.policy, bucket)
    if key:
        resource = ObjectResource(ids.object_arn(name, key), bucket.account, bucket.policy, bucket)
    first = Right(action, resource.arn, lambda holder: holder.case(resource), _s3_facts(bucket), _CERTAIN_KEYS)
    second = _object_key_right(conn, action, bucket, key)
    return (first,) if second is None else (first, second)


def _s3_facts(bucket: Bucket) -> Values:
    return {"aws:ResourceAccount": bucket.account, "aws:ViaAWSService": "false"}


def _object_key_right(conn: Connection, action: str, bucket: Bucket, key: str) -> Right | None:
    """Return the right to the key of an object, or None if its encryption needs none."""
    if not key:
        return None
    stored = None if action.lower() == _MAKES else objects.head_object(conn, ObjectName(bucket.name, key))
    settings = json.loads(stored.encryption if stored else bucket.encryption or "{}")
    needed = key_action(settings.get("algorithm"), action)
    if needed is None:
        return None
    found = find_key(conn, settings.get("key") or _S3_ALIAS, bucket.account, bucket.region)
    right = right_to_key(conn, needed, found)
    has_bucket_key = settings.get("wrapped") or settings.get("bucket_key")  # of the object, or of the default
    arn = ids.bucket_arn(bucket.name) if has_bucket_key else ids.object_arn(bucket.name, key)
    pairs = {**settings.get("context", {}), "aws:s3:arn": arn}
    certain = (*right.certain, *_CERTAIN_THROUGH_S3)
    return replace(right, facts={**right.facts, **s3_forwarded_keys(bucket.region, pairs)}, certain=certain)


def s3_forwarded_keys(region: str, pairs: dict[str, str]) -> Values:
    """Return the condition keys of the object store's request to KMS on a caller's behalf."""
    return {
        "kms:ViaService": f"s3.{region}.amazonaws.com", "aws:ViaAWSService": "true", "aws:RequestedRegion": region,
        "aws:CalledVia": ("s3.amazonaws.com",), "aws:CalledViaFirst": "s3.amazonaws.com",
        "aws:CalledViaLast": "s3.amazonaws.com", "kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "kms:EncryptionContextKeys": tuple(pairs),
        **{f"kms:EncryptionContext:{name}": value for name, value in pairs.items()},
    }  # fmt: skip
