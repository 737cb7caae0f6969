"""The proxy API's four operations, seen from KMS: health, metadata, encrypt, decrypt.

Source: "AWS KMS External Key Store Proxy API" 1.0.3. All raise Failure. No answer of a proxy is trusted: sizes, lengths
and the integrity value are checked, and what it decrypts must still open in the keyholder.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
from typing import TYPE_CHECKING, TypeVar

import msgspec

from fuin.xks.failure import Failure, FailureReason
from fuin.xks.pool import Pool
from fuin.xks.proxy import ExternalCiphertext, KeyDescription, Proxy, RequestMetadata
from fuin.xks.signing import Signer

if TYPE_CHECKING:
    from fuin.keyholder.wire.client import Keyholder
    from fuin.settings import Settings

log = logging.getLogger("fuin.xks")

METADATA_LIMIT, TAG_LENGTH, IV_LENGTHS = 20, 16, (12, 16)  # bytes

_AES_GCM = "AES_GCM"
_SHA_256 = "SHA_256"
_MESSAGE_LIMIT = 512  # characters; the specification's for errorMessage
_STATUSES = {"ACTIVE", "DEGRADED", "UNAVAILABLE"}
_REASONS = {reason.value: reason for reason in FailureReason if reason.value.endswith("Exception")}

T = TypeVar("T")
_encode = msgspec.json.Encoder().encode


class _RequestBody(msgspec.Struct, omit_defaults=True, rename="camel"):
    """The body of any request."""

    request_metadata: RequestMetadata
    plaintext: bytes | None = None
    ciphertext: bytes | None = None
    ciphertext_metadata: bytes | None = None
    initialization_vector: bytes | None = None
    authentication_tag: bytes | None = None
    additional_authenticated_data: bytes | None = None
    encryption_algorithm: str | None = None
    ciphertext_data_integrity_value_algorithm: str | None = None

    def __repr__(self) -> str:
        return "_Request(...)"


class _ErrorAnswer(msgspec.Struct, rename="camel"):
    error_name: str
    error_message: str | None = None


class _Manager(msgspec.Struct, rename="camel"):
    id: str
    model: str
    health_status: str


class _HealthAnswer(msgspec.Struct, rename="camel"):
    xks_proxy_fleet_size: int
    xks_proxy_vendor: str
    xks_proxy_model: str
    ekm_vendor: str
    ekm_fleet_details: list[_Manager]


class _EncryptAnswer(msgspec.Struct, rename="camel"):
    ciphertext: bytes
    initialization_vector: bytes
    authentication_tag: bytes
    ciphertext_data_integrity_value: bytes
    ciphertext_metadata: bytes | None = None


class _DecryptAnswer(msgspec.Struct):
    plaintext: bytes

    def __repr__(self) -> str:
        return "_DecryptAnswer(...)"


class Proxies:
    """All proxies that one worker asks; the keyholder derives the keys that sign."""

    def __init__(self, settings: Settings, keyholder: Keyholder) -> None:
        self._pool = Pool(settings)
        self._signer = Signer(keyholder)

    async def close(self) -> None:
        """Close the idle connections."""
        await self._pool.close()

    async def health(self, proxy: Proxy, request_metadata: RequestMetadata) -> None:
        """Return if the proxy is healthy and an external key manager behind it can serve; else raise Failure."""
        answer = await self._ask(proxy, "/health", _RequestBody(request_metadata), _HealthAnswer)
        managers = answer.ekm_fleet_details
        if answer.xks_proxy_fleet_size < 1 or not 1 <= len(managers) <= 10:
            raise Failure(FailureReason.MALFORMED)
        if any(manager.health_status not in _STATUSES for manager in managers):
            raise Failure(FailureReason.MALFORMED)
        if all(manager.health_status == "UNAVAILABLE" for manager in managers):
            raise Failure(FailureReason.UNAVAILABLE)

    async def metadata(self, proxy: Proxy, key: str, request_metadata: RequestMetadata) -> KeyDescription:
        """Return the description of an external key."""
        return await self._ask(proxy, f"/keys/{key}/metadata", _RequestBody(request_metadata), KeyDescription)

    async def encrypt(
        self, proxy: Proxy, key: str, plaintext: bytes, aad: bytes, request_metadata: RequestMetadata
    ) -> ExternalCiphertext:
        """Encrypt up to 4,300 bytes under an external key, bound to `aad`."""
        request = _RequestBody(
            request_metadata,
            plaintext=plaintext,
            additional_authenticated_data=aad,
            encryption_algorithm=_AES_GCM,
            ciphertext_data_integrity_value_algorithm=_SHA_256,
        )
        answer = await self._ask(proxy, f"/keys/{key}/encrypt", request, _EncryptAnswer)
        metadata = answer.ciphertext_metadata or b""
        iv, tag, ciphertext = answer.initialization_vector, answer.authentication_tag, answer.ciphertext
        if len(metadata) > METADATA_LIMIT or len(iv) not in IV_LENGTHS or len(tag) != TAG_LENGTH:
            raise Failure(FailureReason.MALFORMED)
        value = hashlib.sha256(b"".join((aad, metadata, iv, ciphertext, tag))).digest()
        if len(ciphertext) != len(plaintext) or not hmac.compare_digest(value, answer.ciphertext_data_integrity_value):
            raise Failure(FailureReason.MALFORMED)
        return ExternalCiphertext(ciphertext, metadata, iv, tag)

    async def decrypt(
        self, proxy: Proxy, key: str, encrypted: ExternalCiphertext, aad: bytes, request_metadata: RequestMetadata
    ) -> bytes:
        """Return the plaintext of a ciphertext under an external key with the same `aad`."""
        request = _RequestBody(
            request_metadata,
            ciphertext=encrypted.ciphertext,
            ciphertext_metadata=encrypted.metadata or None,
            initialization_vector=encrypted.iv,
            authentication_tag=encrypted.tag,
            additional_authenticated_data=aad,
            encryption_algorithm=_AES_GCM,
        )
        answer = await self._ask(proxy, f"/keys/{key}/decrypt", request, _DecryptAnswer)
        if len(answer.plaintext) != len(encrypted.ciphertext):
            raise Failure(FailureReason.MALFORMED)
        return answer.plaintext

    async def _ask(self, proxy: Proxy, path: str, request: _RequestBody, kind: type[T]) -> T:
        signed = await self._signer.request(proxy, path, _encode(request))
        status, body = await self._pool.ask(proxy.host, signed)
        if status != 200:
            raise Failure(_failure_reason(proxy, status, body))
        try:
            return msgspec.json.decode(body, type=kind)
        except (ValueError, RecursionError):
            raise Failure(FailureReason.MALFORMED) from None


def _failure_reason(proxy: Proxy, status: int, body: bytes) -> FailureReason:
    """Return the reason in an answer other than 200; its message goes to the log, never to the caller."""
    try:
        error = msgspec.json.decode(body, type=_ErrorAnswer)
    except (ValueError, RecursionError):
        return FailureReason.MALFORMED
    message = ascii((error.error_message or "")[:_MESSAGE_LIMIT])
    log.warning("the proxy at %s answered %d %.64r %s", proxy.host, status, error.error_name, message)
    return _REASONS.get(error.error_name, FailureReason.MALFORMED)
