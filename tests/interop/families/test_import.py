"""Import of material that OpenSSL has wrapped."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.interop.families.callers import Caller, code_of
from tests.interop.families.openssl import OpenSSL

pytestmark = pytest.mark.real
FOR_EVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


def _brought(kms: Caller, openssl: OpenSSL, key: str, material: bytes) -> dict[str, Any]:
    """Return the members of an ImportKeyMaterial of `material`, wrapped by OpenSSL."""
    asked = {"KeyId": key, "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
    parameters = kms("GetParametersForImport", **asked)
    assert timedelta(hours=23) < parameters["ParametersValidTo"] - datetime.now(UTC) <= timedelta(hours=24, seconds=5)
    wrapped = openssl.wrap(parameters["PublicKey"], material)
    return {"KeyId": key, "ImportToken": parameters["ImportToken"], "EncryptedKeyMaterial": wrapped}


def test_material_is_imported_deleted_and_brought_again(kms: Caller, openssl: OpenSSL) -> None:
    """Material wrapped by OpenSSL makes a key usable; deleted it is not; the same material brings it back."""
    made = kms("CreateKey", Origin="EXTERNAL")["KeyMetadata"]
    key, material = made["Arn"], secrets.token_bytes(32)
    assert made["KeyState"] == "PendingImport"
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)
    expiry: dict[str, Any] = {"ValidTo": until, "ExpirationModel": "KEY_MATERIAL_EXPIRES"}
    material_id = kms("ImportKeyMaterial", **_brought(kms, openssl, key, material), **expiry)["KeyMaterialId"]
    shown = kms("DescribeKey", KeyId=key)["KeyMetadata"]
    assert (shown["KeyState"], shown["ExpirationModel"], shown["ValidTo"]) == ("Enabled", "KEY_MATERIAL_EXPIRES", until)
    assert shown["CurrentKeyMaterialId"] == material_id
    sealed = kms("Encrypt", KeyId=key, Plaintext=b"text")["CiphertextBlob"]
    kms("DeleteImportedKeyMaterial", KeyId=key)
    assert code_of(kms, "Decrypt", CiphertextBlob=sealed) == "KMSInvalidStateException"
    other = _brought(kms, openssl, key, secrets.token_bytes(32)) | FOR_EVER
    assert code_of(kms, "ImportKeyMaterial", **other) == "IncorrectKeyMaterialException"
    again = kms("ImportKeyMaterial", **_brought(kms, openssl, key, material), **FOR_EVER)
    assert (again["KeyId"], again["KeyMaterialId"]) == (key, material_id)
    assert kms("Decrypt", CiphertextBlob=sealed)["Plaintext"] == b"text"


def test_imported_mac_key_is_the_one_outside(kms: Caller, openssl: OpenSSL) -> None:
    """An HMAC key imported from outside makes the MACs that OpenSSL makes with it."""
    material = secrets.token_bytes(32)
    asked = {"Origin": "EXTERNAL", "KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
    key = kms("CreateKey", **asked)["KeyMetadata"]["Arn"]
    kms("ImportKeyMaterial", **_brought(kms, openssl, key, material), **FOR_EVER)
    made = kms("GenerateMac", KeyId=key, Message=b"message", MacAlgorithm="HMAC_SHA_256")
    assert made["Mac"] == openssl.mac(material, b"message")
