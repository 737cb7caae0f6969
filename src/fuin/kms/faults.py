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
from fuin.gate.http import BodyTooLarge

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("fuin.kms")


class AlreadyExistsException(Fault):
    """The alias exists already."""

    code = "AlreadyExistsException"


class CloudHsmClusterInUseException(Fault):
    """The CloudHSM cluster has a key store already."""

    code = "CloudHsmClusterInUseException"


class CloudHsmClusterInvalidConfigurationException(Fault):
    """The CloudHSM cluster cannot serve a key store."""

    code = "CloudHsmClusterInvalidConfigurationException"


class CloudHsmClusterNotActiveException(Fault):
    """The CloudHSM cluster is not active."""

    code = "CloudHsmClusterNotActiveException"


class CloudHsmClusterNotFoundException(Fault):
    """No CloudHSM cluster has this id."""

    code = "CloudHsmClusterNotFoundException"


class CloudHsmClusterNotRelatedException(Fault):
    """The CloudHSM cluster has another certificate than the key store's."""

    code = "CloudHsmClusterNotRelatedException"


class ConflictException(Fault):
    """The key is being rotated, or about to be."""

    code = "ConflictException"


class CustomKeyStoreHasCMKsException(Fault):
    """The custom key store still has keys."""

    code = "CustomKeyStoreHasCMKsException"


class CustomKeyStoreInvalidStateException(Fault):
    """The custom key store's connection state does not allow this."""

    code = "CustomKeyStoreInvalidStateException"


class CustomKeyStoreNameInUseException(Fault):
    """A custom key store of the account and Region has this name already."""

    code = "CustomKeyStoreNameInUseException"


class CustomKeyStoreNotFoundException(Fault):
    """No custom key store has this id."""

    code = "CustomKeyStoreNotFoundException"


class DependencyTimeoutException(Fault):
    """Something that the request depends on did not answer in time; it may be tried again."""

    code = "DependencyTimeoutException"
    status = 500


class DisabledException(Fault):
    """The key is disabled."""

    code = "DisabledException"


class DryRunOperationException(Fault):
    """The request would have succeeded, but the DryRun option is set."""

    code = "DryRunOperationException"

    def __init__(self) -> None:
        super().__init__("The request would have succeeded, but the DryRun option is set.")


class ExpiredImportTokenException(Fault):
    """The import token's day is over."""

    code = "ExpiredImportTokenException"


class IncorrectKeyException(Fault):
    """The named key is not the one that made the ciphertext."""

    code = "IncorrectKeyException"

    def __init__(self) -> None:
        super().__init__("The key ID in the request does not identify a CMK that can perform this operation.")


class IncorrectKeyMaterialException(Fault):
    """The key material is not what was expected."""

    code = "IncorrectKeyMaterialException"


class IncorrectTrustAnchorException(Fault):
    """The certificate is not the CloudHSM cluster's trust anchor."""

    code = "IncorrectTrustAnchorException"


class InvalidAliasNameException(Fault):
    """The alias name is not valid."""

    code = "InvalidAliasNameException"


class InvalidArnException(Fault):
    """An ARN is not valid."""

    code = "InvalidArnException"


class InvalidCiphertextException(Fault):
    """The ciphertext, its key material or its encryption context does not fit; AWS sends no message."""

    code = "InvalidCiphertextException"


class InvalidGrantIdException(Fault):
    """The grant id is not valid."""

    code = "InvalidGrantIdException"


class InvalidGrantTokenException(Fault):
    """A grant token is not valid."""

    code = "InvalidGrantTokenException"


class InvalidImportTokenException(Fault):
    """The import token is not valid, or is another key's."""

    code = "InvalidImportTokenException"


class InvalidKeyUsageException(Fault):
    """The key's usage or spec does not allow this."""

    code = "InvalidKeyUsageException"


class InvalidMarkerException(Fault):
    """The marker is not one that this operation gave out."""

    code = "InvalidMarkerException"


class KeyUnavailableException(Fault):
    """The key could not be used; the request may be tried again."""

    code = "KeyUnavailableException"
    status = 500


class KMSInternalException(Fault):
    """The server could not finish the request; it may be tried again."""

    code = "KMSInternalException"
    status = 500


class KMSInvalidMacException(Fault):
    """The MAC is wrong; AWS sends no message."""

    code = "KMSInvalidMacException"


class KMSInvalidSignatureException(Fault):
    """The signature is wrong; AWS sends no message."""

    code = "KMSInvalidSignatureException"


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


class ThrottlingException(Fault):
    """The account asks more often than its request quota allows."""

    code = "ThrottlingException"

    def __init__(self) -> None:
        super().__init__("You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.")


class UnknownOperationException(Fault):
    """No operation has this name; AWS sends no message."""

    code = "UnknownOperationException"


class UnsupportedOperationException(Fault):
    """The operation or value is one of AWS's that Fuin does not build, or that does not fit the key."""

    code = "UnsupportedOperationException"


class ValidationException(Fault):
    """The input does not satisfy the model's constraints."""

    code = "ValidationException"


class XksKeyAlreadyInUseException(Fault):
    """Another KMS key has this external key."""

    code = "XksKeyAlreadyInUseException"


class XksKeyInvalidConfigurationException(Fault):
    """The external key is not one that a KMS key can have."""

    code = "XksKeyInvalidConfigurationException"


class XksKeyNotFoundException(Fault):
    """The proxy knows no such external key."""

    code = "XksKeyNotFoundException"


class XksProxyIncorrectAuthenticationCredentialException(Fault):
    """The proxy does not accept the credential."""

    code = "XksProxyIncorrectAuthenticationCredentialException"


class XksProxyInvalidConfigurationException(Fault):
    """The proxy is not configured as it must be."""

    code = "XksProxyInvalidConfigurationException"


class XksProxyInvalidResponseException(Fault):
    """The proxy's answer cannot be understood."""

    code = "XksProxyInvalidResponseException"


class XksProxyUriEndpointInUseException(Fault):
    """Another external key store has this proxy endpoint."""

    code = "XksProxyUriEndpointInUseException"


class XksProxyUriInUseException(Fault):
    """Another external key store has this proxy endpoint and path."""

    code = "XksProxyUriInUseException"


class XksProxyUriUnreachableException(Fault):
    """The proxy cannot be reached."""

    code = "XksProxyUriUnreachableException"


class XksProxyVpcEndpointServiceInUseException(Fault):
    """Another external key store has this VPC endpoint service."""

    code = "XksProxyVpcEndpointServiceInUseException"


class XksProxyVpcEndpointServiceInvalidConfigurationException(Fault):
    """The VPC endpoint service is not configured as it must be."""

    code = "XksProxyVpcEndpointServiceInvalidConfigurationException"


class XksProxyVpcEndpointServiceNotFoundException(Fault):
    """There is no such VPC endpoint service."""

    code = "XksProxyVpcEndpointServiceNotFoundException"


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
    AuthReason.BAD_SESSION: "UnrecognizedClientException",
    AuthReason.SESSION_EXPIRED: "ExpiredTokenException",
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
