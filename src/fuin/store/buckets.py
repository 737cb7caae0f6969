"""Buckets: names are unique over the whole server, whatever the account and region."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.exc import IntegrityError

from fuin.store import schema
from fuin.store.errors import AlreadyExists, BucketNotEmpty, NoSuchBucket, NotFound

_b = schema.buckets
_NAME = schema.parameter("p_name")
_ALL = select(_b.c.name, _b.c.account, _b.c.region, _b.c.created, _b.c.encryption, _b.c.policy)
_FIND = _ALL.where(_b.c.name == _NAME)
_LIST = _ALL.where(_b.c.account == schema.parameter("p_account")).order_by(_b.c.name)
_SET_ENCRYPTION = update(_b).where(_b.c.name == _NAME).values(encryption=schema.parameter("p_value", schema.TEXT))
_SET_POLICY = update(_b).where(_b.c.name == _NAME).values(policy=schema.parameter("p_value", schema.TEXT))
_DELETE = delete(_b).where(_b.c.name == _NAME)
_HOLDS_OBJECT = select(schema.objects.c.id).where(schema.objects.c.bucket == _NAME).limit(1)
_HOLDS_UPLOAD = select(schema.uploads.c.upload_id).where(schema.uploads.c.bucket == _NAME).limit(1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket; `encryption` is JSON {"algorithm", "key", "bucket_key"}, None means SSE-S3, as for a new bucket."""

    name: str
    account: str
    region: str
    created: float
    encryption: str | None = None
    policy: str | None = None


def insert_bucket(conn: Connection, bucket: Bucket) -> None:
    """Add a bucket; raises AlreadyExists (whoever owns it), or NotFound for an unknown account."""
    row = {
        "name": bucket.name, "account": bucket.account, "region": bucket.region, "created": bucket.created,
        "encryption": bucket.encryption, "policy": bucket.policy,
    }  # fmt: skip
    try:
        conn.execute(_b.insert(), row)
    except IntegrityError as error:
        if "FOREIGN KEY" in str(error.orig):
            raise NotFound(f"account {bucket.account}") from None
        raise AlreadyExists(bucket.name) from None


def find_bucket(conn: Connection, name: str) -> Bucket | None:
    """Return a bucket by name."""
    row = conn.execute(_FIND, {"p_name": name}).first()
    return None if row is None else Bucket(*row)


def list_buckets(conn: Connection, account: str) -> list[Bucket]:
    """Return an account's buckets by name."""
    return [Bucket(*row) for row in conn.execute(_LIST, {"p_account": account})]


def check_same(conn: Connection, bucket: Bucket) -> None:
    """Raise NoSuchBucket unless the bucket of that name is still the one that was seen.

    Rights are checked before a body is read, and a client takes what time it likes for its body: meanwhile the bucket
    may have been deleted, and made again by another account.
    """
    found = find_bucket(conn, bucket.name)
    if found is None or (found.account, found.created) != (bucket.account, bucket.created):
        raise NoSuchBucket(bucket.name)


def set_encryption(conn: Connection, name: str, encryption: str | None) -> None:
    """Set the default encryption, or go back to the default's default (None); raises NoSuchBucket."""
    if conn.execute(_SET_ENCRYPTION, {"p_name": name, "p_value": encryption}).rowcount == 0:
        raise NoSuchBucket(name)


def set_policy(conn: Connection, name: str, policy: str | None) -> None:
    """Set or remove the bucket policy; raises NoSuchBucket."""
    if conn.execute(_SET_POLICY, {"p_name": name, "p_value": policy}).rowcount == 0:
        raise NoSuchBucket(name)


def delete_bucket(conn: Connection, name: str) -> None:
    """Remove an empty bucket; raises NoSuchBucket, or BucketNotEmpty while objects or uploads remain."""
    if conn.execute(_HOLDS_OBJECT, {"p_name": name}).first() or conn.execute(_HOLDS_UPLOAD, {"p_name": name}).first():
        raise BucketNotEmpty(name)
    if conn.execute(_DELETE, {"p_name": name}).rowcount == 0:
        raise NoSuchBucket(name)
