"""The managed policies of AWS that matter here, account aliases, and when roles were last used.

The policies' texts are in `store/identity/aws_policies/`, a file for each version. Those files never change, as
this one never does: another version of a policy is another file, and a later migration that adds it.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import sqlite

revision = "0004"
down_revision = "0003"

_TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
_TEXTS = Path(__file__).parents[3] / "identity" / "aws_policies"
_FILES = (
    "AdministratorAccess.v1", "AmazonS3FullAccess.v2", "AmazonS3ReadOnlyAccess.v3",
    "AWSKeyManagementServicePowerUser.v2", "IAMFullAccess.v2", "IAMReadOnlyAccess.v4", "PowerUserAccess.v12",
    "ReadOnlyAccess.v178", "SecurityAudit.v85", "ViewOnlyAccess.v43",
)  # fmt: skip


def upgrade() -> None:
    """Make the new tables and put the policies in, in one transaction (store/engine/migrate.py begins and ends it)."""
    op.create_table(
        "account_aliases",
        sa.Column("account", sa.Text(), primary_key=True),
        sa.Column("alias", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["account"], ["accounts.account"]),
        sa.UniqueConstraint("alias", name="account_aliases_by_alias"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    op.create_table(
        "role_uses",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("used", _TIME, nullable=False),
        sa.Column("region", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["id"], ["identities.id"], ondelete="CASCADE"),
        sqlite_with_rowid=False,
        sqlite_strict=True,
    )
    op.execute("INSERT INTO accounts (account, created) VALUES ('aws', 0)")
    for name in _FILES:
        _add(json.loads((_TEXTS / f"{name}.json").read_text(encoding="utf-8")))


def _add(policy: dict[str, Any]) -> None:
    version = int(policy["VersionId"].removeprefix("v"))
    given = {
        "id": policy["PolicyId"], "account": "aws", "kind": "policy", "name": policy["PolicyName"],
        "folded": policy["PolicyName"].lower(), "path": policy["Path"], "description": policy["Description"],
        "created": _time(policy["CreateDate"]), "updated": _time(policy["VersionDate"]), "version": version,
        "default_version": version, "last_version": version, "document": json.dumps(policy["Document"], indent=4),
    }  # fmt: skip
    for table, columns in (
        ("identities", "id account kind name folded path created"),
        ("managed_policies", "id description updated default_version last_version"),
        ("policy_versions", "id version document created"),
    ):
        names = columns.split()
        row = {name: given[name] for name in names}
        if table == "policy_versions":
            row["created"] = given["updated"]
        op.bulk_insert(sa.table(table, *[sa.column(name) for name in names]), [row])


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
