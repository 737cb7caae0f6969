"""AssumeRole: who may assume a role, and what its session may do.

AWS: "AssumeRole" in the STS API reference; "Role trust policies", "Session policies", "Source identity" in the IAM user
guide. Rights come before all else: a caller who may not assume a role does not learn whether it exists.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin import ids
from fuin.access.refusals import NotAuthorized
from fuin.access.resources.role import RoleResource
from fuin.clock import CLOCK
from fuin.errors import AccessDenied
from fuin.formats.session_token import Claims
from fuin.identity.sts import credentials, session_policies, session_tags
from fuin.identity.wire.faults import QueryFault

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.identity.sts.session_tags import SessionTags
    from fuin.identity.wire.model import Given, Output
    from fuin.store.identity.roles import Role

_ARN = re.compile(r"arn:aws:iam::([0-9]{12}):role/(?:[\x21-\x7e]+/)?([\w+=,.@-]{1,64})", re.ASCII)
_USUAL, _OF_CHAINS = 3600, 3600  # seconds
# The trust policy used for a role that does not exist: it names nobody, so the caller gets the same answer as from a
# role that does not name it.
_OF_NONE = (
    '{"Version":"2012-10-17","Id":"for a role that does not exist",'
    '"Statement":{"Effect":"Allow","Principal":{"Service":"none.amazonaws.com"},'
    '"Action":"sts:AssumeRole"}}'
)


@dataclass(frozen=True, slots=True)
class RoleRequest:
    """The input of a well-formed request."""

    arn: str
    account: str
    role: str
    session: str
    tags: SessionTags
    source_identity: str  # passed, or inherited in a chain
    external_id: str | None


async def assume_role(call: Call, given: Given) -> Output:
    """Return temporary credentials for a role, if its trust policy and, where needed, the caller's policies allow it.

    The right is checked again when the credentials have been made: a right that was taken away meanwhile gives none.
    """
    if call.principal.kind == "root":
        raise AccessDenied("Roles may not be assumed by root accounts.")
    _check_unsupported(given)
    wanted = _parse_request(call, given)
    role = await call.consult(_permitted_role, wanted)
    duration = _duration(call, given, role)
    claims = await call.consult(_claims, given, wanted, role)
    packed = credentials.packed_percent(claims.policy, claims.policy_arns, wanted.tags.passed)
    issued = await credentials.issue(call, given, claims, duration)
    noted = len(call.decisions)
    if (await call.consult(_permitted_role, wanted)).id != role.id:
        raise AccessDenied("The role has been replaced while it was being assumed.")
    del call.decisions[noted:]
    return {
        **issued,
        "AssumedRoleUser": {
            "AssumedRoleId": f"{role.id}:{wanted.session}",
            "Arn": ids.session_arn(role.account, role.name, wanted.session),
        },
        "PackedPolicySize": packed,
        "SourceIdentity": wanted.source_identity or None,
    }


def _check_unsupported(given: Given) -> None:
    """Refuse the features that this server does not have: MFA devices, so no code is right, and context providers."""
    if "SerialNumber" in given or "TokenCode" in given:
        raise AccessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
    if "ProvidedContexts" in given:
        raise QueryFault(
            "ValidationError", "ProvidedContexts are not supported: this server knows no context providers."
        )


def _parse_request(call: Call, given: Given) -> RoleRequest:
    found = _ARN.fullmatch(given["RoleArn"])
    if found is None:
        raise QueryFault("ValidationError", "Request ARN is invalid")
    held = dict(call.principal.session_facts).get("aws:SourceIdentity", "")
    passed = given.get("SourceIdentity", "")
    if passed.lower().startswith("aws:"):
        raise QueryFault("ValidationError", "A source identity may not begin with aws:")
    if held and passed and passed != held:
        raise AccessDenied("The source identity of a session cannot be changed.")
    tags = session_tags.parse(given, call.principal)
    return RoleRequest(
        given["RoleArn"], found[1], found[2], given["RoleSessionName"], tags, held or passed, given.get("ExternalId")
    )


def _permitted_role(call: Call, wanted: RoleRequest) -> Role:
    """Return the role, if the caller may assume it with such tags and such a source identity; raises AccessDenied."""
    role = call.services.store.catalog().role(wanted.account, wanted.role)
    if role is not None and role.arn != wanted.arn:
        role = None
    resource = (
        _missing_role(wanted) if role is None else RoleResource(role.arn, role.account, role.trust_policy, role.tags)
    )
    conditions = _conditions(wanted)
    needed = ["sts:AssumeRole"]
    if wanted.tags.all_tags:
        needed.append("sts:TagSession")
    if wanted.source_identity:
        needed.append("sts:SetSourceIdentity")
    for action in needed:
        try:
            call.permit(action, resource, conditions)
        except NotAuthorized as error:
            raise _refusal_for_caller(call, action, wanted, error) from None
    if role is None:  # its trust policy names nobody, so this is not reached
        raise AccessDenied("There is no such role.")
    return role


def _refusal_for_caller(call: Call, action: str, wanted: RoleRequest, error: NotAuthorized) -> NotAuthorized:
    """Return the refusal that the caller gets: for a role of another account, the same as if it did not exist.

    Else a caller could find out whether the role exists and which tags it has, by a Deny in a policy of its own that
    depends on the tags. Where only an Allow in the caller's own policies is missing, the role's trust policy lets the
    caller know of the role. The record keeps the real decision.
    """
    if wanted.account == call.account:
        return error
    if error.refusal.is_callers_own:
        return error
    noted = len(call.decisions)
    try:
        call.permit(action, _missing_role(wanted), _conditions(wanted))
    except NotAuthorized as of_none:
        error = of_none
    del call.decisions[noted:]
    return error


def _missing_role(wanted: RoleRequest) -> RoleResource:
    """Return a role that does not exist, as a resource."""
    return RoleResource(wanted.arn, wanted.account, _OF_NONE)


def _conditions(wanted: RoleRequest) -> dict[str, str | tuple[str, ...]]:
    """Return the condition keys; AWS: "Actions, resources, and condition keys for AWS Security Token Service"."""
    keys: dict[str, str | tuple[str, ...]] = {"sts:RoleSessionName": wanted.session}
    if wanted.external_id is not None:
        keys["sts:ExternalId"] = wanted.external_id
    if wanted.source_identity:
        keys["sts:SourceIdentity"] = wanted.source_identity
    if wanted.tags.passed:
        keys["aws:TagKeys"] = tuple(name for name, _ in wanted.tags.passed)
        keys.update({f"aws:RequestTag/{name}": value for name, value in wanted.tags.passed})
    if wanted.tags.transitive:
        keys["sts:TransitiveTagKeys"] = wanted.tags.transitive
    return keys


def _duration(call: Call, given: Given, role: Role) -> int:
    """Return the duration of the session in seconds; raises ValidationError."""
    duration: int = given.get("DurationSeconds", _USUAL)
    if call.principal.kind == "role" and duration > _OF_CHAINS:
        raise QueryFault(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        )
    if duration > role.max_session_duration:
        raise QueryFault(
            "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    return duration


def _claims(call: Call, given: Given, wanted: RoleRequest, role: Role) -> Claims:
    policy, arns = session_policies.parse(call, given, role.account)
    return Claims(
        kind="role", account=role.account, id=role.id, issued=int(CLOCK.issue_time(call.now)),
        issuer=call.principal.arn, issuer_key=call.access_key_id, session=wanted.session, policy=policy,
        policy_arns=arns, tags=wanted.tags.all_tags, transitive=wanted.tags.transitive,
        source_identity=wanted.source_identity,
    )  # fmt: skip
