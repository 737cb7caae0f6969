"""S3's errors of authentication, which are more precise than the reasons that all services share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.errors import AuthenticationFailed, AuthReason
from fuin.s3.request.faults import AUTHENTICATION, S3Fault

if TYPE_CHECKING:
    from fuin.gate.http import Request
    from fuin.signing.sigv4 import Signed

_VERSION_2 = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
_TWO_MECHANISMS = "Only one auth mechanism allowed"
_NO_HASH = "Missing required header for this request: x-amz-content-sha256"
_FORM = (AuthReason.MALFORMED, AuthReason.INCOMPLETE, AuthReason.WRONG_SCOPE)


def fault(error: AuthenticationFailed, request: Request, signed: Signed | None = None) -> S3Fault:
    """Return the S3 error of a failed authentication."""
    authorization = request.headers.get(b"authorization")
    code, text = AUTHENTICATION[error.reason]
    message = error.detail if text is None else text
    if error.reason is AuthReason.UNKNOWN_KEY and signed is not None:
        return S3Fault(code, message, AWSAccessKeyId=signed.credential.access_key_id)
    if error.reason is AuthReason.BAD_SIGNATURE and signed is not None:
        return _mismatch(signed)
    if error.reason not in _FORM:
        return S3Fault(code, message)
    if message.startswith(
        _TWO_MECHANISMS
    ):  # its value may be a secret of another service, so the answer does not repeat it
        return S3Fault("InvalidArgument", message, ArgumentName="Authorization")
    if message in (_VERSION_2, _NO_HASH):
        return S3Fault("InvalidRequest", message)
    if message.startswith("x-amz-content-sha256"):
        return S3Fault("InvalidArgument", message, ArgumentName="x-amz-content-sha256")
    return S3Fault(code if authorization is not None else "AuthorizationQueryParametersError", message)


def _mismatch(signed: Signed) -> S3Fault:
    """Return SignatureDoesNotMatch with the string to sign, which the client can compare; it has no secret in it."""
    return S3Fault(
        "SignatureDoesNotMatch",
        AWSAccessKeyId=signed.credential.access_key_id,
        StringToSign=signed.string_to_sign.decode("latin-1"),
        SignatureProvided=signed.signature,
    )
