"""The errors of the EBS direct APIs, and how each exception becomes one of them.

Codes, statuses and reasons are those of botocore's model of `ebs`. Requests without a valid signature get the general
codes of AWS's JSON protocols.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fuin import errors
from fuin.blobs.interface import BlobMissing
from fuin.errors import AuthReason, Fault, FaultRow
from fuin.gate.http import BodyTooLarge, ClientGone
from fuin.gate.throttle import Throttled
from fuin.store.errors import Overtaken

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger("fuin.ebs")

FAULTS: Mapping[str, FaultRow] = {
    "AccessDeniedException": FaultRow(403),
    "ClientGone": FaultRow(text="The client closed the connection."),  # on the record only
    "ConflictException": FaultRow(409),
    "ExpiredTokenException": FaultRow(403),
    "IncompleteSignatureException": FaultRow(403),
    "InternalServerException": FaultRow(500, "An internal error has occurred."),
    "InvalidSignatureException": FaultRow(403),
    "MissingAuthenticationTokenException": FaultRow(403),
    "RequestEntityTooLargeException": FaultRow(413),
    "RequestThrottledException": FaultRow(),
    "ResourceNotFoundException": FaultRow(404),
    "ServiceUnavailable": FaultRow(503, "The request could not be completed; it can be tried again."),
    "UnknownOperationException": FaultRow(404),
    "UnrecognizedClientException": FaultRow(403),
    "ValidationException": FaultRow(),
}
_AUTHENTICATION: Mapping[AuthReason, str] = {
    AuthReason.MISSING: "MissingAuthenticationTokenException",
    AuthReason.MALFORMED: "IncompleteSignatureException",
    AuthReason.INCOMPLETE: "IncompleteSignatureException",
    AuthReason.UNKNOWN_KEY: "UnrecognizedClientException",
    AuthReason.BAD_SESSION: "UnrecognizedClientException",
    AuthReason.SESSION_EXPIRED: "ExpiredTokenException",
}


class EbsFault(Fault):
    """An error answer of the EBS direct APIs."""

    table = FAULTS


def invalid(reason: str, message: str) -> EbsFault:
    """Return a ValidationException."""
    return EbsFault("ValidationException", message, Reason=reason)


def no_snapshot(snapshot: str) -> EbsFault:
    """Return the error for a snapshot that does not exist, or that is not to be seen from here."""
    return EbsFault(
        "ResourceNotFoundException", f"The snapshot '{snapshot[:64]}' does not exist.", Reason="SNAPSHOT_NOT_FOUND"
    )


def key_fault(error: Exception) -> EbsFault | None:
    """Return the error for a refusal of KMS; None for errors that are not KMS's."""
    match error:
        case errors.AccessDenied():
            return EbsFault("AccessDeniedException", error.sentence, Reason="DEPENDENCY_ACCESS_DENIED")
        case Fault() if error.code == "ThrottlingException":
            return EbsFault("RequestThrottledException", error.message, Reason="DEPENDENCY_REQUEST_THROTTLED")
        case Fault() if error.status < 500:
            return invalid("INVALID_CUSTOMER_KEY", error.message or f"The KMS key cannot be used: {error.code}.")
    return None


def from_error(error: Exception, request_id: str) -> EbsFault:
    """Return the error answer for any exception; an unexpected one is logged, and its answer shows no details."""
    match error:
        case EbsFault():
            return error
        case errors.AccessDenied():
            return EbsFault("AccessDeniedException", error.sentence, Reason="UNAUTHORIZED_ACCOUNT")
        case errors.AuthenticationFailed():
            return EbsFault(_AUTHENTICATION.get(error.reason, "InvalidSignatureException"), error.detail)
        case errors.UnstorableText():
            return invalid("INVALID_PARAMETER_VALUE", str(error))
        case ClientGone():
            return EbsFault("ClientGone")
        case BodyTooLarge():
            return EbsFault("RequestEntityTooLargeException", str(error))
        case Throttled():
            return EbsFault("RequestThrottledException", "Rate exceeded", Reason="ACCOUNT_THROTTLED")
        case Overtaken():
            return invalid("CONFLICTING_BLOCK_UPDATE", "A block was put while the snapshot was being completed.")
        case errors.KeyholderUnavailable() | errors.StoreUnavailable():
            _log.error("request %s: %s", request_id, error)
            return EbsFault("ServiceUnavailable")
        case BlobMissing() | errors.TamperedError():
            _log.error("request %s: a snapshot is damaged: %s", request_id, error)
            return EbsFault("InternalServerException", "The snapshot is damaged.")
    _log.error("request %s failed", request_id, exc_info=error)
    return EbsFault("InternalServerException")
