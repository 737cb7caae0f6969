"""Identities: users with paths, tags and boundaries, groups, roles, managed policies, and when access keys were used.

Users become rows of the one table of identities, and what was named by a user's name is named by its id. Written out,
not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0003"
down_revision = "0002"

_TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
_KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text(), "bytes": sa.LargeBinary(), "time": _TIME, "int": sa.Integer(),
}  # fmt: skip


def upgrade() -> None:
    """Make the new tables and move what is there, in one transaction (store/engine/migrate.py begins and ends it)."""
    conn = op.get_bind()
    users = conn.execute(sa.text("SELECT account, name, user_id, created FROM users")).all()
    policies = conn.execute(sa.text('SELECT account, "user", name, document FROM user_policies')).all()
    keys = conn.execute(
        sa.text('SELECT access_key_id, account, "user", active, sealed_secret, created FROM access_keys')
    ).all()
    for table in ("user_policies", "access_keys", "users"):
        op.drop_table(table)
    _identities()
    _policies()
    _access_keys()
    _move(users, policies, keys)


def _table(name: str, columns: str, *constraints: sa.schema.SchemaItem) -> None:
    """Make a table; `columns` says "name kind" each, * after the kind marks a primary key, ? a nullable column."""
    made: list[sa.schema.SchemaItem] = []
    for column in columns.split(","):
        label, kind = column.split()
        made.append(
            sa.Column(label, _KINDS[kind.rstrip("*?")], primary_key=kind.endswith("*"), nullable=kind.endswith("?"))
        )
    op.create_table(name, *made, *constraints, sqlite_with_rowid=False, sqlite_strict=True)


def _foreign_key(column: str = "id", table: str = "identities", key: str = "id") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{table}.{key}"], ondelete="CASCADE")


def _identities() -> None:
    _table(
        "identities",
        "id text*, account text, kind text, name text, folded text, path text, created time, boundary text?",
        sa.ForeignKeyConstraint(["account"], ["accounts.account"]),
        sa.ForeignKeyConstraint(["boundary"], ["identities.id"]),
        sa.UniqueConstraint("account", "kind", "name", name="identities_by_name"),
    )
    op.create_index("identities_by_folded_name", "identities", ["account", "kind", "folded"])
    bounded = sa.text("boundary IS NOT NULL")
    op.create_index(
        "identities_by_boundary", "identities", ["boundary"], sqlite_where=bounded, postgresql_where=bounded
    )
    _table("identity_tags", "id text*, folded text*, name text, value text", _foreign_key())
    _table("roles", "id text*, trust_policy text, description text?, max_session_duration int", _foreign_key())
    _table("memberships", "user_id text*, group_id text*", _foreign_key("user_id"), _foreign_key("group_id"))
    op.create_index("members_of_group", "memberships", ["group_id", "user_id"])


def _policies() -> None:
    _table(
        "managed_policies",
        "id text*, description text?, updated time, default_version int, last_version int",
        _foreign_key(),
    )
    _table(
        "policy_versions", "id text*, version int*, document text, created time", _foreign_key(table="managed_policies")
    )
    _table("inline_policies", "id text*, name text*, document text", _foreign_key())
    _table(
        "attachments",
        "id text*, policy text*",
        _foreign_key(),
        sa.ForeignKeyConstraint(["policy"], ["managed_policies.id"]),
    )
    op.create_index("attachments_of_policy", "attachments", ["policy", "id"])


def _access_keys() -> None:
    _table(
        "access_keys",
        "access_key_id text*, account text, user_id text?, active int, sealed_secret bytes, created time",
        sa.ForeignKeyConstraint(["account"], ["accounts.account"]),
        _foreign_key("user_id"),
    )
    op.create_index("access_keys_by_user", "access_keys", ["account", "user_id"])
    _table(
        "access_key_uses",
        "access_key_id text*, used time, service text, region text",
        _foreign_key("access_key_id", "access_keys", "access_key_id"),
    )


def _move(users: Sequence[Any], policies: Sequence[Any], keys: Sequence[Any]) -> None:
    """Put users, their policies and their access keys where they belong now."""
    conn = op.get_bind()
    ids = {(account, name): user_id for account, name, user_id, _ in users}
    for account, name, user_id, created in users:
        conn.execute(
            sa.text(
                "INSERT INTO identities (id, account, kind, name, folded, path, created) "
                "VALUES (:id, :account, 'user', :name, :folded, '/', :created)"
            ),
            {"id": user_id, "account": account, "name": name, "folded": name.lower(), "created": created},
        )
    for account, user, name, document in policies:
        conn.execute(
            sa.text("INSERT INTO inline_policies (id, name, document) VALUES (:id, :name, :document)"),
            {"id": ids[account, user], "name": name, "document": document},
        )
    for access_key_id, account, user, active, sealed, created in keys:
        conn.execute(
            sa.text("INSERT INTO access_keys VALUES (:key, :account, :user, :active, :sealed, :created)"),
            {
                "key": access_key_id, "account": account, "user": user and ids[account, user], "active": active,
                "sealed": sealed, "created": created,
            },
        )  # fmt: skip
