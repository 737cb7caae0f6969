"""Which KMS error a failure of an external key store proxy is, by the KMS operation that asked it.

Source: "AWS KMS External Key Store Proxy API" 1.0.3, "Error codes", second table; for ConnectCustomKeyStore the service
model's text on ConnectionErrorCode. Cryptographic operations have one error for all (`external.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.model.faults import KmsFault
from fuin.xks.failure import FailureReason

if TYPE_CHECKING:
    from fuin.xks.failure import Failure

# CreateCustomKeyStore and UpdateCustomKeyStore; all else is XksProxyInvalidResponseException.
_OF_KEY_STORE: dict[FailureReason, str] = {
    FailureReason.ACCESS_DENIED: "XksProxyInvalidConfigurationException",
    FailureReason.AUTHENTICATION_FAILED: "XksProxyIncorrectAuthenticationCredentialException",
    FailureReason.DEPENDENCY_TIMEOUT: "XksProxyUriUnreachableException",
    FailureReason.FORBIDDEN: "XksProxyInvalidConfigurationException",
    FailureReason.INVALID_URI_PATH: "XksProxyInvalidConfigurationException",
    FailureReason.NO_TLS: "XksProxyUriUnreachableException",
    FailureReason.THROTTLING: "XksProxyUriUnreachableException",
    FailureReason.TIMED_OUT: "XksProxyUriUnreachableException",
    FailureReason.UNAVAILABLE: "XksProxyUriUnreachableException",
    FailureReason.UNREACHABLE: "XksProxyUriUnreachableException",
}

# CreateKey; all else is CustomKeyStoreInvalidStateException. Two rows differ from the specification, whose errors the
# service model does not have for CreateKey: XksKeyInvalidResponseException for what the proxy does not support, and
# KMSInvalidStateException for access denied.
_OF_KEY: dict[FailureReason, str] = {
    FailureReason.INVALID_KEY_USAGE: "XksKeyInvalidConfigurationException",
    FailureReason.INVALID_STATE: "XksKeyInvalidConfigurationException",
    FailureReason.KEY_NOT_FOUND: "XksKeyNotFoundException",
    FailureReason.UNSUPPORTED_OPERATION: "XksKeyInvalidConfigurationException",
}

# ConnectCustomKeyStore; all else is XKS_PROXY_INVALID_RESPONSE.
_CONNECTION_ERRORS: dict[FailureReason, str] = {
    FailureReason.ACCESS_DENIED: "XKS_PROXY_ACCESS_DENIED",
    FailureReason.AUTHENTICATION_FAILED: "INVALID_CREDENTIALS",
    FailureReason.DEPENDENCY_TIMEOUT: "XKS_PROXY_TIMED_OUT",
    FailureReason.FORBIDDEN: "XKS_PROXY_INVALID_CONFIGURATION",
    FailureReason.INTERNAL: "XKS_PROXY_NOT_REACHABLE",
    FailureReason.INVALID_STATE: "XKS_PROXY_NOT_REACHABLE",
    FailureReason.INVALID_URI_PATH: "XKS_PROXY_INVALID_CONFIGURATION",
    FailureReason.NO_TLS: "XKS_PROXY_INVALID_TLS_CONFIGURATION",
    FailureReason.THROTTLING: "XKS_PROXY_NOT_REACHABLE",
    FailureReason.TIMED_OUT: "XKS_PROXY_TIMED_OUT",
    FailureReason.UNAVAILABLE: "XKS_PROXY_NOT_REACHABLE",
    FailureReason.UNREACHABLE: "XKS_PROXY_NOT_REACHABLE",
}


def key_store_fault(error: Failure) -> KmsFault:
    """Return the error of CreateCustomKeyStore or UpdateCustomKeyStore."""
    return KmsFault(_OF_KEY_STORE.get(error.reason, "XksProxyInvalidResponseException"), error.text)


def key_fault(error: Failure) -> KmsFault:
    """Return the error of CreateKey."""
    return KmsFault(_OF_KEY.get(error.reason, "CustomKeyStoreInvalidStateException"), error.text)


def connection_error(error: Failure) -> str:
    """Return the ConnectionErrorCode of a key store that could not be connected."""
    return _CONNECTION_ERRORS.get(error.reason, "XKS_PROXY_INVALID_RESPONSE")
