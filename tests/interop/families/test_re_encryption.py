"""ReEncrypt between kinds of keys."""

import pytest

from tests.interop.families.callers import Caller
from tests.interop.families.openssl import OpenSSL

pytestmark = pytest.mark.real
CONTEXT = {"purpose": "test", "größe": "日本"}
OAEP = "RSAES_OAEP_SHA_256"


def test_ciphertext_moves_to_an_rsa_key_and_back(kms: Caller, openssl: OpenSSL) -> None:
    """ReEncrypt from a symmetric key to an RSA key and back; OpenSSL encrypts for the RSA key as well."""
    symmetric = kms("CreateKey")["KeyMetadata"]["Arn"]
    rsa = kms("CreateKey", KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["Arn"]
    sealed = kms("Encrypt", KeyId=symmetric, Plaintext=b"text", EncryptionContext=CONTEXT)["CiphertextBlob"]
    moved = kms("ReEncrypt", CiphertextBlob=sealed, SourceEncryptionContext=CONTEXT, DestinationKeyId=rsa,
                DestinationEncryptionAlgorithm=OAEP)  # fmt: skip
    assert (moved["SourceKeyId"], moved["KeyId"]) == (symmetric, rsa)
    opened = kms("Decrypt", KeyId=rsa, CiphertextBlob=moved["CiphertextBlob"], EncryptionAlgorithm=OAEP)
    assert opened["Plaintext"] == b"text"
    outside = openssl.wrap(kms("GetPublicKey", KeyId=rsa)["PublicKey"], b"from outside")
    back = kms("ReEncrypt", CiphertextBlob=outside, SourceKeyId=rsa, SourceEncryptionAlgorithm=OAEP,
               DestinationKeyId=symmetric)  # fmt: skip
    assert kms("Decrypt", CiphertextBlob=back["CiphertextBlob"])["Plaintext"] == b"from outside"
