"""The reference page of the IAM operations, made of the operations table and the service model.

`python -m fuin.identity.reference docs/reference/iam-operations.md` writes it; a test holds the file and this equal.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from botocore import xform_name

from fuin.access.condition_keys import TABLE
from fuin.identity import quotas
from fuin.identity.linked_services import LINKED
from fuin.identity.operations import IAM

TESTS = Path(__file__).resolve().parents[3] / "tests" / "identity"

_HEAD = """# IAM operations

Made by `python -m fuin.identity.reference` of the operations table (`src/fuin/identity/iam.py`) and the service model.

{built} of the {all} operations of IAM are built: what administers users and their credentials, groups, roles, instance
profiles and policies. The others are answered with `InvalidAction`, "The operation … is not built in this server.".
STS has [a page of its own](sts.md).

Each operation needs the IAM action of its own name, such as `iam:CreateUser`, on the ARN of the user, group, role,
policy or instance profile; lists need it on `arn:aws:iam::ACCOUNT:user/` with the path that is asked for,
`GetAccountSummary` and the like on `*`. Tags that are given when something is created need `iam:TagUser` and the like
as well, and `UpdateUser` and `UpdateGroup` need the right on the new name too. The right comes before existence: who
may not ask learns nothing. The condition keys are in [their reference](condition-keys.md).

Signatures of any Region are taken: AWS's are for `us-east-1` only, but clients with an endpoint URL sign for their own.

Besides the errors below, every operation may answer with `AccessDenied` (403), `ValidationError` (400),
`ServiceFailure` (500), `ServiceUnavailable` (503: the keyholder or the store is away) and the errors of Signature V4
(`MissingAuthenticationToken`, `IncompleteSignature`, `InvalidClientTokenId`, `SignatureDoesNotMatch`).

## Quotas

{quotas}

## What differs from AWS

