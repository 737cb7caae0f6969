"""The errors of AWS KMS, and the one place where any error becomes an answer.

Source: the service model (error shapes), the KMS API reference ("Common errors") and answers recorded from AWS. Every
recorded error is HTTP 400; the model marks only DependencyTimeout, KMSInternal and KeyUnavailable as faults (500).
ServiceUnavailable (503) is a common error of AWS's services, among those that no model has.
"""

from __future__ import annotations

import logging
import traceback
from typing import TYPE_CHECKING

from fuin import errors
from fuin.errors import AuthReason, Fault, FaultRow
from fuin.gate.http import BodyTooLarge, ClientGone

if TYPE_CHECKING:
    from collections.abc import Mapping

log = logging.getLogger("fuin.kms")

# The errors of the service model.
MODELLED: Mapping[str, FaultRow] = {
    "AlreadyExistsException": FaultRow(),
    "CloudHsmClusterInUseException": FaultRow(),
    "CloudHsmClusterInvalidConfigurationException": FaultRow(),
    "CloudHsmClusterNotActiveException": FaultRow(),
    "CloudHsmClusterNotFoundException": FaultRow(),
    "CloudHsmClusterNotRelatedException": FaultRow(),
    "ConflictException": FaultRow(),
    "CustomKeyStoreHasCMKsException": FaultRow(),
    "CustomKeyStoreInvalidStateException": FaultRow(),
    "CustomKeyStoreNameInUseException": FaultRow(),
    "CustomKeyStoreNotFoundException": FaultRow(),
    "DependencyTimeoutException": FaultRow(500),
    "DisabledException": FaultRow(),
    "DryRunOperationException": FaultRow(text="The request would have succeeded, but the DryRun option is set."),
    "ExpiredImportTokenException": FaultRow(),
    "IncorrectKeyException": FaultRow(
        text="The key ID in the request does not identify a CMK that can perform this operation."
    ),
    "IncorrectKeyMaterialException": FaultRow(),
    "IncorrectTrustAnchorException": FaultRow(),
    "InvalidAliasNameException": FaultRow(),
    "InvalidArnException": FaultRow(),
    "InvalidCiphertextException": FaultRow(),
    "InvalidGrantIdException": FaultRow(),
    "InvalidGrantTokenException": FaultRow(),
    "InvalidImportTokenException": FaultRow(),
    "InvalidKeyUsageException": FaultRow(),
    "InvalidMarkerException": FaultRow(),
    "KMSInternalException": FaultRow(500),
    "KMSInvalidMacException": FaultRow(),
    "KMSInvalidSignatureException": FaultRow(),
    "KMSInvalidStateException": FaultRow(),
    "KeyUnavailableException": FaultRow(500),
    "LimitExceededException": FaultRow(),
    "MalformedPolicyDocumentException": FaultRow(),
    "NotFoundException": FaultRow(),
    "TagException": FaultRow(),
    "UnsupportedOperationException": FaultRow(),
    "XksKeyAlreadyInUseException": FaultRow(),
    "XksKeyInvalidConfigurationException": FaultRow(),
    "XksKeyNotFoundException": FaultRow(),
    "XksProxyIncorrectAuthenticationCredentialException": FaultRow(),
    "XksProxyInvalidConfigurationException": FaultRow(),
    "XksProxyInvalidResponseException": FaultRow(),
    "XksProxyUriEndpointInUseException": FaultRow(),
    "XksProxyUriInUseException": FaultRow(),
    "XksProxyUriUnreachableException": FaultRow(),
    "XksProxyVpcEndpointServiceInUseException": FaultRow(),
    "XksProxyVpcEndpointServiceInvalidConfigurationException": FaultRow(),
    "XksProxyVpcEndpointServiceNotFoundException": FaultRow(),
}
# The general errors of AWS's JSON protocol, in no service's model.
_RETRY = "The request could not be completed; it can be tried again."
GENERAL: Mapping[str, FaultRow] = {
    "AccessDeniedException": FaultRow(),
    "ClientGone": FaultRow(text="The client closed the connection."),  # on the record only
    "ExpiredTokenException": FaultRow(),
    "IncompleteSignatureException": FaultRow(),
    "InternalFailure": FaultRow(500),
    "InvalidSignatureException": FaultRow(),
    "MissingAuthenticationTokenException": FaultRow(),
    "NotAuthorizedException": FaultRow(),
    "RequestEntityTooLargeException": FaultRow(413),
    "SerializationException": FaultRow(),
    "ServiceUnavailable": FaultRow(503, _RETRY),
    "ThrottlingException": FaultRow(
        text="You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
    ),
    "UnknownOperationException": FaultRow(),
    "UnrecognizedClientException": FaultRow(),
    "ValidationException": FaultRow(),
}


