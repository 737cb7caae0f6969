"""The errors of IAM and STS, and how whatever is raised becomes one of them, once.

Codes and statuses are those of the service models; the texts are AWS's, as clients have recorded them.
"""

from __future__ import annotations

import logging

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
from fuin.request import BodyTooLarge
from fuin.throttle import Throttled

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


class MalformedPolicyDocument(QueryFault):
    """A policy document that cannot be accepted."""

    def __init__(self, message: str) -> None:
        super().__init__(400, "MalformedPolicyDocument", message)


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
            return MalformedPolicyDocument(str(error))
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
