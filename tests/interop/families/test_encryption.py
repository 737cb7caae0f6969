"""Encrypt, Decrypt, data keys and random bytes."""

import pytest

from tests.interop.families.callers import Caller, code_of

pytestmark = pytest.mark.real
CONTEXT = {"purpose": "test", "größe": "日本"}


def test_bytes_are_encrypted_and_decrypted(kms: Caller) -> None:
    """A symmetric key: with its context the plaintext comes back, without it an error."""
    key = kms("CreateKey", Description="encryption")["KeyMetadata"]["Arn"]
    sealed = kms("Encrypt", KeyId=key, Plaintext=bytes(range(256)), EncryptionContext=CONTEXT)
    assert (sealed["KeyId"], sealed["EncryptionAlgorithm"]) == (key, "SYMMETRIC_DEFAULT")
    opened = kms("Decrypt", CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert (opened["KeyId"], opened["Plaintext"]) == (key, bytes(range(256)))
    assert code_of(kms, "Decrypt", CiphertextBlob=sealed["CiphertextBlob"]) == "InvalidCiphertextException"


def test_data_keys_and_random_bytes(kms: Caller) -> None:
    """Data keys with and without plaintext, and GenerateRandom."""
    key = kms("CreateKey")["KeyMetadata"]["Arn"]
    made = kms("GenerateDataKey", KeyId=key, KeySpec="AES_256", EncryptionContext=CONTEXT)
    again = kms("Decrypt", CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT)
    assert again["Plaintext"] == made["Plaintext"]
    hidden = kms("GenerateDataKeyWithoutPlaintext", KeyId=key, NumberOfBytes=17)
    assert "Plaintext" not in hidden
    assert len(kms("Decrypt", CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == 17
    first, second = (kms("GenerateRandom", NumberOfBytes=1024)["Plaintext"] for _ in range(2))
    assert len(first) == len(second) == 1024
    assert first != second
