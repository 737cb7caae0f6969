"""The errors of AWS KMS, and the one place where any error becomes an answer.

Source: the service model (error shapes), the KMS API reference ("Common errors") and answers recorded from AWS. Every
recorded error is HTTP 400; the model marks only DependencyTimeout, KMSInternal and KeyUnavailable as faults (500).
"""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING, NamedTuple

from fuin import errors
from fuin.errors import AuthReason, Fault
from fuin.request import BodyTooLarge

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("fuin.kms")


class AlreadyExistsException(Fault):
    """The alias exists already."""

    code = "AlreadyExistsException"


class CustomKeyStoreNotFoundException(Fault):
    """No custom key store has this id."""

    code = "CustomKeyStoreNotFoundException"


class DisabledException(Fault):
    """The key is disabled."""

    code = "DisabledException"


class DryRunOperationException(Fault):
    """The request would have succeeded, but the DryRun option is set."""

    code = "DryRunOperationException"

    def __init__(self) -> None:
        super().__init__("The request would have succeeded, but the DryRun option is set.")


class IncorrectKeyException(Fault):
    """The named key is not the one that made the ciphertext."""

    code = "IncorrectKeyException"

    def __init__(self) -> None:
        super().__init__("The key ID in the request does not identify a CMK that can perform this operation.")


class InvalidAliasNameException(Fault):
    """The alias name is not valid."""

    code = "InvalidAliasNameException"


class InvalidArnException(Fault):
    """An ARN is not valid."""

    code = "InvalidArnException"


class InvalidCiphertextException(Fault):
    """The ciphertext, its key material or its encryption context does not fit; AWS sends no message."""

    code = "InvalidCiphertextException"


class InvalidGrantTokenException(Fault):
    """A grant token is not valid."""

    code = "InvalidGrantTokenException"


class InvalidKeyUsageException(Fault):
    """The key's usage or spec does not allow this."""

    code = "InvalidKeyUsageException"


class InvalidMarkerException(Fault):
    """The marker is not one that this operation gave out."""

    code = "InvalidMarkerException"


class KMSInternalException(Fault):
    """The server could not finish the request; it may be tried again."""

    code = "KMSInternalException"
    status = 500


class KMSInvalidStateException(Fault):
    """The key's state does not allow this."""

    code = "KMSInvalidStateException"


class LimitExceededException(Fault):
    """A quota is used up."""

    code = "LimitExceededException"


class MalformedPolicyDocumentException(Fault):
    """The key policy is not valid."""

    code = "MalformedPolicyDocumentException"


class NotAuthorizedException(Fault):
    """The name is reserved for AWS; AWS sends no message."""

    code = "NotAuthorizedException"


class NotFoundException(Fault):
    """The key, alias or policy does not exist."""

    code = "NotFoundException"


class SerializationException(Fault):
    """The body is not JSON of the right types; AWS sends no message."""

    code = "SerializationException"


class TagException(Fault):
    """The tags are not valid."""

    code = "TagException"


class UnknownOperationException(Fault):
    """No operation has this name; AWS sends no message."""

    code = "UnknownOperationException"


class UnsupportedOperationException(Fault):
    """The operation or value is one of AWS's that Fuin does not build, or that does not fit the key."""

    code = "UnsupportedOperationException"


class ValidationException(Fault):
    """The input does not satisfy the model's constraints."""

    code = "ValidationException"


class Wire(NamedTuple):
    """An error as it is sent: its code, HTTP status and, mostly, a message."""

    code: str
    status: int
    message: str | None


# Codes of the JSON 1.1 services for a request whose signature does not hold (general protocol, not in the model).
_AUTHENTICATION: Mapping[AuthReason, str] = {
    AuthReason.MISSING: "MissingAuthenticationTokenException",
    AuthReason.MALFORMED: "IncompleteSignatureException",
    AuthReason.INCOMPLETE: "IncompleteSignatureException",
    AuthReason.UNKNOWN_KEY: "UnrecognizedClientException",
}
_RETRY = "The request could not be completed; it can be tried again."


def wire(error: Exception, request_id: str) -> Wire:
    """Return the answer to any error; what is not foreseen becomes InternalFailure without details.

    KMSInternalException with status 500 stands for a keyholder or store that is away, or for key material that the
    store has damaged: all AWS SDKs try again.
    """
    match error:
        case Fault():
            return Wire(error.code, error.status, error.message)
        case errors.AccessDenied():
            return Wire("AccessDeniedException", 400, error.sentence)
        case errors.AuthenticationFailed():
            return Wire(_AUTHENTICATION.get(error.reason, "InvalidSignatureException"), 400, error.detail)
        case errors.MalformedPolicy():
            return Wire("MalformedPolicyDocumentException", 400, str(error))
        case errors.KeyholderUnavailable() | errors.StoreUnavailable() | errors.MaterialDamaged():
            log.error("request %s: %s", request_id, error)
            return Wire(KMSInternalException.code, 500, _RETRY)
        case BodyTooLarge():
            return Wire("RequestEntityTooLargeException", 413, str(error))
    log.error("request %s: %s", request_id, _where(error))
    return Wire("InternalFailure", 500, None)


def _where(error: Exception) -> str:
    """Return the type of an error and the lines it passed, without its text: that may hold request content."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at " + " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
