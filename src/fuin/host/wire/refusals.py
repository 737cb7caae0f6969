"""The two ways in which a request of a host fails: the server says no, or no answer comes."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from fuin.host.programs import HostError


class Refusal(HostError):
    """The server or KMS says no; `code` says why."""

    def __init__(self, operation: str, code: str, message: str) -> None:
        super().__init__(" ".join(f"{operation} was refused: {code}: {message}".split()))
        self.code = code


class Unreachable(HostError):
    """No answer came, or one that says that the server is not well."""

    def __init__(self, name: str, error: object) -> None:
        super().__init__(" ".join(f"{name} cannot be reached: {error}".split()))


def translate(error: BotoCoreError | ClientError | ValueError) -> HostError:
    """Return our error for one of botocore's."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return Unreachable(
            "the server", "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
        )
    if not isinstance(error, ClientError):
        return Unreachable("the server", error)
    found = error.response.get("Error", {})
    if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
        return Unreachable("the server", f"it answered {found.get('Code', '')}")
    return Refusal(error.operation_name, found.get("Code", ""), found.get("Message", ""))
