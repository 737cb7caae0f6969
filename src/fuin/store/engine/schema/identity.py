"""The tables of IAM and STS: accounts, identities, policies, access keys, and what IAM keeps as data."""

from typing import Any

import sqlalchemy as sa

from fuin.store.engine.schema.columns import BYTES, FLAG, TEXT, TIME, column, partial_index, table

# Beside those of this server there is "aws", the owner of AWS's managed policies.
accounts = table("accounts", sa.Column("account", TEXT, primary_key=True), column("created", TIME))

account_aliases = table(
    "account_aliases",
    sa.Column("account", TEXT, sa.ForeignKey("accounts.account"), primary_key=True),
    column("alias", TEXT),
    sa.UniqueConstraint("alias", name="account_aliases_by_alias"),
)

# Users, groups, roles, managed policies and instance profiles: what has a path, a name that is one of its kind in the
# account, and an id that no other ever has (AIDA…, AGPA…, AROA…, ANPA…, AIPA…).
identities = table(
    "identities",
    sa.Column("id", TEXT, primary_key=True),
    column("account", TEXT, sa.ForeignKey("accounts.account")),
    column("kind", TEXT),  # user, group, role, policy or instance-profile
    column("name", TEXT),
    column("folded", TEXT),  # the name in lower case: AWS takes no two names that differ in case only
    column("path", TEXT),
    column("created", TIME),
    column("boundary", TEXT, sa.ForeignKey("identities.id"), null=True),  # a managed policy
    sa.UniqueConstraint("account", "kind", "name", name="identities_by_name"),
    sa.Index("identities_by_folded_name", "account", "kind", "folded"),
    partial_index("identities_by_boundary", "boundary", where="boundary IS NOT NULL"),
)


def _identity_column() -> sa.Column[Any]:
    return sa.Column("id", TEXT, sa.ForeignKey("identities.id", ondelete="CASCADE"), primary_key=True)


identity_tags = table(
    "identity_tags",
    _identity_column(),
    sa.Column("folded", TEXT, primary_key=True),  # Department and department are one tag
    column("name", TEXT),
    column("value", TEXT),
)

roles = table(
    "roles",
    _identity_column(),
    column("trust_policy", TEXT),
    column("description", TEXT, null=True),
    column("max_session_duration", sa.Integer()),  # seconds
    column("service", TEXT, null=True),  # of a service-linked role, such as autoscaling.amazonaws.com
)

# Apart from the roles themselves, as the uses of access keys are.
role_uses = table("role_uses", _identity_column(), column("used", TIME), column("region", TEXT))

managed_policies = table(
    "managed_policies",
    _identity_column(),
    column("description", TEXT, null=True),
    column("updated", TIME),
    column("default_version", sa.Integer()),
    column("last_version", sa.Integer()),  # numbers are never given twice
)

policy_versions = table(
    "policy_versions",
    sa.Column("id", TEXT, sa.ForeignKey("managed_policies.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("version", sa.Integer(), primary_key=True),
    column("document", TEXT),
    column("created", TIME),
)

inline_policies = table(
    "inline_policies",
    _identity_column(),
    sa.Column("name", TEXT, primary_key=True),
    column("document", TEXT),
)

attachments = table(
    "attachments",
    _identity_column(),
    sa.Column("policy", TEXT, sa.ForeignKey("managed_policies.id"), primary_key=True),
    sa.Index("attachments_of_policy", "policy", "id"),
)

memberships = table(
    "memberships",
    sa.Column("user_id", TEXT, sa.ForeignKey("identities.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("group_id", TEXT, sa.ForeignKey("identities.id", ondelete="CASCADE"), primary_key=True),
    sa.Index("members_of_group", "group_id", "user_id"),
)

access_keys = table(
    "access_keys",
    sa.Column("access_key_id", TEXT, primary_key=True),
    column("account", TEXT, sa.ForeignKey("accounts.account")),
    column("user_id", TEXT, sa.ForeignKey("identities.id", ondelete="CASCADE"), null=True),  # NULL: the account's root
    column("active", FLAG),
    column("sealed_secret", BYTES),
    column("created", TIME),
    sa.Index("access_keys_by_user", "account", "user_id"),
)

# Apart from the keys themselves: it is written often, and nothing that is in memory depends on it.
access_key_uses = table(
    "access_key_uses",
    sa.Column("access_key_id", TEXT, sa.ForeignKey("access_keys.access_key_id", ondelete="CASCADE"), primary_key=True),
    column("used", TIME),
    column("service", TEXT),
    column("region", TEXT),
)


def _account_column() -> sa.Column[Any]:
    return sa.Column("account", TEXT, sa.ForeignKey("accounts.account"), primary_key=True)


# The one role that an instance profile may hold.
instance_profile_roles = table(
    "instance_profile_roles",
    _identity_column(),
    column("role", TEXT, sa.ForeignKey("identities.id")),
    sa.Index("instance_profiles_of_role", "role", "id"),
)

# That a user has a password, not the password: nobody signs in by one.
login_profiles = table(
    "login_profiles",
    _identity_column(),
    column("created", TIME),
    column("changed", TIME),
    column("reset_required", FLAG),
)

password_policies = table("password_policies", _account_column(), column("document", TEXT))

credential_reports = table("credential_reports", _account_column(), column("generated", TIME), column("content", TEXT))

# Ended deletions of service-linked roles, which may be asked for.
role_deletions = table(
    "role_deletions",
    sa.Column("task", TEXT, primary_key=True),
    column("account", TEXT, sa.ForeignKey("accounts.account")),
    column("ended", TIME),
    sa.Index("role_deletions_by_account", "account", "ended"),
)
