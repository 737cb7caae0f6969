"""The four operations of the proxy API, from JSON to JSON."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from fuin.testing.xks_proxy.manager import KeyManager, ManagerCiphertext
from fuin.testing.xks_proxy.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

Document = dict[str, Any]

DATA_LIMIT, AAD_LIMIT, METADATA_LIMIT = 4300, 8192, 20  # bytes; the lowest limits that the specification allows

_USE_METADATA = ("awsPrincipalArn", "kmsKeyArn", "kmsOperation", "kmsRequestId")


def health(vendor: str, status: str, request: Document) -> Document:
    """Return the health of the proxy and its key manager (GetHealthStatus)."""
    _check_request_metadata(request, ("kmsOperation", "kmsRequestId"))
    return {
        "xksProxyFleetSize": 1,
        "xksProxyVendor": vendor,
        "xksProxyModel": "Fuin testing proxy 1",
        "ekmVendor": vendor,
        "ekmFleetDetails": [{"id": "1", "model": "Fuin testing key manager 1", "healthStatus": status}],
    }


def metadata(manager: KeyManager, key_id: str, request: Document) -> Document:
    """Return the description of an external key (GetKeyMetadata)."""
    _check_request_metadata(request, ("awsPrincipalArn", "kmsOperation", "kmsRequestId"))
    key = manager.find(key_id)
    return {"keySpec": key.spec, "keyUsage": list(key.usage), "keyStatus": key.status}


def encrypt(manager: KeyManager, key_id: str, request: Document) -> Document:
    """Encrypt, and decrypt again before answering, in the order of appendix C."""
    _check_request_metadata(request, _USE_METADATA)
    _check_algorithm(request)
    plaintext = _decode_bytes(request, "plaintext", DATA_LIMIT)
    aad = _optional_bytes(request, "additionalAuthenticatedData", AAD_LIMIT)
    encrypted = manager.encrypt(key_id, plaintext, aad)
    answer = {
        "ciphertext": _encode_text(encrypted.ciphertext),
        "ciphertextMetadata": _encode_text(encrypted.metadata),
        "initializationVector": _encode_text(encrypted.iv),
        "authenticationTag": _encode_text(encrypted.tag),
    }
    wanted = request.get("ciphertextDataIntegrityValueAlgorithm")
    if wanted is None:
        return answer
    if wanted != "SHA_256":
        raise Refusal("ValidationException", "ciphertextDataIntegrityValueAlgorithm must be SHA_256.")
    answer["ciphertextDataIntegrityValue"] = _encode_text(encrypted.integrity_value(aad))
    if manager.decrypt(key_id, encrypted, aad) != plaintext:
        raise Refusal("InternalException")
    return answer


def decrypt(manager: KeyManager, key_id: str, request: Document) -> Document:
    """Return the plaintext."""
    _check_request_metadata(request, _USE_METADATA)
    _check_algorithm(request)
    iv, tag = _decode_bytes(request, "initializationVector", 16), _decode_bytes(request, "authenticationTag", 16)
    if len(iv) not in (12, 16) or len(tag) != 16:
        raise Refusal("ValidationException", "The initialization vector or tag has a wrong length.")
    encrypted = ManagerCiphertext(
        _decode_bytes(request, "ciphertext", DATA_LIMIT),
        _optional_bytes(request, "ciphertextMetadata", METADATA_LIMIT),
        iv,
        tag,
    )
    plaintext = manager.decrypt(key_id, encrypted, _optional_bytes(request, "additionalAuthenticatedData", AAD_LIMIT))
    return {"plaintext": _encode_text(plaintext)}


def _check_request_metadata(request: Document, names: tuple[str, ...]) -> None:
    found: Mapping[str, Any] = request.get("requestMetadata", {})
    for name in names:
        if not isinstance(found, dict) or not isinstance(found.get(name), str):
            raise Refusal("ValidationException", f"requestMetadata.{name} is missing.")


def _check_algorithm(request: Document) -> None:
    if request.get("encryptionAlgorithm") != "AES_GCM":
        raise Refusal("ValidationException", "encryptionAlgorithm must be AES_GCM.")


def _optional_bytes(request: Document, name: str, limit: int) -> bytes:
    return _decode_bytes(request, name, limit) if name in request else b""


def _decode_bytes(request: Document, name: str, limit: int) -> bytes:
    try:
        value = base64.b64decode(request[name], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise Refusal("ValidationException", f"{name} is missing or not Base64.") from None
    if len(value) > limit:
        raise Refusal("UnsupportedOperationException", f"{name} is too long.")
    return value


def _encode_text(value: bytes) -> str:
    return base64.b64encode(value).decode()
