"""The reference page of the IAM operations, made of the operations table and the service model.

`python -m fuin.identity.reference docs/reference/iam-operations.md` writes it; a test holds the file and this equal.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from botocore import xform_name

from fuin.access.vocabulary.condition_keys import TABLE
from fuin.identity.iam import quotas
from fuin.identity.iam.linked_services import LINKED
from fuin.identity.operations import IAM

TESTS = Path(__file__).resolve().parents[3] / "tests" / "identity"

_HEAD = """# IAM operations

Made by `python -m fuin.identity.reference` of the operations table (`src/fuin/identity/iam/iam.py`) and the
service model.

{built} of the {all} operations of IAM are built: those for users and their credentials, groups, roles, instance
profiles and policies. The others are answered with `InvalidAction`, "The operation … is not built in this server.".
STS has [its own page](sts.md).

Each operation needs the IAM action of its own name, such as `iam:CreateUser`, on the ARN of the user, group, role,
policy or instance profile. Lists need it on `arn:aws:iam::ACCOUNT:user/` with the requested path,
`GetAccountSummary` and similar operations on `*`. Tags in a creation also need `iam:TagUser` or its siblings, and
`UpdateUser` and `UpdateGroup` also need the right on the new name. Rights are checked before existence: a caller
without the right learns nothing. The condition keys are in [their reference](condition-keys.md).

Signatures for any Region are accepted: AWS's are for `us-east-1` only, but clients with an endpoint URL sign for their
own.

Besides the errors below, every operation may answer with `AccessDenied` (403), `ValidationError` (400),
`ServiceFailure` (500), `ServiceUnavailable` (503: the keyholder or the store is away) and the errors of Signature V4
(`MissingAuthenticationToken`, `IncompleteSignature`, `InvalidClientTokenId`, `SignatureDoesNotMatch`).

## Quotas

{quotas}

## What differs from AWS

* [A few](#managed-policies-of-aws) of AWS's managed policies exist; any other is `NoSuchEntity`.
* There are no MFA devices, certificates, SSH keys and identity providers. Lists of them are empty where infrastructure
  tools ask for them.
* Login profiles are only stored: there is no console, and nobody can sign in. A password is checked against the
  account's password policy (or AWS's default one) and dropped; no record holds it, and the database holds it in no
  form. So `ChangePassword` accepts any old password, and `PasswordReusePrevention` knows no earlier one.
  `AllowUsersToChangePassword` gives no right: `iam:ChangePassword` does. A root has no login profile.
* A credential report is made at once, so it is never in progress. `GenerateCredentialReport` answers `STARTED` when it
  has made a report, and `COMPLETE` while that is at most four hours old. Passwords are never used, so
  `password_last_used` is `no_information`; the uses of keys are exact to the minute.
* Service-linked roles are only stored: no service assumes them. AWS attaches a policy of the service, such as
  `AutoScalingServiceRolePolicy`; this server has none of these, so the roles have no policies and grant nothing. Only
  `CreateServiceLinkedRole` makes them, for [the services below](#service-linked-roles), and `DeleteServiceLinkedRole`
  deletes them at once; the status of a deletion is available for 30 days. Changes that AWS does not allow are
  `UnmodifiableEntity`; the description and the tags can be set.
* Instance profiles are only stored: they hold a role, but no machine asks for it.
  `AddRoleToInstanceProfile` also needs `iam:PassRole` on the role, with `iam:PassedToService` `ec2.amazonaws.com`.
* An account's alias is unique on the server. It is a name for people; nothing else here uses it.
* Names are found in their exact case only. As in AWS, two names must differ in more than case.
* A policy with anything unknown is refused when it is put: see [the policy language](policies.md).
* `RoleLastUsed` is exact to the minute and does not end after 400 days. Every request that a session of the role has
  signed counts, even a refused one.

## Managed policies of AWS

These policies can be read and attached in every account, also as boundaries and as session policies, under their ARN
in AWS, `arn:aws:iam::aws:policy/…`. Nobody can change them, not even a root: they belong to another account. Counts and
`ListEntitiesForPolicy` cover the caller's account only. The list has the policies that matter for KMS, S3, IAM and STS,
each in the version that was AWS's default in March 2026 (`src/fuin/store/identity/aws_policies/`). They change only
with another version of Fuin.

{policies}

In AWS, the cut policies also have the actions of about a hundred other services; here they have those of `iam`, `kms`,
`s3` and `sts`, word for word.

## Service-linked roles

Each has the path `/aws-service-role/` and its service, and trusts only this service.

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
    head = _HEAD.format(
        built=len(IAM.operations), all=len(names), quotas=table, policies=_policies(), linked=_linked_roles()
    )
    tested = _test_files()
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


def _linked_roles() -> str:
    """Return the table of service-linked roles."""
    lines = ["| service | role | suffix |", "|---|---|---|"]
    lines += [f"| `{name}` | `{one.role}` | {'yes' if one.suffixed else 'no'} |" for name, one in LINKED.items()]
    return "\n".join(lines)


def _test_files() -> dict[str, list[str]]:
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
    lines = [f"### {name}\n", f"Errors of the model: {_join_names(errors)}\n"]
    if keys:
        lines.append(f"More condition keys: {_join_names(keys)}\n")
    if tested:
        lines.append(f"Tests: {_join_names(tested)}\n")
    return "\n".join(lines)


def _join_names(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
