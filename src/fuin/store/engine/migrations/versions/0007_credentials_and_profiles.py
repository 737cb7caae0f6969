"""Instance profiles' roles, service-linked roles, login profiles, password policies and credential reports.

Written out, not taken from `store/engine/schema/`: that changes with later versions, this one never does.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0007"
down_revision = "0006"

_TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")


def upgrade() -> None:
    """Make the tables and the column, in one transaction (store/engine/migrate.py begins and ends it)."""
    op.add_column("roles", sa.Column("service", sa.Text(), nullable=True))
    _table(
        "instance_profile_roles",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["identities.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["role"], ["identities.id"]),
    )
    op.create_index("instance_profiles_of_role", "instance_profile_roles", ["role", "id"])
    _table(
        "login_profiles",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("created", _TIME, nullable=False),
        sa.Column("changed", _TIME, nullable=False),
        sa.Column("reset_required", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["identities.id"], ondelete="CASCADE"),
    )
    _create_account_table("password_policies", sa.Column("document", sa.Text(), nullable=False))
    _create_account_table(
        "credential_reports",
        sa.Column("generated", _TIME, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
    )
    _table(
        "role_deletions",
        sa.Column("task", sa.Text(), primary_key=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("ended", _TIME, nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.account"]),
    )
    op.create_index("role_deletions_by_account", "role_deletions", ["account", "ended"])


def _table(name: str, *items: Any) -> None:
    op.create_table(name, *items, sqlite_with_rowid=False, sqlite_strict=True)


def _create_account_table(name: str, *columns: sa.Column[Any]) -> None:
    _table(
        name,
        sa.Column("account", sa.Text(), primary_key=True),
        *columns,
        sa.ForeignKeyConstraint(["account"], ["accounts.account"]),
    )
