"""The errors of IAM and STS, and how each exception becomes one of them.

Codes and statuses are those of the service models; the texts are AWS's, as clients have recorded them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fuin.errors import (
    AccessDenied,
    AuthenticationFailed,
    AuthReason,
    Fault,
    FaultRow,
    FuinError,
    KeyholderUnavailable,
    MalformedPolicy,
    NotJson,
    StoreUnavailable,
    UnstorableText,
)
from fuin.gate.http import BodyTooLarge, ClientGone
from fuin.gate.throttle import Throttled
from fuin.store.errors import AlreadyExists, NotFound, StillUsed, StoreRefusal, TooMany, TooManyTags
from fuin.store.identity.inline_policies import InlinePoliciesTooLong
from fuin.store.identity.principals import NoSuchPrincipal

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger("fuin.identity")

FAULTS: Mapping[str, FaultRow] = {
    "AccessDenied": FaultRow(403),
    "ClientGone": FaultRow(text="The client closed the connection."),  # on the record only
    "DeleteConflict": FaultRow(409),
    "EntityAlreadyExists": FaultRow(409),
    "ExpiredToken": FaultRow(403),
    "IncompleteSignature": FaultRow(),
    "InvalidAction": FaultRow(),
    "InvalidAuthorizationMessageException": FaultRow(),
    "InvalidClientTokenId": FaultRow(403),
    "InvalidInput": FaultRow(),
    "InvalidParameterValue": FaultRow(),
    "InvalidUserType": FaultRow(),
    "LimitExceeded": FaultRow(409),
    "MalformedPolicyDocument": FaultRow(),
    "MalformedQueryString": FaultRow(),
    "MissingAuthenticationToken": FaultRow(403),
    "NoSuchEntity": FaultRow(404),
    "PackedPolicyTooLarge": FaultRow(),
    "PasswordPolicyViolation": FaultRow(),
    "ReportExpired": FaultRow(410),
    "ReportNotPresent": FaultRow(410),
    "RequestEntityTooLarge": FaultRow(413, text="The request is too large."),
    "ServiceFailure": FaultRow(500, text="The request processing has failed because of an unknown error."),
    "ServiceUnavailable": FaultRow(503, text="The service is unavailable; try again."),
    "SignatureDoesNotMatch": FaultRow(403),
    "Throttling": FaultRow(text="Rate exceeded"),
    "UnmodifiableEntity": FaultRow(),
    "ValidationError": FaultRow(),
}
_AUTHENTICATION: Mapping[AuthReason, str] = {
    AuthReason.MISSING: "MissingAuthenticationToken",
    AuthReason.MALFORMED: "IncompleteSignature",
    AuthReason.INCOMPLETE: "IncompleteSignature",
    AuthReason.UNKNOWN_KEY: "InvalidClientTokenId",
    AuthReason.BAD_SESSION: "InvalidClientTokenId",
    AuthReason.SESSION_EXPIRED: "ExpiredToken",
}


class QueryFault(Fault):
    """An error answer of IAM or STS."""

    table = FAULTS


# AWS's names of what there may be only so many of.
_QUOTAS = {
    "user": "UsersPerAccount", "group": "GroupsPerAccount", "role": "RolesPerAccount", "policy": "PoliciesPerAccount",
    "instance-profile": "InstanceProfilesPerAccount", "access keys": "AccessKeysPerUser", "groups": "GroupsPerUser",
    "roles of an instance profile": "InstanceSessionsPerInstanceProfile",
}  # fmt: skip
_CONFLICTS = {
    "access keys": "Cannot delete entity, must delete access keys first.",
    "login profile": "Cannot delete entity, must delete login profile first.",
    "groups": "Cannot delete entity, must remove users from group first.",
    "members": "Cannot delete entity, must remove users from group first.",
    "policies": "Cannot delete entity, must delete policies first.",
    "attached policies": "Cannot delete entity, must detach all policies first.",
    "instance profiles": "Cannot delete entity, must remove roles from instance profile first.",
    "attached": "Cannot delete a policy attached to entities.",
    "versions": (
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
        "The default version is deleted with the policy."
    ),
    "default version": "Cannot delete the default version of a policy.",
}


def malformed_policy(error: MalformedPolicy, *, trusting: bool = False) -> QueryFault:
    """Return the fault for a document; AWS's sentence comes first (trust policies have their own for invalid JSON)."""
    text = str(error)
    if trusting and isinstance(error, NotJson):
        return QueryFault("MalformedPolicyDocument", f"This policy contains invalid Json: {text}")
    return QueryFault("MalformedPolicyDocument", text if error.sentence else f"Syntax errors in policy. {text}")


