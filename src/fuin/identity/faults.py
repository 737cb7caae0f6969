"""The errors of IAM and STS, and how whatever is raised becomes one of them, once.

Codes and statuses are those of the service models; the texts are AWS's, as clients have recorded them.
"""

from __future__ import annotations

import logging
import re

from fuin.errors import (
    AccessDenied,
    AuthenticationFailed,
    AuthReason,
    Fault,
    FuinError,
    KeyholderUnavailable,
    MalformedPolicy,
    StoreUnavailable,
)
from fuin.gate.http import BodyTooLarge
from fuin.gate.throttle import Throttled
from fuin.store.errors import AlreadyExists, NotFound, StillUsed, StoreRefusal, TooMany, TooManyTags
from fuin.store.identity.inline_policies import TooLong
from fuin.store.identity.principals import NoSuchPrincipal

_log = logging.getLogger("fuin.identity")

AUTH_CODES: dict[AuthReason, tuple[int, str]] = {
    AuthReason.MISSING: (403, "MissingAuthenticationToken"),
    AuthReason.MALFORMED: (400, "IncompleteSignature"),
    AuthReason.INCOMPLETE: (400, "IncompleteSignature"),
    AuthReason.UNKNOWN_KEY: (403, "InvalidClientTokenId"),
    AuthReason.BAD_SESSION: (403, "InvalidClientTokenId"),
    AuthReason.SESSION_EXPIRED: (403, "ExpiredToken"),
    AuthReason.EXPIRED: (403, "SignatureDoesNotMatch"),
}
_OTHER_AUTH = (403, "SignatureDoesNotMatch")


class QueryFault(Fault):
    """An error of the query protocol; `code` and `status` vary."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ValidationError(QueryFault):
    """What the service model does not allow."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "ValidationError", message)


class NoSuchEntity(QueryFault):
    """What was named does not exist."""

    def __init__(self, message: str) -> None:
        super().__init__(404, "NoSuchEntity", message)


class EntityAlreadyExists(QueryFault):
    """The name is taken; names differ in more than case."""

    def __init__(self, message: str) -> None:
        super().__init__(409, "EntityAlreadyExists", message)


class DeleteConflict(QueryFault):
    """What is to be deleted still has something, or is still used."""

    def __init__(self, message: str) -> None:
        super().__init__(409, "DeleteConflict", message)


class LimitExceeded(QueryFault):
    """One of AWS's quotas."""

    def __init__(self, message: str) -> None:
        super().__init__(409, "LimitExceeded", message)


class InvalidInput(QueryFault):
    """Members that are each well-formed and wrong together."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "InvalidInput", message)


class UnmodifiableEntity(QueryFault):
    """What only AWS may change."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "UnmodifiableEntity", message)


class PasswordPolicyViolation(QueryFault):
    """A password that the account's password policy does not allow."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "PasswordPolicyViolation", message)


class InvalidUserType(QueryFault):
    """Who asks is no user."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "InvalidUserType", message)


class ReportNotPresent(QueryFault):
    """The account has no credential report."""

    def __init__(self, message: str) -> None:
        super().__init__(410, "ReportNotPresent", message)


class ReportExpired(QueryFault):
    """The account's credential report is too old."""

    def __init__(self, message: str) -> None:
        super().__init__(410, "ReportExpired", message)


class MalformedPolicyDocument(QueryFault):
    """A policy document that cannot be accepted."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "MalformedPolicyDocument", message)


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


# Refusals of documents that are in Fuin's words; AWS's sentences begin in another way.
_OWN_WORDS = re.compile(r"[a-z]|(?:Version|Id) must ")


def malformed(error: MalformedPolicy, *, trusting: bool = False) -> MalformedPolicyDocument:
    """Return the fault for a document; AWS's sentence comes first, which for no JSON is another in trust policies."""
    text = str(error)
    if trusting and "is not valid JSON" in text:
        return MalformedPolicyDocument(f"This policy contains invalid Json: {text}")
    return MalformedPolicyDocument(f"Syntax errors in policy. {text}" if _OWN_WORDS.match(text) else text)


def missing(kind: str, name: str) -> NoSuchEntity:
    """Return the fault of a user, group, role or instance profile that does not exist, or of a policy by its ARN."""
    if kind == "policy":
        return NoSuchEntity(f"Policy {name} was not found.")
    if kind == "instance-profile":
        return NoSuchEntity(f"Instance Profile {name} cannot be found.")
    return NoSuchEntity(f"The {kind} with name {name} cannot be found.")


def taken(kind: str, name: str) -> EntityAlreadyExists:
    """Return the fault of a name that another one of its kind has, in whatever case."""
    if kind == "policy":
        return EntityAlreadyExists(f"A policy called {name} already exists. Duplicate names are not allowed.")
    if kind == "instance-profile":
        return EntityAlreadyExists(f"Instance Profile {name} already exists.")
    return EntityAlreadyExists(f"{kind.capitalize()} with name {name} already exists.")


def refusal(error: StoreRefusal, kind: str, name: str, boundary: str | None = None) -> QueryFault:
    """Return the fault for what the store refuses to do with what has a name: a user, a group, a role, a policy.

    `boundary` is the ARN of the permissions boundary that it has, or was to have.
    """
    match error:
        case NotFound() if str(error) == boundary:
            return NoSuchEntity(f"Scope ARN: {boundary} does not exist or is not attachable.")
        case NotFound() if str(error).startswith("arn:"):  # a policy that was to be attached
            return NoSuchEntity(f"Policy {error} does not exist or is not attachable.")
        case NotFound():
            return missing(kind, name)
        case AlreadyExists():
            return taken(kind, name)
        case TooLong():
            return LimitExceeded(f"Maximum policy size of {error.at_most} bytes exceeded for {kind} {name}")
        case TooMany(what="versions"):
            return LimitExceeded(
                f"A managed policy can have up to {error.at_most} versions. Before you create a new version, you must "
                "delete an existing version."
            )
        case TooMany(what="attached policies"):
            return LimitExceeded(f"Cannot exceed quota for PoliciesPer{kind.capitalize()}: {error.at_most}")
        case TooMany():
            return LimitExceeded(f"Cannot exceed quota for {_QUOTAS[error.what]}: {error.at_most}")
        case TooManyTags():
            return LimitExceeded(f"Cannot exceed quota for TagsPer{kind.title().replace('-', '')}: 50")
        case StillUsed():
            return DeleteConflict(_CONFLICTS[error.what])
        case NoSuchPrincipal():
            return MalformedPolicyDocument(f'Invalid principal in policy: "AWS":"{error.name}"')
    raise error


def wire(error: Exception) -> QueryFault:
    """Return the answer to an error; one that nobody expected is logged and tells nothing."""
    match error:
        case QueryFault():
            return error
        case AccessDenied():
            return QueryFault(403, "AccessDenied", error.sentence)
        case AuthenticationFailed():
            status, code = AUTH_CODES.get(error.reason, _OTHER_AUTH)
            return QueryFault(status, code, error.detail)
        case MalformedPolicy():
            return malformed(error)
        case BodyTooLarge():
            return QueryFault(413, "RequestEntityTooLarge", "The request is too large.")
        case KeyholderUnavailable() | StoreUnavailable():
            return QueryFault(503, "ServiceUnavailable", "The service is unavailable; try again.")
        case Throttled():
            return QueryFault(400, "Throttling", "Rate exceeded")
        case FuinError():
            _log.error("an error that no operation maps: %s", type(error).__name__)
        case _:
            _log.exception("an operation failed", exc_info=error)
    return QueryFault(500, "ServiceFailure", "The request processing has failed because of an unknown error.")
