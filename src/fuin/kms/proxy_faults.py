"""Which KMS error a failure of an external key store proxy is, by the KMS operation that asked it.

Source: "AWS KMS External Key Store Proxy API" 1.0.3, "Error codes", second table; for ConnectCustomKeyStore the service
model's text on ConnectionErrorCode. Cryptographic operations have one error for all (`external.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.faults import KmsFault
from fuin.xks.failure import Why

if TYPE_CHECKING:
    from fuin.xks.failure import Failure

# CreateCustomKeyStore and UpdateCustomKeyStore; all else is XksProxyInvalidResponseException.
_OF_KEY_STORE: dict[Why, str] = {
    Why.ACCESS_DENIED: "XksProxyInvalidConfigurationException",
    Why.AUTHENTICATION_FAILED: "XksProxyIncorrectAuthenticationCredentialException",
    Why.DEPENDENCY_TIMEOUT: "XksProxyUriUnreachableException",
    Why.FORBIDDEN: "XksProxyInvalidConfigurationException",
    Why.INVALID_URI_PATH: "XksProxyInvalidConfigurationException",
    Why.NO_TLS: "XksProxyUriUnreachableException",
    Why.THROTTLING: "XksProxyUriUnreachableException",
    Why.TIMED_OUT: "XksProxyUriUnreachableException",
    Why.UNAVAILABLE: "XksProxyUriUnreachableException",
    Why.UNREACHABLE: "XksProxyUriUnreachableException",
}

# CreateKey; all else is CustomKeyStoreInvalidStateException. Two rows differ from the specification, whose errors the
# service model does not have for CreateKey: XksKeyInvalidResponseException for what the proxy does not support, and
# KMSInvalidStateException for access denied.
_OF_KEY: dict[Why, str] = {
    Why.INVALID_KEY_USAGE: "XksKeyInvalidConfigurationException",
    Why.INVALID_STATE: "XksKeyInvalidConfigurationException",
    Why.KEY_NOT_FOUND: "XksKeyNotFoundException",
    Why.UNSUPPORTED_OPERATION: "XksKeyInvalidConfigurationException",
}

# ConnectCustomKeyStore; all else is XKS_PROXY_INVALID_RESPONSE.
_CONNECTION_ERRORS: dict[Why, str] = {
    Why.ACCESS_DENIED: "XKS_PROXY_ACCESS_DENIED",
    Why.AUTHENTICATION_FAILED: "INVALID_CREDENTIALS",
    Why.DEPENDENCY_TIMEOUT: "XKS_PROXY_TIMED_OUT",
    Why.FORBIDDEN: "XKS_PROXY_INVALID_CONFIGURATION",
    Why.INTERNAL: "XKS_PROXY_NOT_REACHABLE",
    Why.INVALID_STATE: "XKS_PROXY_NOT_REACHABLE",
    Why.INVALID_URI_PATH: "XKS_PROXY_INVALID_CONFIGURATION",
    Why.NO_TLS: "XKS_PROXY_INVALID_TLS_CONFIGURATION",
    Why.THROTTLING: "XKS_PROXY_NOT_REACHABLE",
    Why.TIMED_OUT: "XKS_PROXY_TIMED_OUT",
    Why.UNAVAILABLE: "XKS_PROXY_NOT_REACHABLE",
    Why.UNREACHABLE: "XKS_PROXY_NOT_REACHABLE",
}


def key_store_fault(error: Failure) -> KmsFault:
    """Return the error of CreateCustomKeyStore or UpdateCustomKeyStore."""
    return KmsFault(_OF_KEY_STORE.get(error.why, "XksProxyInvalidResponseException"), error.text)


def key_fault(error: Failure) -> KmsFault:
    """Return the error of CreateKey."""
    return KmsFault(_OF_KEY.get(error.why, "CustomKeyStoreInvalidStateException"), error.text)


def connection_error(error: Failure) -> str:
    """Return the ConnectionErrorCode of a key store that could not be connected."""
    return _CONNECTION_ERRORS.get(error.why, "XKS_PROXY_INVALID_RESPONSE")
