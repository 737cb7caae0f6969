"""The four operations of the proxy API, from JSON to JSON."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from fuin.testing.xks_proxy.manager import Encrypted, KeyManager
from fuin.testing.xks_proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

Document = dict[str, Any]

DATA_LIMIT, AAD_LIMIT, METADATA_LIMIT = 4300, 8192, 20  # bytes; the least that the specification asks for

_OF_A_USE = ("awsPrincipalArn", "kmsKeyArn", "kmsOperation", "kmsRequestId")


def health(vendor: str, status: str, request: Document) -> Document:
    """Return how the proxy and its key manager are (GetHealthStatus)."""
    _request_metadata(request, ("kmsOperation", "kmsRequestId"))
    return {
        "xksProxyFleetSize": 1,
        "xksProxyVendor": vendor,
        "xksProxyModel": "Fuin testing proxy 1",
        "ekmVendor": vendor,
        "ekmFleetDetails": [{"id": "1", "model": "Fuin testing key manager 1", "healthStatus": status}],
    }


def metadata(manager: KeyManager, key_id: str, request: Document) -> Document:
    """Return what an external key is (GetKeyMetadata)."""
    _request_metadata(request, ("awsPrincipalArn", "kmsOperation", "kmsRequestId"))
    key = manager.find(key_id)
    return {"keySpec": key.spec, "keyUsage": list(key.usage), "keyStatus": key.status}


def encrypt(manager: KeyManager, key_id: str, request: Document) -> Document:
    """Encrypt, and decrypt again before answering, in the order of appendix C."""
    _request_metadata(request, _OF_A_USE)
    _algorithm(request)
    plaintext = _bytes(request, "plaintext", DATA_LIMIT)
    aad = _optional(request, "additionalAuthenticatedData", AAD_LIMIT)
    encrypted = manager.encrypt(key_id, plaintext, aad)
    answer = {
        "ciphertext": _text(encrypted.ciphertext),
        "ciphertextMetadata": _text(encrypted.metadata),
        "initializationVector": _text(encrypted.iv),
        "authenticationTag": _text(encrypted.tag),
    }
    wanted = request.get("ciphertextDataIntegrityValueAlgorithm")
    if wanted is None:
        return answer
    if wanted != "SHA_256":
        raise Refusal("ValidationException", "ciphertextDataIntegrityValueAlgorithm must be SHA_256.")
    answer["ciphertextDataIntegrityValue"] = _text(encrypted.integrity_value(aad))
    if manager.decrypt(key_id, encrypted, aad) != plaintext:
        raise Refusal("InternalException")
    return answer


def decrypt(manager: KeyManager, key_id: str, request: Document) -> Document:
    """Return the plaintext."""
    _request_metadata(request, _OF_A_USE)
    _algorithm(request)
    iv, tag = _bytes(request, "initializationVector", 16), _bytes(request, "authenticationTag", 16)
    if len(iv) not in (12, 16) or len(tag) != 16:
        raise Refusal("ValidationException", "The initialization vector or tag has a wrong length.")
    encrypted = Encrypted(
        _bytes(request, "ciphertext", DATA_LIMIT), _optional(request, "ciphertextMetadata", METADATA_LIMIT), iv, tag
    )
    plaintext = manager.decrypt(key_id, encrypted, _optional(request, "additionalAuthenticatedData", AAD_LIMIT))
    return {"plaintext": _text(plaintext)}


def _request_metadata(request: Document, names: tuple[str, ...]) -> None:
    found: Mapping[str, Any] = request.get("requestMetadata", {})
    for name in names:
        if not isinstance(found, dict) or not isinstance(found.get(name), str):
            raise Refusal("ValidationException", f"requestMetadata.{name} is missing.")


def _algorithm(request: Document) -> None:
    if request.get("encryptionAlgorithm") != "AES_GCM":
        raise Refusal("ValidationException", "encryptionAlgorithm must be AES_GCM.")


def _optional(request: Document, name: str, limit: int) -> bytes:
    return _bytes(request, name, limit) if name in request else b""


def _bytes(request: Document, name: str, limit: int) -> bytes:
    try:
        value = base64.b64decode(request[name], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise Refusal("ValidationException", f"{name} is missing or not Base64.") from None
    if len(value) > limit:
        raise Refusal("UnsupportedOperationException", f"{name} is too long.")
    return value


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
