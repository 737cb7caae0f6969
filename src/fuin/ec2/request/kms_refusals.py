"""What KMS has refused, for the record and for error texts."""

from __future__ import annotations

from fuin.ec2.wire.faults import Ec2Fault
from fuin.errors import AccessDenied, Fault

# What KMS raises when it refuses; anything else is no refusal, but a failure.
REFUSALS = (Fault, AccessDenied)


def cause_of(error: Fault | AccessDenied) -> dict[str, str]:
    """Return KMS's code and text; raises RequestLimitExceeded where KMS has only asked for patience."""
    if isinstance(error, AccessDenied):
        return {"code": "AccessDeniedException", "message": error.sentence}
    if error.code == "ThrottlingException":
        raise Ec2Fault("RequestLimitExceeded")
    return {"code": error.code, "message": error.message or ""}