FAULTS: Mapping[str, FaultRow] = {**MODELLED, **GENERAL}


class KmsFault(Fault):
    """An error answer of AWS KMS. Where no message is given, AWS sends the one of the table, or none."""

    table = FAULTS


class InvalidArnException(KmsFault):
    """An ARN is not valid; operations that do not model this answer with another error."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidArnException", message)


class InvalidKeyUsageException(KmsFault):
    """The key's usage or spec does not allow this; such a key did not make a ciphertext that somebody brings."""

    def __init__(self, message: str) -> None:
        super().__init__("InvalidKeyUsageException", message)


class NotFoundException(KmsFault):
    """The key, alias or policy does not exist; AWS managed keys are made when they are first asked for."""

    def __init__(self, message: str) -> None:
        super().__init__("NotFoundException", message)


# Codes of the JSON 1.1 services for a request without a valid signature (general protocol, not in the model).
_AUTHENTICATION: Mapping[AuthReason, str] = {
    AuthReason.MISSING: "MissingAuthenticationTokenException",
    AuthReason.MALFORMED: "IncompleteSignatureException",
    AuthReason.INCOMPLETE: "IncompleteSignatureException",
    AuthReason.UNKNOWN_KEY: "UnrecognizedClientException",
    AuthReason.BAD_SESSION: "UnrecognizedClientException",
    AuthReason.SESSION_EXPIRED: "ExpiredTokenException",
}


def from_error(error: Exception, request_id: str) -> KmsFault:
    """Return the answer to any error; one that nobody foresaw becomes InternalFailure without details.

    ServiceUnavailable, whose status is 503, is the answer while the keyholder or the store is away, and on a node
    without its lease: what passes. KMSInternalException, 500, is the one for damaged key material in the store.
    botocore tries both again.
    """
    match error:
        case KmsFault():
            return error
        case errors.AccessDenied():
            return KmsFault("AccessDeniedException", error.sentence)
        case errors.AuthenticationFailed():
            return KmsFault(_AUTHENTICATION.get(error.reason, "InvalidSignatureException"), error.detail)
        case errors.MalformedPolicy():
            return KmsFault("MalformedPolicyDocumentException", str(error))
        case errors.KeyholderUnavailable() | errors.StoreUnavailable():
            log.error("request %s: %s", request_id, error)
            return KmsFault("ServiceUnavailable")
        case errors.MaterialDamaged():
            log.error("request %s: %s", request_id, error)
            return KmsFault("KMSInternalException", _RETRY)
        case errors.UnstorableText():
            return KmsFault("ValidationException", str(error))
        case ClientGone():
            return KmsFault("ClientGone")
        case BodyTooLarge():
            return KmsFault("RequestEntityTooLargeException", str(error))
    log.error("request %s: %s", request_id, _place(error))
    return KmsFault("InternalFailure")


def _place(error: Exception) -> str:
    """Return the type of an error and the lines it passed, without its text: that may hold request content."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{type(error).__name__} at " + " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
