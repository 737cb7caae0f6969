"""The tables of what IAM keeps as data: instance profiles' roles, passwords, reports, ended deletions.

As those of `schema.py`, of whose metadata they are a part.
"""

from typing import Any

import sqlalchemy as sa

from fuin.store.schema import FLAG, TEXT, TIME, metadata


def _table(name: str, *items: sa.schema.SchemaItem) -> sa.Table:
    return sa.Table(name, metadata, *items, sqlite_with_rowid=False, sqlite_strict=True)


def _column(name: str, kind: sa.types.TypeEngine[Any], *items: sa.schema.SchemaItem) -> sa.Column[Any]:
    return sa.Column(name, kind, *items, nullable=False)


def _of_identity() -> sa.Column[Any]:
    return sa.Column("id", TEXT, sa.ForeignKey("identities.id", ondelete="CASCADE"), primary_key=True)


def _of_account() -> sa.Column[Any]:
    return sa.Column("account", TEXT, sa.ForeignKey("accounts.account"), primary_key=True)


# The one role that an instance profile may hold.
instance_profile_roles = _table(
    "instance_profile_roles",
    _of_identity(),
    _column("role", TEXT, sa.ForeignKey("identities.id")),
    sa.Index("instance_profiles_of_role", "role", "id"),
)

# That a user has a password, not the password: nobody signs in by one.
login_profiles = _table(
    "login_profiles",
    _of_identity(),
    _column("created", TIME),
    _column("changed", TIME),
    _column("reset_required", FLAG),
)

password_policies = _table("password_policies", _of_account(), _column("document", TEXT))

credential_reports = _table("credential_reports", _of_account(), _column("generated", TIME), _column("content", TEXT))

# Ended deletions of service-linked roles, which may be asked for.
role_deletions = _table(
    "role_deletions",
    sa.Column("task", TEXT, primary_key=True),
    _column("account", TEXT, sa.ForeignKey("accounts.account")),
    _column("ended", TIME),
    sa.Index("role_deletions_by_account", "account", "ended"),
)
