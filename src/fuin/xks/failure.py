"""The reasons why a request to an external key store proxy failed, with AWS's text for each.

Source: "AWS KMS External Key Store Proxy API" 1.0.3, the two tables under "Error codes". Which KMS error carries the
text depends on the KMS operation (`kms/key_stores/external.py`).
"""

from __future__ import annotations

import enum

from fuin.errors import FuinError


class FailureReason(enum.Enum):
    """The failure scenarios of the specification; the values of those that a proxy sends are its error names."""

    ACCESS_DENIED = "AccessDeniedException"
    AUTHENTICATION_FAILED = "AuthenticationFailedException"
    DEPENDENCY_TIMEOUT = "DependencyTimeoutException"
    INTERNAL = "InternalException"
    INVALID_CIPHERTEXT = "InvalidCiphertextException"
    INVALID_KEY_USAGE = "InvalidKeyUsageException"
    INVALID_STATE = "InvalidStateException"
    INVALID_URI_PATH = "InvalidUriPathException"
    KEY_NOT_FOUND = "KeyNotFoundException"
    THROTTLING = "ThrottlingException"
    UNSUPPORTED_OPERATION = "UnsupportedOperationException"
    VALIDATION = "ValidationException"
    # reasons that no proxy sends
    FORBIDDEN = "forbidden"  # by this server's settings
    UNREACHABLE = "unreachable"
    NO_TLS = "no TLS"
    TIMED_OUT = "timed out"
    MALFORMED = "malformed"  # the answer, not the request
    UNAVAILABLE = "unavailable"  # healthy proxy, but no external key manager behind it is
    DISCONNECTED = "disconnected"  # the key store is not CONNECTED
    WRONG_CIPHERTEXT = "wrong ciphertext"  # the proxy decrypted to something that Fuin did not encrypt


_MALFORMED = (
    "AWS KMS cannot interpret the response from the external key store proxy. If you see this error repeatedly, "
    "report it to your external key store proxy administrator."
)
_NO_MANAGER = (
    "The external key store proxy rejected the request because it cannot communicate with the external key manager. "
    "Verify that the external key store proxy configuration is correct and that the external key manager is available."
)
TEXTS: dict[FailureReason, str] = {
    FailureReason.ACCESS_DENIED: (
        "The external key store proxy denied access to the operation. Verify that the user and the external key are "
        "both authorized for this operation, and try the request again."
    ),
    FailureReason.AUTHENTICATION_FAILED: (
        "The external key store proxy rejected the request because it could not authenticate AWS KMS. Verify the XKS "
        "proxy authentication credentials for your external key store and update if necessary."
    ),
    FailureReason.DEPENDENCY_TIMEOUT: (
        "The external key store proxy did not respond to the request in the time allotted. Retry the request. If you "
        "see this error repeatedly, report it to your external key store proxy administrator."
    ),
    FailureReason.DISCONNECTED: (
        "This KMS key is in a custom key store that is not connected to its external key store proxy. Connect the "
        "external key store and try the request again."
    ),
    FailureReason.FORBIDDEN: (
        "The administrator of this server does not allow an external key store proxy at this endpoint."
    ),
    FailureReason.INTERNAL: _NO_MANAGER,
    FailureReason.INVALID_CIPHERTEXT: (
        "The external key store proxy rejected the request because the specified ciphertext or encryption context is "
        "corrupted, missing, or otherwise invalid."
    ),
    FailureReason.INVALID_KEY_USAGE: (
        "The external key associated with this KMS key in an external key store does not support the requested "
        "operation. Enable the operation on the key in your external key manager, and try the request again."
    ),
    FailureReason.INVALID_STATE: (
        "The external key associated with this KMS key in an external key store is not enabled in the external key "
        "manager. Enable the external key in the external key manager and retry the request."
    ),
    FailureReason.INVALID_URI_PATH: (
        "The external key store proxy rejected the request because of an invalid URI path. Verify the URI path for "
        "your external key store and update if necessary."
    ),
    FailureReason.KEY_NOT_FOUND: (
        "The external key associated with this KMS key in an external key store was not found in its external key "
        "manager. If the external key ID associated with this KMS key is incorrect, create a new KMS key with the "
        "correct external key ID."
    ),
    FailureReason.MALFORMED: _MALFORMED,
    FailureReason.NO_TLS: (
        "AWS KMS cannot establish a TLS connection to the external key store proxy. Verify the TLS configuration, "
        "including its certificate."
    ),
    FailureReason.THROTTLING: (
        "The external key store proxy rejected the request due to a very high request rate. Reduce the frequency of "
        "your calls using KMS keys in this external key store."
    ),
    FailureReason.TIMED_OUT: (
        "AWS KMS rejected the request because the external key store proxy did not respond in time. Retry the "
        "request. If you see this error repeatedly, report it to your external key store proxy administrator."
    ),
    FailureReason.UNAVAILABLE: _NO_MANAGER,
    FailureReason.UNREACHABLE: (
        "AWS KMS cannot communicate with the external key store proxy. This might be a transient network issue. If you "
        "see this error repeatedly, verify that your external key store proxy is active and is connected to the "
        "network, and that its endpoint URI is correct in your external key store."
    ),
    FailureReason.UNSUPPORTED_OPERATION: (
        "The external key store proxy rejected the request because it does not support the requested operation. If "
        "you see this error repeatedly, report it to your external key store proxy administrator."
    ),
    FailureReason.VALIDATION: _MALFORMED,
    FailureReason.WRONG_CIPHERTEXT: (
        "The ciphertext that the external key store proxy submitted for decryption, or the encryption context, is "
        "corrupted, missing, or otherwise invalid."
    ),
}


class Failure(FuinError):
    """A request to an external key store proxy failed; `text` is AWS's, and safe to show to the caller."""

    def __init__(self, reason: FailureReason) -> None:
        super().__init__(f"external key store proxy: {reason.value}")
        self.reason = reason

    @property
    def text(self) -> str:
        """Return AWS's text for the reason."""
        return TEXTS[self.reason]
