"""The tables of KMS: keys, key material, aliases, tags, grants, custom key stores."""

import sqlalchemy as sa

from fuin.store.engine.schema.columns import BYTES, FLAG, LONG, TEXT, TIME, column, partial_index, table

_ONE_SERVICE_KEY = ("account", "region", "manager", "service")

keys = table(
    "keys",
    sa.Column("key_id", TEXT, primary_key=True),
    sa.Column("region", TEXT, primary_key=True),
    column("account", TEXT, sa.ForeignKey("accounts.account")),
    column("state", TEXT),
    column("description", TEXT),
    column("spec", TEXT),
    column("usage", TEXT),
    column("origin", TEXT),
    column("manager", TEXT),
    column("service", TEXT),  # the AWS service whose key it is, such as s3; empty for a customer's
    column("multi_region", FLAG),
    column("created", TIME),
    column("deletion_date", TIME, null=True),
    column("policy", TEXT),
    column("current_material", BYTES),  # empty while the key has no material
    column("custom_key_store", TEXT, null=True),
    column("xks_key_id", TEXT, null=True),
    column("primary_region", TEXT, null=True),  # of a multi-Region key; its own region makes it the primary
    column("deletion_window", sa.Integer(), null=True),  # days, of a primary key that waits for its replicas' end
    column("rotation_period", sa.Integer(), null=True),  # days; NULL while automatic rotation is off
    column("rotation_due", TIME, null=True),
    column("expiration_model", TEXT, null=True),
    column("valid_to", TIME, null=True),  # the earliest end of imported material
    sa.Index("keys_by_account", "account", "region", "key_id"),
    partial_index("keys_to_delete", "deletion_date", where="deletion_date IS NOT NULL"),
    partial_index(
        "keys_of_services",
        "account",
        "region",
        "manager",
        "service",
        unique=True,
        where="service <> ''",
    ),
    partial_index("keys_to_rotate", "rotation_due", where="rotation_due IS NOT NULL"),
    partial_index("keys_to_expire", "valid_to", where="valid_to IS NOT NULL"),
    partial_index("keys_in_store", "custom_key_store", "xks_key_id", where="custom_key_store IS NOT NULL"),
)

_OF_KEY = (["key_id", "region"], ["keys.key_id", "keys.region"])

# Wrapped material stands alone, and its rows are only ever appended and blanked in their place, never removed: when
# SQLite moves rows between pages, copies of them stay behind in the pages' free space, and secure_delete does not
# know of those. docs/formats/database.md has the measurement.
sealed_materials = table(
    "sealed_materials", sa.Column("id", LONG, primary_key=True), column("wrapped", BYTES), rowid=True
)

materials = table(
    "materials",
    sa.Column("id", LONG, sa.ForeignKey("sealed_materials.id"), primary_key=True),
    column("key_id", TEXT),
    column("region", TEXT),
    column("material_id", BYTES),
    column("spec", TEXT),
    column("created", TIME),
    column("state", TEXT),  # CURRENT, NON_CURRENT, PENDING_ROTATION, PENDING_MULTI_REGION_IMPORT_AND_ROTATION
    column("import_state", TEXT, null=True),  # IMPORTED or PENDING_IMPORT, of imported material
    column("description", TEXT, null=True),
    column("expiration_model", TEXT, null=True),
    column("valid_to", TIME, null=True),
    column("rotated", TIME, null=True),  # when it became the current one; NULL for the first
    column("rotation_type", TEXT, null=True),  # AUTOMATIC or ON_DEMAND
    sa.UniqueConstraint("key_id", "material_id", "region", name="materials_by_key"),
    sa.ForeignKeyConstraint(*_OF_KEY, ondelete="CASCADE"),
    sa.Index("materials_of_key", "key_id", "region"),
    partial_index("materials_to_expire", "valid_to", where="valid_to IS NOT NULL"),
    rowid=True,
)

aliases = table(
    "aliases",
    sa.Column("account", TEXT, primary_key=True),
    sa.Column("region", TEXT, primary_key=True),
    sa.Column("name", TEXT, primary_key=True),
    column("key_id", TEXT),
    column("created", TIME),
    column("updated", TIME),
    sa.ForeignKeyConstraint(*_OF_KEY, ondelete="CASCADE"),
    sa.Index("aliases_of_key", "key_id", "region"),
)

key_tags = table(
    "key_tags",
    sa.Column("key_id", TEXT, primary_key=True),
    sa.Column("region", TEXT, primary_key=True),
    sa.Column("name", TEXT, primary_key=True),
    column("value", TEXT),
    sa.ForeignKeyConstraint(*_OF_KEY, ondelete="CASCADE"),
)

grants = table(
    "grants",
    sa.Column("grant_id", TEXT, primary_key=True),
    column("key_id", TEXT),
    column("region", TEXT),
    column("account", TEXT),  # that issued it
    column("name", TEXT, null=True),
    column("grantee", TEXT, null=True),
    column("grantee_service", TEXT, null=True),
    column("retiring", TEXT, null=True),
    column("retiring_service", TEXT, null=True),
    column("operations", TEXT),
    column("constraints", TEXT, null=True),
    column("created", TIME),
    sa.ForeignKeyConstraint(*_OF_KEY, ondelete="CASCADE"),
    sa.Index("grants_of_key", "key_id", "region", "grant_id"),
    sa.Index("grants_by_grantee", "key_id", "region", "grantee", "grant_id"),
    sa.Index("grants_by_retiring", "retiring", "region", "grant_id"),
)

custom_key_stores = table(
    "custom_key_stores",
    sa.Column("id", TEXT, primary_key=True),
    column("account", TEXT, sa.ForeignKey("accounts.account")),
    column("region", TEXT),
    column("name", TEXT),
    column("type", TEXT),
    column("state", TEXT),
    column("error_code", TEXT, null=True),
    column("created", TIME),
    column("settings", TEXT),
    column("sealed_secret", BYTES),
    sa.UniqueConstraint("account", "region", "name", name="custom_key_stores_by_name"),
)
