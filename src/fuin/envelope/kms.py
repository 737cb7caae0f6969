"""The client's side of KMS: a fresh data key for a writer, a decrypted one for a reader, from any AWS KMS endpoint."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)

from fuin.errors import FuinError
from fuin.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

DATA_KEY_LENGTH = 32


class KmsError(FuinError):
    """KMS refused, or could not be reached; the text is one line for a person."""


@dataclass(frozen=True, slots=True)
class MessageDataKey:
    """A data key in plaintext, its ciphertext, and the ARN of the KMS key that encrypted it."""

    plaintext: Secret
    ciphertext: bytes
    key_arn: str


def _region_in_arn(key: str | None) -> str | None:
    """Return the Region that a key's or alias's ARN names, or None if `key` is not an ARN."""
    parts = (key or "").split(":")
    return parts[3] or None if len(parts) >= 6 and parts[0] == "arn" else None


class KmsClient:
    """GenerateDataKey and Decrypt by botocore, with the usual AWS settings for endpoint, Region and credentials."""

    def __init__(self, endpoint_url: str | None = None, region: str | None = None) -> None:
        """Set endpoint and Region; None leaves them to the environment and the AWS configuration files."""
        self._endpoint_url = endpoint_url
        self._region = region
        self._clients: dict[str | None, Any] = {}

    def generate_data_key(self, key: str, context: Mapping[str, str]) -> MessageDataKey:
        """Return a fresh 32-byte data key under `key` (id, ARN, alias name or alias ARN); raises KmsError."""
        answer = self._ask("generate_data_key", key, KeyId=key, KeySpec="AES_256", EncryptionContext=dict(context))
        return _data_key(answer, answer["CiphertextBlob"])

    def decrypt(
        self, ciphertext: bytes, key_arn: str, context: Mapping[str, str], *, alias: str | None = None
    ) -> MessageDataKey:
        """Return the data key in `ciphertext`; raises KmsError.

        KMS refuses if the ciphertext is not from the key `key_arn`, or not from the key of `alias`, if that is given.
        """
        answer = self._ask(
            "decrypt", key_arn, KeyId=alias or key_arn, CiphertextBlob=ciphertext, EncryptionContext=dict(context)
        )
        return _data_key(answer, ciphertext)

    def _ask(self, operation: str, key: str, **parameters: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self._client(key), operation)(**parameters)
        except (BotoCoreError, ClientError, ValueError) as error:  # ValueError: an endpoint that is not a URL
            raise KmsError(error_text(error)) from None
        return answer

    def _client(self, key: str) -> Any:
        """Return the client for the given Region, the one in the key's ARN, or the one in the settings."""
        region = self._region or _region_in_arn(key)
        if region not in self._clients:
            self._clients[region] = _new_client(self._endpoint_url, region)
        return self._clients[region]


def _new_client(endpoint_url: str | None, region: str | None) -> Any:
    session = botocore.session.get_session()
    if region is None and session.get_config_variable("region") is None:
        region = os.environ.get("AWS_REGION")  # other SDKs read it, botocore reads AWS_DEFAULT_REGION only
    return session.create_client("kms", region_name=region, endpoint_url=endpoint_url)


def _data_key(answer: Mapping[str, Any], ciphertext: bytes) -> MessageDataKey:
    plaintext = Secret(answer["Plaintext"])
    if len(plaintext) != DATA_KEY_LENGTH:
        raise KmsError(f"KMS answered with a data key of {len(plaintext)} bytes, not {DATA_KEY_LENGTH}")
    return MessageDataKey(plaintext, ciphertext, answer["KeyId"])


def error_text(error: Exception) -> str:
    """Return one line for a person about a failed request to KMS."""
    if isinstance(error, ClientError):
        code, text = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        return _join_lines(f"KMS refused {error.operation_name}: {code}{': ' if text else ''}{text}")
    if isinstance(error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError):
        return "no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
    if isinstance(error, NoRegionError):
        return "no AWS Region: give --region, set AWS_REGION, or name the key by its ARN"
    if isinstance(error, HTTPClientError | ConnectionError):
        return _join_lines(f"KMS cannot be reached: {error}")
    return _join_lines(f"KMS cannot be asked: {error}")


def _join_lines(text: str) -> str:
    return " ".join(text.split())
