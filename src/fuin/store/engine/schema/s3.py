"""The tables of S3: buckets, objects, and uploads under way."""

from typing import Any

import sqlalchemy as sa

from fuin.store.engine.schema.columns import BYTES, FLAG, LONG, TEXT, TIME, column, partial_index, table


def key_use_columns() -> tuple[sa.Column[Any], ...]:
    """Return the columns that say which encryption and which KMS key a row depends on: see `store/s3/key_use.py`."""
    return column("scheme", TEXT, null=True), column("kms_key_arn", TEXT, null=True)


buckets = table(
    "buckets",
    sa.Column("name", TEXT, primary_key=True),
    column("account", TEXT, sa.ForeignKey("accounts.account")),
    column("region", TEXT),
    column("created", TIME),
    column("encryption", TEXT, null=True),
    column("policy", TEXT, null=True),
    column("versioning", TEXT, null=True),  # Enabled or Suspended; NULL: never enabled
    *key_use_columns(),  # of the default encryption
    sa.Index("buckets_by_account", "account", "name"),
    partial_index("buckets_by_kms_key", "kms_key_arn", "name", where="kms_key_arn IS NOT NULL"),
)

# What else is set on a bucket, each under the name of its sub-resource; what is not set has no row.
bucket_settings = table(
    "bucket_settings",
    sa.Column("bucket", TEXT, sa.ForeignKey("buckets.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", TEXT, primary_key=True),
    column("document", TEXT),
)

objects = table(
    "objects",
    sa.Column("id", LONG, primary_key=True),
    column("bucket", TEXT, sa.ForeignKey("buckets.name")),
    column("key", BYTES),
    column("version_id", TEXT),  # null, as AWS names it, for a version without an id
    # Ascending, the newest version of a key is first; 0 for those from before versions: `store/s3/version_id.py`.
    column("version_order", LONG),
    column("is_current", FLAG),  # 1 for the newest version, one of each name; a request without a version means it
    column("is_delete_marker", FLAG),  # 1 for a version that says that the object was deleted, and has no bytes
    column("etag", TEXT),
    column("size", LONG),
    column("modified", TIME),
    column("headers", TEXT),
    column("metadata", TEXT),
    column("encryption", TEXT),
    column("checksum", TEXT, null=True),
    column("upload_id", TEXT, null=True),  # of the multipart upload it was made by
    column("part_count", sa.Integer()),
    column("storage_class", TEXT, null=True),  # NULL: STANDARD
    column("tags", TEXT, null=True),  # NULL: none
    column("object_lock", TEXT, null=True),  # JSON; NULL: neither retention nor legal hold
    *key_use_columns(),
    column("kms_material_id", BYTES, null=True),
    column("noncurrent_since", TIME, null=True),  # when a newer version came on top; NULL for the newest version
    sa.UniqueConstraint("bucket", "key", "version_order", name="objects_by_version"),
    # One null version of each name, which is found at once among a million others.
    partial_index(
        "objects_of_suspended", "bucket", "key", unique=True, where="version_id = 'null' AND version_order <> 0"
    ),
    partial_index("objects_by_key", "bucket", "key", unique=True, where="is_current = 1"),
    # The number and the bytes of all that depends on a key or key material come from the index alone.
    partial_index(
        "objects_by_kms_key",
        "kms_key_arn",
        "kms_material_id",
        "id",
        "size",
        "is_current",
        where="kms_key_arn IS NOT NULL",
    ),
    rowid=True,
)


def _part_columns() -> tuple[sa.Column[Any], ...]:
    return (
        column("blob", TEXT),
        column("size", LONG),
        column("stored_size", LONG),
        column("etag", TEXT),
        column("checksum", TEXT, null=True),
        column("message_id", BYTES),
        column("modified", TIME),
    )


object_parts = table(
    "object_parts",
    sa.Column("object", LONG, sa.ForeignKey("objects.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    *_part_columns(),
    column("content", BYTES, null=True),  # the stored message of a small object; NULL: it is in the store of blobs
    sa.UniqueConstraint("blob", name="object_parts_by_blob"),
)

uploads = table(
    "uploads",
    sa.Column("upload_id", TEXT, primary_key=True),
    column("bucket", TEXT, sa.ForeignKey("buckets.name")),
    column("key", BYTES),
    column("created", TIME),
    column("initiator", TEXT),
    column("data_key", BYTES),
    column("encryption", TEXT),
    column("metadata", TEXT),
    column("headers", TEXT),
    column("checksum_algorithm", TEXT, null=True),
    column("checksum_type", TEXT, null=True),
    column("storage_class", TEXT, null=True),  # of the object to be; NULL: STANDARD
    column("tags", TEXT, null=True),  # of the object to be; NULL: none
    column("object_lock", TEXT, null=True),  # of the object to be, as the request gave it; NULL: none
    *key_use_columns(),
    column("kms_material_id", BYTES, null=True),
    sa.Index("uploads_by_key", "bucket", "key", "upload_id"),
    partial_index("uploads_by_kms_key", "kms_key_arn", "upload_id", where="kms_key_arn IS NOT NULL"),
)

upload_parts = table(
    "upload_parts",
    sa.Column("upload_id", TEXT, sa.ForeignKey("uploads.upload_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    *_part_columns(),
    sa.UniqueConstraint("blob", name="upload_parts_by_blob"),
)

# Blobs that somebody writes, where several nodes share their store: see `store/s3/upload_intents.py`.
blob_intents = table(
    "blob_intents",
    sa.Column("blob", TEXT, primary_key=True),
    column("node", TEXT),
    column("begun", TIME),
    sa.Index("blob_intents_by_time", "begun"),
    stays=True,
)
