"""The tables of S3: buckets, objects, and uploads under way."""

from typing import Any

import sqlalchemy as sa

from fuin.store.engine.schema.columns import BYTES, LONG, TEXT, TIME, column, table

buckets = table(
    "buckets",
    sa.Column("name", TEXT, primary_key=True),
    column("account", TEXT, sa.ForeignKey("accounts.account")),
    column("region", TEXT),
    column("created", TIME),
    column("encryption", TEXT, null=True),
    column("policy", TEXT, null=True),
    sa.Index("buckets_by_account", "account", "name"),
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
    sa.Column("id", sa.Integer, primary_key=True),
    column("bucket", TEXT, sa.ForeignKey("buckets.name")),
    column("key", BYTES),
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
    sa.UniqueConstraint("bucket", "key", name="objects_by_key"),
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
    sa.Column("object", sa.Integer, sa.ForeignKey("objects.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    *_part_columns(),
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
    sa.Index("uploads_by_key", "bucket", "key", "upload_id"),
)

upload_parts = table(
    "upload_parts",
    sa.Column("upload_id", TEXT, sa.ForeignKey("uploads.upload_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    *_part_columns(),
    sa.UniqueConstraint("blob", name="upload_parts_by_blob"),
)