def no_such_entity(kind: str, name: str) -> QueryFault:
    """Return the fault for a missing user, group, role or instance profile, or for a missing policy by its ARN."""
    if kind == "policy":
        return QueryFault("NoSuchEntity", f"Policy {name} was not found.")
    if kind == "instance-profile":
        return QueryFault("NoSuchEntity", f"Instance Profile {name} cannot be found.")
    return QueryFault("NoSuchEntity", f"The {kind} with name {name} cannot be found.")


def entity_already_exists(kind: str, name: str) -> QueryFault:
    """Return the fault for a name that another one of the kind has already, in any case."""
    if kind == "policy":
        return QueryFault(
            "EntityAlreadyExists", f"A policy called {name} already exists. Duplicate names are not allowed."
        )
    if kind == "instance-profile":
        return QueryFault("EntityAlreadyExists", f"Instance Profile {name} already exists.")
    return QueryFault("EntityAlreadyExists", f"{kind.capitalize()} with name {name} already exists.")


def refusal(error: StoreRefusal, kind: str, name: str, boundary: str | None = None) -> QueryFault:
    """Return the fault for a refusal of the store about a user, a group, a role or a policy.

    `boundary` is the ARN of its permissions boundary, or of the one that it should get.
    """
    match error:
        case NotFound() if str(error) == boundary:
            return QueryFault("NoSuchEntity", f"Scope ARN: {boundary} does not exist or is not attachable.")
        case NotFound() if str(error).startswith("arn:"):  # a policy that was to be attached
            return QueryFault("NoSuchEntity", f"Policy {error} does not exist or is not attachable.")
        case NotFound():
            return no_such_entity(kind, name)
        case AlreadyExists():
            return entity_already_exists(kind, name)
        case InlinePoliciesTooLong():
            return QueryFault(
                "LimitExceeded", f"Maximum policy size of {error.at_most} bytes exceeded for {kind} {name}"
            )
        case TooMany(what="versions"):
            return QueryFault(
                "LimitExceeded",
                f"A managed policy can have up to {error.at_most} versions. Before you create a new version, you must "
                "delete an existing version.",
            )
        case TooMany(what="attached policies"):
            return QueryFault(
                "LimitExceeded", f"Cannot exceed quota for PoliciesPer{kind.capitalize()}: {error.at_most}"
            )
        case TooMany():
            return QueryFault("LimitExceeded", f"Cannot exceed quota for {_QUOTAS[error.what]}: {error.at_most}")
        case TooManyTags():
            return QueryFault("LimitExceeded", f"Cannot exceed quota for TagsPer{kind.title().replace('-', '')}: 50")
        case StillUsed():
            return QueryFault("DeleteConflict", _CONFLICTS[error.what])
        case NoSuchPrincipal():
            return QueryFault("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{error.name}"')
    raise error


def from_error(error: Exception) -> QueryFault:
    """Return the fault for an error; an unexpected error is logged, and its fault shows no details."""
    match error:
        case QueryFault():
            return error
        case AccessDenied():
            return QueryFault("AccessDenied", error.sentence)
        case AuthenticationFailed():
            return QueryFault(_AUTHENTICATION.get(error.reason, "SignatureDoesNotMatch"), error.detail)
        case MalformedPolicy():
            return malformed_policy(error)
        case UnstorableText():
            return QueryFault("ValidationError", str(error))
        case ClientGone():
            return QueryFault("ClientGone")
        case BodyTooLarge():
            return QueryFault("RequestEntityTooLarge")
        case KeyholderUnavailable() | StoreUnavailable():
            return QueryFault("ServiceUnavailable")
        case Throttled():
            return QueryFault("Throttling")
        case FuinError():
            _log.error("an error that no operation maps: %s", type(error).__name__)
        case _:
            _log.exception("an operation failed", exc_info=error)
    return QueryFault("ServiceFailure")
