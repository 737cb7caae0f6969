"""Buckets: names are unique over the whole server, whatever the account and region."""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from fuin.store.engine import schema
from fuin.store.engine.errors import insert_refusal
from fuin.store.engine.prepared import PreparedSelect
from fuin.store.engine.rows import ALL
from fuin.store.errors import BucketNotEmpty, NoSuchBucket
from fuin.store.s3.key_use import default_key_use

_b = schema.buckets
_NAME = schema.parameter("p_name")
_ALL = select(_b.c.name, _b.c.account, _b.c.region, _b.c.created, _b.c.encryption, _b.c.policy, _b.c.versioning)
_FIND = PreparedSelect(_ALL.where(_b.c.name == _NAME))
_PREFIX, _REGION = schema.parameter("p_prefix"), schema.parameter("p_region", schema.TEXT)
_LIST = (
    _ALL.where(_b.c.account == schema.parameter("p_account"), _b.c.name > schema.parameter("p_after"))
    .where(func.substr(_b.c.name, 1, func.length(_PREFIX)) == _PREFIX, or_(_REGION.is_(None), _b.c.region == _REGION))
    .order_by(_b.c.name)
    .limit(schema.parameter("p_limit", schema.LONG))
)
_PLACE = select(_b.c.account, _b.c.region).where(_b.c.name == _NAME)
_DEFAULT = {
    "encryption": schema.parameter("p_value"), "scheme": schema.parameter("p_scheme"),
    "kms_key_arn": schema.parameter("p_arn"),
}  # fmt: skip
_SET_ENCRYPTION = update(_b).where(_b.c.name == _NAME).values(_DEFAULT)
_SET_POLICY = update(_b).where(_b.c.name == _NAME).values(policy=schema.parameter("p_value", schema.TEXT))
_SET_VERSIONING = update(_b).where(_b.c.name == _NAME).values(versioning=schema.parameter("p_value", schema.TEXT))
_s = schema.bucket_settings
_SETTINGS = select(_s.c.name, _s.c.document).where(_s.c.bucket == _NAME).order_by(_s.c.name)
_SETTING = schema.parameter("p_setting")
_DROP_SETTING = delete(_s).where(_s.c.bucket == _NAME, _s.c.name == _SETTING)
_DELETE = delete(_b).where(_b.c.name == _NAME)
_HOLDS_OBJECT = select(schema.objects.c.id).where(schema.objects.c.bucket == _NAME).limit(1)
_HOLDS_UPLOAD = select(schema.uploads.c.upload_id).where(schema.uploads.c.bucket == _NAME).limit(1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket; `encryption` is JSON {"algorithm", "key", "bucket_key"}, None means SSE-S3, as for a new bucket.

    `versioning` is Enabled or Suspended, None for a bucket in which it was never enabled. `settings` are the other
    settings: pairs of a name and a JSON document. `list_buckets` leaves them out.
    """

    name: str
    account: str
    region: str
    created: float
    encryption: str | None = None
    policy: str | None = None
    versioning: str | None = None
    settings: tuple[tuple[str, str], ...] = ()

    def setting(self, name: str) -> str | None:
        """Return the document of a setting, or None while it is not set."""
        for found, document in self.settings:
            if found == name:
                return document
        return None


def insert_bucket(conn: Connection, bucket: Bucket) -> None:
    """Add a bucket; raises AlreadyExists (also for another account's bucket), or NotFound for an unknown account."""
    use = default_key_use(bucket.encryption, bucket.account, bucket.region)
    row = {
        "name": bucket.name, "account": bucket.account, "region": bucket.region, "created": bucket.created,
        "encryption": bucket.encryption, "policy": bucket.policy, "versioning": bucket.versioning,
        "scheme": use.scheme, "kms_key_arn": use.key_arn,
    }  # fmt: skip
    try:
        conn.execute(_b.insert(), row)
    except IntegrityError as error:
        raise insert_refusal(error, missing=f"account {bucket.account}", taken=bucket.name) from None
    for name, document in bucket.settings:
        set_setting(conn, bucket.name, name, document)


def find_bucket(conn: Connection, name: str) -> Bucket | None:
    """Return a bucket by name, with its settings."""
    row = _FIND.first(conn, {"p_name": name})
    if row is None:
        return None
    settings = conn.execute(_SETTINGS, {"p_name": name})
    return Bucket(**row._asdict(), settings=tuple((found, document) for found, document in settings))


def list_buckets(
    conn: Connection, account: str, prefix: str = "", after: str = "", region: str | None = None, limit: int = ALL
) -> list[Bucket]:
    """Return up to `limit` of an account's buckets by name, greater than `after`, without their settings."""
    given = {"p_account": account, "p_prefix": prefix, "p_after": after, "p_region": region, "p_limit": limit}
    return [Bucket(*row) for row in conn.execute(_LIST, given)]


def check_same(conn: Connection, bucket: Bucket) -> None:
    """Raise NoSuchBucket unless the bucket of that name is still the same bucket.

    Rights are checked before a body is read, and a client may send its body slowly: meanwhile the bucket may be
    deleted, and created again by another account.
    """
    read_versioning(conn, bucket)


def read_versioning(conn: Connection, bucket: Bucket) -> str | None:
    """Return the state of versioning that a write has to follow; raises NoSuchBucket as `check_same` does."""
    found = _FIND.first(conn, {"p_name": bucket.name})
    if found is None or (found.account, found.created) != (bucket.account, bucket.created):
        raise NoSuchBucket(bucket.name)
    versioning: str | None = found.versioning
    return versioning


def set_encryption(conn: Connection, name: str, encryption: str | None) -> None:
    """Set the default encryption, or (None) go back to SSE-S3; raises NoSuchBucket."""
    place = conn.execute(_PLACE, {"p_name": name}).first()
    if place is None:
        raise NoSuchBucket(name)
    use = default_key_use(encryption, place.account, place.region)
    row = {"p_name": name, "p_value": encryption, "p_scheme": use.scheme, "p_arn": use.key_arn}
    conn.execute(_SET_ENCRYPTION, row)


def set_versioning(conn: Connection, name: str, versioning: str) -> None:
    """Set the state of versioning, Enabled or Suspended; raises NoSuchBucket.

    It is a change of rights: no write that has read the state before commits after it.
    """
    if conn.execute(_SET_VERSIONING, {"p_name": name, "p_value": versioning}).rowcount == 0:
        raise NoSuchBucket(name)


def set_policy(conn: Connection, name: str, policy: str | None) -> None:
    """Set or remove the bucket policy; raises NoSuchBucket."""
    if conn.execute(_SET_POLICY, {"p_name": name, "p_value": policy}).rowcount == 0:
        raise NoSuchBucket(name)


def set_setting(conn: Connection, name: str, setting: str, document: str | None) -> None:
    """Set one of a bucket's other settings to a JSON document, or remove it (None); the bucket must exist."""
    conn.execute(_DROP_SETTING, {"p_name": name, "p_setting": setting})
    if document is not None:
        conn.execute(_s.insert(), {"bucket": name, "name": setting, "document": document})


def has_setting(conn: Connection, name: str, setting: str) -> bool:
    """Return whether a bucket has one of its other settings."""
    return any(found == setting for found, _ in conn.execute(_SETTINGS, {"p_name": name}))


def is_empty(conn: Connection, name: str) -> bool:
    """Return whether there are no objects, versions of objects, and delete markers."""
    return conn.execute(_HOLDS_OBJECT, {"p_name": name}).first() is None


def check_empty(conn: Connection, name: str) -> None:
    """Raise BucketNotEmpty unless the bucket is empty."""
    if not is_empty(conn, name):
        raise BucketNotEmpty(name)


def delete_bucket(conn: Connection, name: str) -> None:
    """Remove an empty bucket; raises NoSuchBucket, or BucketNotEmpty while objects or uploads remain."""
    check_empty(conn, name)
    if conn.execute(_HOLDS_UPLOAD, {"p_name": name}).first():
        raise BucketNotEmpty(name)
    if conn.execute(_DELETE, {"p_name": name}).rowcount == 0:
        raise NoSuchBucket(name)
