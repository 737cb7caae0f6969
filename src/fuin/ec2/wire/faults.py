"""The errors of EC2, and how each exception becomes one of them.

Sources: EC2 API reference, "Error codes"; answers of AWS that clients have recorded. The texts of most codes name what
they are about, so they are written where they are raised.
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
    StoreUnavailable,
    UnstorableText,
)
from fuin.gate.http import BodyTooLarge, ClientGone
from fuin.gate.throttle import Throttled

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger("fuin.ec2")
_UNAUTHORIZED = "You are not authorized to perform this operation."

FAULTS: Mapping[str, FaultRow] = {
    "AuthFailure": FaultRow(401, "AWS was not able to validate the provided access credentials"),
    "ClientGone": FaultRow(text="The client closed the connection."),  # on the record only
    "ConcurrentSnapshotLimitExceeded": FaultRow(),
    "CustomerKeyHasBeenRevoked": FaultRow(),
    "DryRunOperation": FaultRow(412, "Request would have succeeded, but DryRun flag is set."),
    "FilterLimitExceeded": FaultRow(),
    "IdempotentParameterMismatch": FaultRow(),
    "IncompleteSignature": FaultRow(),
    "IncorrectState": FaultRow(),
    "InternalError": FaultRow(500, "An internal error has occurred"),
    "InvalidAction": FaultRow(),
    "InvalidAttachment.NotFound": FaultRow(),
    "InvalidID": FaultRow(),
    "InvalidInstanceID.NotFound": FaultRow(),
    "InvalidKmsKeyId": FaultRow(),
    "InvalidNextToken": FaultRow(),
    "InvalidParameterCombination": FaultRow(),
    "InvalidParameterDependency": FaultRow(),
    "InvalidParameterValue": FaultRow(),
    "InvalidSnapshot.InUse": FaultRow(),
    "InvalidSnapshot.NotFound": FaultRow(),
    "InvalidUserID.Malformed": FaultRow(),
    "InvalidVolume.NotFound": FaultRow(),
    "InvalidVolume.ZoneMismatch": FaultRow(),
    "InvalidZone.NotFound": FaultRow(),
    "MalformedQueryString": FaultRow(text="The query string contains a syntax error."),
    "MissingAuthenticationToken": FaultRow(403),
    "MissingParameter": FaultRow(),
    "NoSuchVersion": FaultRow(),
    "OperationNotPermitted": FaultRow(),
    "RequestEntityTooLarge": FaultRow(413, "The request is too large."),
    "RequestExpired": FaultRow(),
    "RequestLimitExceeded": FaultRow(503, "Request limit exceeded."),
    "ResourceLimitExceeded": FaultRow(),
    "TagLimitExceeded": FaultRow(),
    "UnauthorizedOperation": FaultRow(403, _UNAUTHORIZED),
    "Unavailable": FaultRow(503, "The service is unavailable; try again."),
    "UnknownParameter": FaultRow(),
    "UnsupportedOperation": FaultRow(),
    "VolumeInUse": FaultRow(),
    "VolumeModificationRateExceeded": FaultRow(),
}
_AUTHENTICATION: Mapping[AuthReason, str] = {
    AuthReason.MISSING: "MissingAuthenticationToken",
    AuthReason.MALFORMED: "IncompleteSignature",
    AuthReason.INCOMPLETE: "IncompleteSignature",
    AuthReason.SKEWED: "RequestExpired",
    AuthReason.EXPIRED: "RequestExpired",
    AuthReason.SESSION_EXPIRED: "RequestExpired",
}


class Ec2Fault(Fault):
    """An error answer of EC2."""

    table = FAULTS


def from_error(error: Exception) -> Ec2Fault:
    """Return the fault for an error; an unexpected error is logged, and its fault shows no details."""
    match error:
        case Ec2Fault():
            return error
        case AccessDenied():
            return Ec2Fault("UnauthorizedOperation", f"{_UNAUTHORIZED} {error.sentence}".rstrip())
        case AuthenticationFailed() if error.reason in _AUTHENTICATION:
            return Ec2Fault(_AUTHENTICATION[error.reason], error.detail)
        case AuthenticationFailed():
            return Ec2Fault("AuthFailure")
        case UnstorableText():
            return Ec2Fault("InvalidParameterValue", str(error))
        case ClientGone():
            return Ec2Fault("ClientGone")
        case BodyTooLarge():
            return Ec2Fault("RequestEntityTooLarge")
        case KeyholderUnavailable() | StoreUnavailable():
            return Ec2Fault("Unavailable")
        case Throttled():
            return Ec2Fault("RequestLimitExceeded")
        case FuinError():
            _log.error("an error that no operation maps: %s", type(error).__name__)
        case _:
            _log.exception("an operation failed", exc_info=error)
    return Ec2Fault("InternalError")
