"""The texts of errors from Fuin or AWS: which thing, what is wrong with it, and what to do."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
)

from fuin.errors import FuinError

_MISSING, _EXISTS = "does not exist", "exists already"
_WORDS = {
    "NoSuchBucket": "is in a bucket that does not exist",
    "NoSuchKey": _MISSING,
    "NoSuchVersion": _MISSING,
    "NoSuchUpload": _MISSING,
    "404": _MISSING,
    "NotFoundException": _MISSING,
    "NoSuchEntity": _MISSING,
    "NoSuchBucketPolicy": "has no policy",
    "BucketAlreadyOwnedByYou": _EXISTS,
    "BucketAlreadyExists": f"{_EXISTS}, in another account",
    "AlreadyExistsException": _EXISTS,
    "EntityAlreadyExists": _EXISTS,
    "BucketNotEmpty": "is not empty: remove its objects first, with `fuin rm --recursive`",
    "412": "was changed while it was read; try it again",
    "PreconditionFailed": "was changed while it was read; try it again",
}
# What is wrong with the caller, not with the thing.
_CALLER = {
    "InvalidAccessKeyId": "this access key is not known there: see AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_ENDPOINT_URL",
    "InvalidClientTokenId": "this access key is not known there: see AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_ENDPOINT_URL",
    "UnrecognizedClientException": "this access key is not known there: see AWS_ACCESS_KEY_ID, AWS_PROFILE, "
    "AWS_ENDPOINT_URL",
    "SignatureDoesNotMatch": "the secret access key does not belong to the access key: see AWS_SECRET_ACCESS_KEY",
    "InvalidSignatureException": "the secret access key does not belong to the access key: see AWS_SECRET_ACCESS_KEY",
    "ExpiredToken": "the session has ended: take new credentials",
    "ExpiredTokenException": "the session has ended: take new credentials",
    "RequestTimeTooSkewed": "the clocks of this machine and of the server differ too much",
}
_REFUSED = ("AccessDenied", "AccessDeniedException", "403", "UnauthorizedOperation")


class WireError(FuinError):
    """Fuin or AWS refused, or could not be reached; `code` is the code of an error answer, and else empty."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.code = code

    @property
    def is_missing(self) -> bool:
        """Return whether the thing does not exist."""
        return _WORDS.get(self.code) == _MISSING or self.code == "NoSuchBucket"

    @property
    def is_refused(self) -> bool:
        """Return whether the caller has no right to it."""
        return self.code in _REFUSED


def wire_error(error: Exception, about: str) -> WireError:
    """Return the error of a request about something, such as `bucket reports`."""
    if isinstance(error, ClientError):
        found: dict[str, Any] = error.response.get("Error", {})
        code, message = found.get("Code") or "Error", found.get("Message") or ""
        return WireError(_one_line(_answer_text(code, message, about, error.operation_name)), code)
    if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
        return WireError("no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE")
    if isinstance(error, NoRegionError):
        return WireError("no AWS Region: give --region, or set AWS_REGION")
    if isinstance(error, ProfileNotFound):
        return WireError(_one_line(f"{error}: give another --profile, or set AWS_PROFILE"))
    if isinstance(error, SSLError):
        return WireError(_one_line(f"the server's certificate is not trusted: set AWS_CA_BUNDLE ({error})"))
    if isinstance(error, EndpointConnectionError):
        return WireError(_one_line(f"{error} Does the server run there? See AWS_ENDPOINT_URL, or give --endpoint-url"))
    if isinstance(error, HTTPClientError | ConnectionError):
        return WireError(_one_line(f"{about}: the connection failed: {error}"))
    if isinstance(error, ParamValidationError):
        return WireError(_one_line(f"{about} cannot be asked for: {error}"))
    return WireError(_one_line(f"{about}: {error}"))


def _answer_text(code: str, message: str, about: str, operation: str) -> str:
    if code in _CALLER:
        return f"{_CALLER[code]} ({code})"
    if code in _REFUSED:
        why = message if message and message != "Forbidden" else f"no right to {operation}"
        return f"{about} is refused: {why}"
    words = _MISSING if code == "NoSuchBucket" and about.startswith("bucket ") else _WORDS.get(code)
    if words is not None:
        return f"{about} {words}"
    return f"{about}: {code}{': ' if message else ''}{message}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


EXPECTED = (BotoCoreError, ClientError, ValueError)  # ValueError: an endpoint that is not a URL