* Of the managed policies of AWS there are [a few](#managed-policies-of-aws); another one is `NoSuchEntity`.
* There are no MFA devices, certificates, SSH keys and identity providers. Lists of them are empty where infrastructure
  tools ask for them.
* Login profiles are data: there is no console, and nobody can sign in. A password is checked against the account's
  password policy (or AWS's default one) and forgotten; it is in no record and, in no form, in the database. So
  `ChangePassword` takes whatever is said as the old password, and `PasswordReusePrevention` knows of no other one.
  `AllowUsersToChangePassword` gives no right: `iam:ChangePassword` does. A root has no login profile.
* A credential report is made at once, so none is ever in progress; `GenerateCredentialReport` answers `STARTED` when it
  has made one and `COMPLETE` while that is not older than four hours. Passwords are never used, so
  `password_last_used` is `no_information`; keys' uses are exact to the minute.
* Service-linked roles are data, too: no service assumes them. AWS attaches a policy of the service's, such as
  `AutoScalingServiceRolePolicy`; this server has none of those, so the roles have no policies and give nothing. They
  are made by `CreateServiceLinkedRole` only, for [the services below](#service-linked-roles), and deleted at once by
  `DeleteServiceLinkedRole`; a deletion can be asked for during 30 days. What AWS lets nobody change is
  `UnmodifiableEntity`; the description and the tags can be set.
* Instance profiles are data: they hold a role and give it to nobody, since there are no machines that would ask.
  `AddRoleToInstanceProfile` asks for `iam:PassRole` on the role too, with `iam:PassedToService` `ec2.amazonaws.com`.
* An account's alias is one that no other account of the server has. It names the account to people; nothing else here
  takes it.
* Names are found in their exact case only. As in AWS two names must differ in more than case.
* A policy is refused when it is put for whatever would not be understood, see [the policy language](policies.md).
* `RoleLastUsed` is exact to the minute and has no end after 400 days. What counts is a request that a session of the
  role has signed, also one that is refused.

## Managed policies of AWS

Readable and attachable in every account, as boundaries and as session policies too, under the ARN that they have in
AWS, `arn:aws:iam::aws:policy/…`. Nobody can change them, not even a root: they are of another account. Counts and
`ListEntitiesForPolicy` tell of the caller's account only. These are those that matter for KMS, S3, IAM and STS, each in
the one version that was AWS's default in March 2026 (`src/fuin/store/identity/aws_policies/`); they stay as they are
until another version of Fuin brings others.

{policies}

Those that are cut have, in AWS, the actions of some hundred services more; here those of `iam`, `kms`, `s3` and `sts`
are left, word for word.

## Service-linked roles

Each is in the path `/aws-service-role/` and its service, and trusts its service only.

{linked}
"""
_TEXTS = Path(__file__).resolve().parents[1] / "store" / "identity" / "aws_policies"
_CUT = ("ReadOnlyAccess", "SecurityAudit", "ViewOnlyAccess")
_QUOTAS = (
    ("users, groups, roles, managed policies, instance profiles in an account",
     f"{quotas.USERS:,}, {quotas.GROUPS:,}, {quotas.ROLES:,}, {quotas.POLICIES:,}, {quotas.INSTANCE_PROFILES:,}"),
    ("access keys of a user (of the root, too)", str(quotas.ACCESS_KEYS)),
    ("groups that a user is in", str(quotas.GROUPS_OF_USER)),
    ("managed policies attached to a user, group, role", ", ".join(str(most) for most in quotas.ATTACHED.values())),
    ("characters of all inline policies of a user, group, role",
     ", ".join(f"{most:,}" for most in quotas.INLINE.values())),
    ("characters of a managed policy, of a trust policy", f"{quotas.POLICY_SIZE:,}, {quotas.TRUST_POLICY_SIZE:,}"),
    ("versions of a managed policy", str(quotas.VERSIONS)),
    ("tags of a user, role, policy, instance profile", "50"),
)  # fmt: skip


def page() -> str:
    """Return the page as Markdown."""
    rows = "\n".join(f"| {what} | {most} |" for what, most in _QUOTAS)
    table = f"| | at most |\n|---|---|\n{rows}\n\nWhite space in policies does not count."
    names = IAM.model.load().operation_names
    head = _HEAD.format(built=len(IAM.operations), all=len(names), quotas=table, policies=_policies(), linked=_linked())
    tested = _tested()
    sections = [_section(name, tested[name]) for name in sorted(IAM.operations)]
    return "\n".join([head, "## Operations\n", *sections]).rstrip("\n") + "\n"


def _policies() -> str:
    """Return the table of AWS's managed policies."""
    lines = ["| policy | version | |", "|---|---|---|"]
    for path in sorted(_TEXTS.glob("*.json"), key=lambda path: path.name.lower()):
        policy = json.loads(path.read_text(encoding="utf-8"))
        name, cut = policy["Path"].lstrip("/") + policy["PolicyName"], policy["PolicyName"] in _CUT
        lines.append(f"| `{name}` | `{policy['VersionId']}` | {'cut' if cut else 'whole'} |")
    return "\n".join(lines)


def _linked() -> str:
    """Return the table of service-linked roles."""
    lines = ["| service | role | suffix |", "|---|---|---|"]
    lines += [f"| `{name}` | `{one.role}` | {'yes' if one.suffixed else 'no'} |" for name, one in LINKED.items()]
    return "\n".join(lines)


def _tested() -> dict[str, list[str]]:
    """Return the test files that call each operation, by boto3's name of it."""
    calls = {
        path.name: set(re.findall(r"\.([a-z_]+)\b|get_paginator\(\"([a-z_]+)\"\)", path.read_text(encoding="utf-8")))
        for path in sorted(TESTS.glob("test_*.py"))
    }
    named = {file: {name for pair in found for name in pair} for file, found in calls.items()}
    return {
        operation: [file for file, found in named.items() if xform_name(operation) in found]
        for operation in IAM.operations
    }


def _section(name: str, tested: list[str]) -> str:
    modelled = IAM.model.load().operation_model(name).error_shapes
    errors = sorted(shape.metadata.get("error", {}).get("code", shape.name) for shape in modelled)
    keys = sorted({key.name for key in TABLE if key.brought and f"iam:{name}" in key.actions})
    lines = [f"### {name}\n", f"Errors of the model: {_listed(errors)}\n"]
    if keys:
        lines.append(f"More condition keys: {_listed(keys)}\n")
    if tested:
        lines.append(f"Tests: {_listed(tested)}\n")
    return "\n".join(lines)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
