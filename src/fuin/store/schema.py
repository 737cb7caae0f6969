"""The tables, as SQLAlchemy sees them; `migrations/` makes them, and a test holds the two equal.

Times are seconds since 1970, sizes are bytes. JSON columns are text that the services write and read; the store
does not look into it. Object keys are stored as UTF-8 bytes, so that their order is AWS's (binary UTF-8) in every
database, whatever its collation.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
LONG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
FLAG = sa.Integer()
TEXT = sa.Text()
BYTES = sa.LargeBinary()

metadata = sa.MetaData()


def parameter(name: str, kind: sa.types.TypeEngine[Any] = TEXT, *, many: bool = False) -> sa.BindParameter[Any]:
    """Return a named parameter of a statement; `many` stands for a list, as in IN."""
    return sa.bindparam(name, type_=kind, expanding=many)


def _table(name: str, *items: sa.schema.SchemaItem, rowid: bool = False) -> sa.Table:
    return sa.Table(name, metadata, *items, sqlite_with_rowid=rowid, sqlite_strict=True)


def _column(
    name: str, kind: sa.types.TypeEngine[Any], *items: sa.schema.SchemaItem, null: bool = False
) -> sa.Column[Any]:
    return sa.Column(name, kind, *items, nullable=null)


epoch = _table(
    "epoch",
    sa.Column("id", sa.Integer, primary_key=True),
    _column("value", LONG),
    sa.Column("serial", LONG, server_default=sa.text("0"), nullable=False),
)

meta = _table("meta", sa.Column("name", TEXT, primary_key=True), _column("value", TEXT))

# How much time has passed, whatever the wall clock says: see fuin/clock.py. One row.
clock = _table(
    "clock",
    sa.Column("id", sa.Integer, primary_key=True),
    _column("wall", TIME),
    _column("steady", TIME),
    _column("boot", TEXT),  # names the start of the machine
    _column("uptime", TIME),  # seconds since then, as are boottime's
    _column("boottime", TIME),
    _column("counted", TIME),
    _column("jump_limit", TIME),
    _column("held", TEXT, null=True),  # ahead or behind, while the wall clock has jumped
    _column("since", TIME, null=True),
)

# Beside those of this server there is "aws", whose the managed policies of AWS are.
accounts = _table("accounts", sa.Column("account", TEXT, primary_key=True), _column("created", TIME))

account_aliases = _table(
    "account_aliases",
    sa.Column("account", TEXT, sa.ForeignKey("accounts.account"), primary_key=True),
    _column("alias", TEXT),
    sa.UniqueConstraint("alias", name="account_aliases_by_alias"),
)

# Users, groups, roles, managed policies and instance profiles: what has a path, a name that is one of its kind in the
# account, and an id that no other ever has (AIDA…, AGPA…, AROA…, ANPA…, AIPA…).
identities = _table(
    "identities",
    sa.Column("id", TEXT, primary_key=True),
    _column("account", TEXT, sa.ForeignKey("accounts.account")),
    _column("kind", TEXT),  # user, group, role, policy or instance-profile
    _column("name", TEXT),
    _column("folded", TEXT),  # the name in lower case: AWS takes no two names that differ in case only
    _column("path", TEXT),
    _column("created", TIME),
    _column("boundary", TEXT, sa.ForeignKey("identities.id"), null=True),  # a managed policy
    sa.UniqueConstraint("account", "kind", "name", name="identities_by_name"),
    sa.Index("identities_by_folded_name", "account", "kind", "folded"),
    sa.Index("identities_by_boundary", "boundary", sqlite_where=sa.text("boundary IS NOT NULL")),
)


def _of_identity() -> sa.Column[Any]:
    return sa.Column("id", TEXT, sa.ForeignKey("identities.id", ondelete="CASCADE"), primary_key=True)


identity_tags = _table(
    "identity_tags",
    _of_identity(),
    sa.Column("folded", TEXT, primary_key=True),  # Department and department are one tag
    _column("name", TEXT),
    _column("value", TEXT),
)

roles = _table(
    "roles",
    _of_identity(),
    _column("trust_policy", TEXT),
    _column("description", TEXT, null=True),
    _column("max_session_duration", sa.Integer()),  # seconds
    _column("service", TEXT, null=True),  # of a service-linked role, such as autoscaling.amazonaws.com
)

# Apart from the roles themselves, as the uses of access keys are.
role_uses = _table("role_uses", _of_identity(), _column("used", TIME), _column("region", TEXT))

managed_policies = _table(
    "managed_policies",
    _of_identity(),
    _column("description", TEXT, null=True),
    _column("updated", TIME),
    _column("default_version", sa.Integer()),
    _column("last_version", sa.Integer()),  # numbers are never given twice
)

policy_versions = _table(
    "policy_versions",
    sa.Column("id", TEXT, sa.ForeignKey("managed_policies.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("version", sa.Integer(), primary_key=True),
    _column("document", TEXT),
    _column("created", TIME),
)

inline_policies = _table(
    "inline_policies",
    _of_identity(),
    sa.Column("name", TEXT, primary_key=True),
    _column("document", TEXT),
)

attachments = _table(
    "attachments",
    _of_identity(),
    sa.Column("policy", TEXT, sa.ForeignKey("managed_policies.id"), primary_key=True),
    sa.Index("attachments_of_policy", "policy", "id"),
)

memberships = _table(
    "memberships",
    sa.Column("user_id", TEXT, sa.ForeignKey("identities.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("group_id", TEXT, sa.ForeignKey("identities.id", ondelete="CASCADE"), primary_key=True),
    sa.Index("members_of_group", "group_id", "user_id"),
)

access_keys = _table(
    "access_keys",
    sa.Column("access_key_id", TEXT, primary_key=True),
    _column("account", TEXT, sa.ForeignKey("accounts.account")),
    _column("user_id", TEXT, sa.ForeignKey("identities.id", ondelete="CASCADE"), null=True),  # NULL: the account's root
    _column("active", FLAG),
    _column("sealed_secret", BYTES),
    _column("created", TIME),
    sa.Index("access_keys_by_user", "account", "user_id"),
)

# Apart from the keys themselves: it is written often, and nothing that is in memory depends on it.
access_key_uses = _table(
    "access_key_uses",
    sa.Column("access_key_id", TEXT, sa.ForeignKey("access_keys.access_key_id", ondelete="CASCADE"), primary_key=True),
    _column("used", TIME),
    _column("service", TEXT),
    _column("region", TEXT),
)

_ONE_SERVICE_KEY = ("account", "region", "manager", "service")

keys = _table(
    "keys",
    sa.Column("key_id", TEXT, primary_key=True),
    sa.Column("region", TEXT, primary_key=True),
    _column("account", TEXT, sa.ForeignKey("accounts.account")),
    _column("state", TEXT),
    _column("description", TEXT),
    _column("spec", TEXT),
    _column("usage", TEXT),
    _column("origin", TEXT),
    _column("manager", TEXT),
    _column("service", TEXT),  # the AWS service whose key it is, such as s3; empty for a customer's
    _column("multi_region", FLAG),
    _column("created", TIME),
    _column("deletion_date", TIME, null=True),
    _column("policy", TEXT),
    _column("current_material", BYTES),  # empty while there is none
    _column("custom_key_store", TEXT, null=True),
    _column("xks_key_id", TEXT, null=True),
    _column("primary_region", TEXT, null=True),  # of a multi-Region key; its own region makes it the primary
    _column("deletion_window", sa.Integer(), null=True),  # days, of a primary key that waits for its replicas' end
    _column("rotation_period", sa.Integer(), null=True),  # days; NULL while automatic rotation is off
    _column("rotation_due", TIME, null=True),
    _column("expiration_model", TEXT, null=True),
    _column("valid_to", TIME, null=True),  # the earliest end of imported material
    sa.Index("keys_by_account", "account", "region", "key_id"),
    sa.Index("keys_to_delete", "deletion_date", sqlite_where=sa.text("deletion_date IS NOT NULL")),
    sa.Index(
        "keys_of_services",
        "account",
        "region",
        "manager",
        "service",
        unique=True,
        sqlite_where=sa.text("service <> ''"),
    ),
    sa.Index("keys_to_rotate", "rotation_due", sqlite_where=sa.text("rotation_due IS NOT NULL")),
    sa.Index("keys_to_expire", "valid_to", sqlite_where=sa.text("valid_to IS NOT NULL")),
    sa.Index("keys_in_store", "custom_key_store", "xks_key_id", sqlite_where=sa.text("custom_key_store IS NOT NULL")),
)

_OF_KEY = (["key_id", "region"], ["keys.key_id", "keys.region"])

# Wrapped material stands alone, and its rows are only ever appended and blanked in their place, never removed: when
# SQLite moves rows between pages, copies of them stay behind in the pages' free space, and secure_delete does not
# know of those. docs/formats/database.md has the measurement.
sealed_materials = _table(
    "sealed_materials", sa.Column("id", sa.Integer, primary_key=True), _column("wrapped", BYTES), rowid=True
)

materials = _table(
    "materials",
    sa.Column("id", sa.Integer, sa.ForeignKey("sealed_materials.id"), primary_key=True),
    _column("key_id", TEXT),
    _column("region", TEXT),
    _column("material_id", BYTES),
    _column("spec", TEXT),
    _column("created", TIME),
    _column("state", TEXT),  # CURRENT, NON_CURRENT, PENDING_ROTATION, PENDING_MULTI_REGION_IMPORT_AND_ROTATION
    _column("import_state", TEXT, null=True),  # IMPORTED or PENDING_IMPORT, of imported material
    _column("description", TEXT, null=True),
    _column("expiration_model", TEXT, null=True),
    _column("valid_to", TIME, null=True),
    _column("rotated", TIME, null=True),  # when it became the current one; NULL for the first
    _column("rotation_type", TEXT, null=True),  # AUTOMATIC or ON_DEMAND
    sa.UniqueConstraint("key_id", "material_id", "region", name="materials_by_key"),
    sa.ForeignKeyConstraint(*_OF_KEY, ondelete="CASCADE"),
    sa.Index("materials_of_key", "key_id", "region"),
    sa.Index("materials_to_expire", "valid_to", sqlite_where=sa.text("valid_to IS NOT NULL")),
    rowid=True,
)

aliases = _table(
    "aliases",
    sa.Column("account", TEXT, primary_key=True),
    sa.Column("region", TEXT, primary_key=True),
    sa.Column("name", TEXT, primary_key=True),
    _column("key_id", TEXT),
    _column("created", TIME),
    _column("updated", TIME),
    sa.ForeignKeyConstraint(*_OF_KEY, ondelete="CASCADE"),
    sa.Index("aliases_of_key", "key_id", "region"),
)

key_tags = _table(
    "key_tags",
    sa.Column("key_id", TEXT, primary_key=True),
    sa.Column("region", TEXT, primary_key=True),
    sa.Column("name", TEXT, primary_key=True),
    _column("value", TEXT),
    sa.ForeignKeyConstraint(*_OF_KEY, ondelete="CASCADE"),
)

grants = _table(
    "grants",
    sa.Column("grant_id", TEXT, primary_key=True),
    _column("key_id", TEXT),
    _column("region", TEXT),
    _column("account", TEXT),  # that issued it
    _column("name", TEXT, null=True),
    _column("grantee", TEXT, null=True),
    _column("grantee_service", TEXT, null=True),
    _column("retiring", TEXT, null=True),
    _column("retiring_service", TEXT, null=True),
    _column("operations", TEXT),
    _column("constraints", TEXT, null=True),
    _column("created", TIME),
    sa.ForeignKeyConstraint(*_OF_KEY, ondelete="CASCADE"),
    sa.Index("grants_of_key", "key_id", "region", "grant_id"),
    sa.Index("grants_by_grantee", "key_id", "region", "grantee", "grant_id"),
    sa.Index("grants_by_retiring", "retiring", "region", "grant_id"),
)

custom_key_stores = _table(
    "custom_key_stores",
    sa.Column("id", TEXT, primary_key=True),
    _column("account", TEXT, sa.ForeignKey("accounts.account")),
    _column("region", TEXT),
    _column("name", TEXT),
    _column("type", TEXT),
    _column("state", TEXT),
    _column("error_code", TEXT, null=True),
    _column("created", TIME),
    _column("settings", TEXT),
    _column("sealed_secret", BYTES),
    sa.UniqueConstraint("account", "region", "name", name="custom_key_stores_by_name"),
)

buckets = _table(
    "buckets",
    sa.Column("name", TEXT, primary_key=True),
    _column("account", TEXT, sa.ForeignKey("accounts.account")),
    _column("region", TEXT),
    _column("created", TIME),
    _column("encryption", TEXT, null=True),
    _column("policy", TEXT, null=True),
    sa.Index("buckets_by_account", "account", "name"),
)

# What else is set on a bucket, each under the name of its sub-resource; what is not set has no row.
bucket_settings = _table(
    "bucket_settings",
    sa.Column("bucket", TEXT, sa.ForeignKey("buckets.name", ondelete="CASCADE"), primary_key=True),
    sa.Column("name", TEXT, primary_key=True),
    _column("document", TEXT),
)

objects = _table(
    "objects",
    sa.Column("id", sa.Integer, primary_key=True),
    _column("bucket", TEXT, sa.ForeignKey("buckets.name")),
    _column("key", BYTES),
    _column("etag", TEXT),
    _column("size", LONG),
    _column("modified", TIME),
    _column("headers", TEXT),
    _column("metadata", TEXT),
    _column("encryption", TEXT),
    _column("checksum", TEXT, null=True),
    _column("upload_id", TEXT, null=True),  # of the multipart upload it was made by
    _column("part_count", sa.Integer()),
    _column("storage_class", TEXT, null=True),  # NULL: STANDARD
    sa.UniqueConstraint("bucket", "key", name="objects_by_key"),
    rowid=True,
)


def _part_columns() -> tuple[sa.Column[Any], ...]:
    return (
        _column("blob", TEXT),
        _column("size", LONG),
        _column("stored_size", LONG),
        _column("etag", TEXT),
        _column("checksum", TEXT, null=True),
        _column("message_id", BYTES),
        _column("modified", TIME),
    )


object_parts = _table(
    "object_parts",
    sa.Column("object", sa.Integer, sa.ForeignKey("objects.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    *_part_columns(),
    sa.UniqueConstraint("blob", name="object_parts_by_blob"),
)

uploads = _table(
    "uploads",
    sa.Column("upload_id", TEXT, primary_key=True),
    _column("bucket", TEXT, sa.ForeignKey("buckets.name")),
    _column("key", BYTES),
    _column("created", TIME),
    _column("initiator", TEXT),
    _column("data_key", BYTES),
    _column("encryption", TEXT),
    _column("metadata", TEXT),
    _column("headers", TEXT),
    _column("checksum_algorithm", TEXT, null=True),
    _column("checksum_type", TEXT, null=True),
    _column("storage_class", TEXT, null=True),  # of the object to be; NULL: STANDARD
    sa.Index("uploads_by_key", "bucket", "key", "upload_id"),
)

upload_parts = _table(
    "upload_parts",
    sa.Column("upload_id", TEXT, sa.ForeignKey("uploads.upload_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    *_part_columns(),
    sa.UniqueConstraint("blob", name="upload_parts_by_blob"),
)
