"""S3's errors: their codes, statuses and texts, and the one place where every other error becomes one of them.

Source: Amazon S3 API Reference, "Error responses"; texts recorded from AWS where the facts hold them.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fuin.access.bucket_policy import Refused
from fuin.errors import (
    AccessDenied,
    AuthenticationFailed,
    AuthReason,
    Fault,
    FaultRow,
    FormatError,
    KeyholderUnavailable,
    MalformedPolicy,
    StoreUnavailable,
    UnstorableText,
)
from fuin.gate.http import BodyTooLarge, ClientGone
from fuin.gate.throttle import Throttled
from fuin.s3.request import xml
from fuin.store import errors as store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.access.vocabulary.missing_capabilities import Capability

log = logging.getLogger("fuin.s3")

LOCKED = "Access Denied because object protected by object lock."  # of an AccessDenied
_SAID_AT_MOST = 4096  # characters of an element; the longest key has 3,072 when all of it is percent-encoded

FAULTS: Mapping[str, FaultRow] = {
    "AccessControlListNotSupported": FaultRow(400, "The bucket does not allow ACLs"),
    "AccessDenied": FaultRow(403, "Access Denied"),
    "AccessForbidden": FaultRow(403, "CORSResponse: CORS is not enabled for this bucket."),
    "AuthorizationHeaderMalformed": FaultRow(400, "The authorization header is malformed"),
    "AuthorizationQueryParametersError": FaultRow(400, "Error parsing the X-Amz-Credential parameter"),
    "BadDigest": FaultRow(400, "The Content-MD5 you specified did not match what we received."),
    "BadRequest": FaultRow(400),
    "BucketAlreadyExists": FaultRow(
        409,
        (
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again."
        ),
    ),
    "BucketAlreadyOwnedByYou": FaultRow(
        409,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    "BucketNotEmpty": FaultRow(409, "The bucket you tried to delete is not empty"),
    "ClientGone": FaultRow(text="The client closed the connection."),  # on the record only
    "EntityTooLarge": FaultRow(400, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": FaultRow(400, "Your proposed upload is smaller than the minimum allowed size"),
    "ExpiredToken": FaultRow(400, "The provided token has expired."),
    "IllegalLocationConstraintException": FaultRow(400, "The specified location-constraint is not valid"),
    "IllegalVersioningConfigurationException": FaultRow(
        400,
        "The versioning configuration specified in the request is invalid.",
    ),
    "IncompleteBody": FaultRow(
        400, "You did not provide the number of bytes specified by the Content-Length HTTP header"
    ),
    "IncorrectNumberOfFilesInPostRequest": FaultRow(400, "POST requires exactly one file upload per request."),
    "InternalError": FaultRow(500, "We encountered an internal error. Please try again."),
    "InvalidAccessKeyId": FaultRow(403, "The AWS Access Key Id you provided does not exist in our records."),
    "InvalidArgument": FaultRow(400, "Invalid Argument"),
    "InvalidBucketAclWithObjectOwnership": FaultRow(
        400,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    ),
    "InvalidBucketState": FaultRow(409, "The request is not valid for the current state of the bucket."),
    "InvalidBucketName": FaultRow(400, "The specified bucket is not valid."),
    "InvalidBucketOwnerAWSAccountID": FaultRow(
        400,
        "The value of the expected bucket owner parameter must be an AWS Account ID...",
    ),
    "InvalidEncryptionAlgorithmError": FaultRow(
        400, "The Encryption request you specified is not valid. Supported value: AES256."
    ),
    "InvalidDigest": FaultRow(400, "The Content-MD5 you specified was invalid."),
    "InvalidLocationConstraint": FaultRow(400),
    "InvalidPart": FaultRow(
        400,
        (
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
            "specified entity tag may not match the part's entity tag."
        ),
    ),
    "InvalidPartNumber": FaultRow(416, "The requested partnumber is not satisfiable"),
    "InvalidPartOrder": FaultRow(
        400,
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    ),
    "InvalidPolicyDocument": FaultRow(
        400, "The content of the form does not meet the conditions specified in the policy document."
    ),
    "InvalidRange": FaultRow(416, "The requested range is not satisfiable"),
    "InvalidRequest": FaultRow(400, "Invalid Request"),
    "InvalidStorageClass": FaultRow(400, "The storage class you specified is not valid"),
    "InvalidTag": FaultRow(400, "The TagKey you have provided is invalid"),
    "InvalidToken": FaultRow(400, "The provided token is malformed or otherwise invalid."),
    "InvalidURI": FaultRow(400, "Couldn't parse the specified URI."),
    "KeyTooLongError": FaultRow(400, "Your key is too long"),
    "MalformedPOSTRequest": FaultRow(400, "The body of your POST request is not well-formed multipart/form-data."),
    "MalformedPolicy": FaultRow(400, "Policies must be valid JSON and the first byte must be '{'"),
    "MalformedTrailerError": FaultRow(
        400,
        ("The request contained trailing data that was not well-formed or did not conform to our published schema."),
    ),
    "MalformedXML": FaultRow(
        400, "The XML you provided was not well-formed or did not validate against our published schema"
    ),
    "MaxMessageLengthExceeded": FaultRow(400, "Your request was too large."),
    "MaxPostPreDataLengthExceeded": FaultRow(400, "Your POST request fields preceeding the upload file was too large."),
    "MetadataConfigurationNotFound": FaultRow(404, "The metadata configuration does not exist."),
    "MetadataTooLarge": FaultRow(400, "Your metadata headers exceed the maximum allowed metadata size"),
    "MethodNotAllowed": FaultRow(405, "The specified method is not allowed against this resource."),
    "MissingContentLength": FaultRow(411, "You must provide the Content-Length HTTP header."),
    "MissingSecurityHeader": FaultRow(400, "Your request was missing a required header"),
    "NoSuchBucket": FaultRow(404, "The specified bucket does not exist"),
    "NoSuchBucketPolicy": FaultRow(404, "The bucket policy does not exist"),
    "NoSuchKey": FaultRow(404, "The specified key does not exist."),
    "NoSuchVersion": FaultRow(404, "The specified version does not exist."),
    "NoSuchUpload": FaultRow(
        404,
        (
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or "
            "completed."
        ),
    ),
    "NoSuchCORSConfiguration": FaultRow(404, "The CORS configuration does not exist"),
    "NoSuchObjectLockConfiguration": FaultRow(404, "The specified object does not have a ObjectLock configuration"),
    "NoSuchConfiguration": FaultRow(404, "The specified configuration does not exist."),
    "NoSuchLifecycleConfiguration": FaultRow(404, "The lifecycle configuration does not exist"),
    "NoSuchPublicAccessBlockConfiguration": FaultRow(404, "The public access block configuration was not found"),
    "NoSuchTagSet": FaultRow(404, "The TagSet does not exist"),
    "NoSuchWebsiteConfiguration": FaultRow(404, "The specified bucket does not have a website configuration"),
    "NotImplemented": FaultRow(501, "A header or query you provided implies functionality that is not implemented"),
    "NotModified": FaultRow(304, "Not Modified"),
    "ObjectLockConfigurationNotFoundError": FaultRow(404, "Object Lock configuration does not exist for this bucket"),
    "OwnershipControlsNotFoundError": FaultRow(404, "The bucket ownership controls were not found"),
    "OperationAborted": FaultRow(
        409,
        "A conflicting conditional operation is currently in progress against this resource. Try again.",
    ),
    "PreconditionFailed": FaultRow(412, "At least one of the pre-conditions you specified did not hold"),
    "ReplicationConfigurationNotFoundError": FaultRow(404, "The replication configuration was not found"),
    "RequestTimeTooSkewed": FaultRow(
        403,
        "The difference between the request time and the current time is too large.",
    ),
    "ServiceUnavailable": FaultRow(503, "Service is unable to handle request."),
    "SignatureDoesNotMatch": FaultRow(
        403,
        (
            "The request signature we calculated does not match the signature you provided. Check your key and signing "
            "method."
        ),
    ),
    "SlowDown": FaultRow(503, "Please reduce your request rate."),
    "UnexpectedContent": FaultRow(400, "This request does not support content"),
    "XAmzContentSHA256Mismatch": FaultRow(
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
}

# By the reason of a failed authentication: the code, and S3's text if it says more than the reason's detail.
AUTHENTICATION: dict[AuthReason, tuple[str, str | None]] = {
    AuthReason.MISSING: ("AccessDenied", "Access Denied"),
    AuthReason.MALFORMED: ("AuthorizationHeaderMalformed", None),
    AuthReason.INCOMPLETE: ("AuthorizationHeaderMalformed", None),
    AuthReason.UNKNOWN_KEY: ("InvalidAccessKeyId", FAULTS["InvalidAccessKeyId"].text),
    AuthReason.BAD_SIGNATURE: ("SignatureDoesNotMatch", FAULTS["SignatureDoesNotMatch"].text),
    AuthReason.SKEWED: ("RequestTimeTooSkewed", FAULTS["RequestTimeTooSkewed"].text),
    AuthReason.EXPIRED: ("AccessDenied", "Request has expired"),
    AuthReason.SESSION_EXPIRED: ("ExpiredToken", FAULTS["ExpiredToken"].text),
    AuthReason.BAD_SESSION: ("InvalidToken", FAULTS["InvalidToken"].text),
    AuthReason.PAYLOAD_MISMATCH: ("XAmzContentSHA256Mismatch", None),
    AuthReason.WRONG_SCOPE: ("AuthorizationHeaderMalformed", None),
    AuthReason.UNSIGNED_HEADER: ("AccessDenied", "There were headers present in the request which were not signed"),
}


class S3Fault(Fault):
    """An error of S3; `details` are further elements of its XML, in their order."""

    table = FAULTS

    def __init__(self, code: str, message: str | None = None, **details: str) -> None:
        super().__init__(code, message, **details)
        self.headers: list[tuple[bytes, bytes]] = []  # more headers of the answer


def not_implemented(capability: Capability, header: str | None = None) -> S3Fault:
    """Return the refusal of a request that asks for a missing capability, by a header or in a document."""
    return S3Fault("NotImplemented", capability.message, **({} if header is None else {"Header": header}))


def invalid_argument(name: str, value: str, message: str) -> S3Fault:
    """Return InvalidArgument with the argument's name and value, as AWS does."""
    return S3Fault("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def _authentication_fault(error: AuthenticationFailed) -> S3Fault:
    code, text = AUTHENTICATION[error.reason]
    return S3Fault(code, text if text is not None else error.detail)


def _kms_fault(error: Fault) -> S3Fault:
    if error.status >= 500:
        return S3Fault("ServiceUnavailable")
    return S3Fault(f"KMS.{error.code}", error.message or "")


def _store_fault(error: store.StoreRefusal) -> S3Fault:
    match error:
        case store.NoSuchBucket():
            return S3Fault("NoSuchBucket", BucketName=str(error))
        case store.NoSuchUpload():
            return S3Fault("NoSuchUpload", UploadId=str(error))
        case store.NotFound():
            return S3Fault("NoSuchKey")
        case store.PreconditionFailed():
            return S3Fault("PreconditionFailed", Condition=error.condition)
        case store.InvalidPart():
            return S3Fault("InvalidPart", PartNumber=str(error.number))
        case store.ObjectLocked():
            return S3Fault("AccessDenied", LOCKED)
        case store.BucketNotEmpty():
            return S3Fault("BucketNotEmpty", BucketName=str(error))
    return S3Fault("InternalError")


def from_error(error: Exception, request_id: str) -> S3Fault:
    """Return the S3 error for any exception; an unexpected one is InternalError, and logged with its request id.

    The log gets the exception's type and place, never its values, which may be a client's data.
    """
    match error:
        case S3Fault():
            return error
        case AccessDenied():
            return S3Fault("AccessDenied", error.sentence)
        case Throttled():
            return S3Fault("SlowDown")
        case AuthenticationFailed():
            return _authentication_fault(error)
        case Fault():
            return _kms_fault(error)
        case KeyholderUnavailable() | StoreUnavailable():
            log.warning("request %s: %s", request_id, type(error).__name__)
            return S3Fault("ServiceUnavailable")
        case store.StoreRefusal():
            return _store_fault(error)
        case xml.MalformedDocument():
            return S3Fault("MalformedXML")
        case Refused():
            return S3Fault("MalformedPolicy", str(error), **({"Detail": error.detail} if error.detail else {}))
        case MalformedPolicy():
            return S3Fault("MalformedPolicy", str(error))
        case BodyTooLarge() | ClientGone():
            return S3Fault("ClientGone" if isinstance(error, ClientGone) else "MaxMessageLengthExceeded")
        case FormatError() | UnstorableText():
            return S3Fault("InvalidRequest", str(error))
    log.error("request %s failed: %s at %s", request_id, type(error).__name__, _place(error))
    return S3Fault("InternalError")


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "?"
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


def _shorten(text: str) -> str:
    """Return a request's text, shortened: 32 KiB of `&` would be five times as long when escaped."""
    return text if len(text) <= _SAID_AT_MOST else f"{text[:_SAID_AT_MOST]}…"


def document(fault: S3Fault, resource: str, request_id: str, host_id: str) -> bytes:
    """Return the XML of an error answer."""
    parts = [xml.text("Code", fault.code), xml.text("Message", _shorten(fault.message or ""))]
    parts += [xml.text(name, _shorten(value)) for name, value in fault.details.items()]
    parts += [xml.text("Resource", _shorten(resource)), xml.text("RequestId", request_id), xml.text("HostId", host_id)]
    return xml.bare_document("Error", "".join(parts))
