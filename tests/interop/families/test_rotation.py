"""Rotation: automatic, on demand, and what of it is listed."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.interop.families.callers import Caller

pytestmark = pytest.mark.real


def test_key_is_rotated(kms: Caller) -> None:
    """Automatic rotation is set and unset; rotation on demand makes new material, and old ciphertext opens."""
    key = kms("CreateKey")["KeyMetadata"]["Arn"]
    old = kms("Encrypt", KeyId=key, Plaintext=b"text")["CiphertextBlob"]
    kms("EnableKeyRotation", KeyId=key, RotationPeriodInDays=180)
    status = kms("GetKeyRotationStatus", KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 180)
    assert timedelta(days=179) < status["NextRotationDate"] - datetime.now(UTC) < timedelta(days=181)
    kms("DisableKeyRotation", KeyId=key)
    assert kms("GetKeyRotationStatus", KeyId=key)["KeyRotationEnabled"] is False
    first = kms("DescribeKey", KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert kms("RotateKeyOnDemand", KeyId=key)["KeyId"] == key
    second = kms("DescribeKey", KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert second != first
    listed = kms("ListKeyRotations", KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert {one["KeyMaterialId"] for one in listed} == {first, second}
    [rotation] = kms("ListKeyRotations", KeyId=key)["Rotations"]
    assert (rotation["KeyMaterialId"], rotation["RotationType"]) == (second, "ON_DEMAND")
    assert kms("Decrypt", CiphertextBlob=old)["KeyMaterialId"] == first
    made = kms("GenerateDataKey", KeyId=key, KeySpec="AES_128")
    assert (made["KeyMaterialId"], len(made["Plaintext"])) == (second, 16)
