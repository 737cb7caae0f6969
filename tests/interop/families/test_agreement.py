"""Data key pairs, shared secrets and encapsulation, each against an implementation outside of KMS."""

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.interop.families.callers import Caller
from tests.interop.families.openssl import OpenSSL

pytestmark = pytest.mark.real
CONTEXT = {"purpose": "pair"}


def test_data_key_pair_is_a_pair(kms: Caller, openssl: OpenSSL) -> None:
    """The private key's public half is the public key, in plaintext and out of its ciphertext."""
    key = kms("CreateKey")["KeyMetadata"]["Arn"]
    asked = {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256", "EncryptionContext": CONTEXT}
    made = kms("GenerateDataKeyPair", **asked)
    assert (made["KeyId"], made["KeyPairSpec"]) == (key, "ECC_NIST_P256")
    assert openssl.public_of(made["PrivateKeyPlaintext"]) == made["PublicKey"]
    opened = kms("Decrypt", CiphertextBlob=made["PrivateKeyCiphertextBlob"], EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == made["PrivateKeyPlaintext"]
    hidden = kms("GenerateDataKeyPairWithoutPlaintext", **asked)
    assert "PrivateKeyPlaintext" not in hidden
    opened = kms("Decrypt", CiphertextBlob=hidden["PrivateKeyCiphertextBlob"], EncryptionContext=CONTEXT)
    assert openssl.public_of(opened["Plaintext"]) == hidden["PublicKey"]


def test_shared_secret_is_the_same_on_both_sides(kms: Caller, openssl: OpenSSL) -> None:
    """DeriveSharedSecret with a public key of OpenSSL's gives what OpenSSL derives with KMS's."""
    key = kms("CreateKey", KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["Arn"]
    public = kms("GetPublicKey", KeyId=key)
    assert public["KeyAgreementAlgorithms"] == ["ECDH"]
    private = openssl.new_key("P-256")
    derived = kms("DeriveSharedSecret", KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=openssl.public_of(private))
    assert derived["SharedSecret"] == openssl.derive(private, public["PublicKey"])
    assert derived["KeyId"] == key


def test_secret_is_encapsulated(kms: Caller) -> None:
    """Encapsulate's secret comes out of Decapsulate, and so does one that was encapsulated outside."""
    key = kms("CreateKey", KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")["KeyMetadata"]["Arn"]
    public = load_der_public_key(kms("GetPublicKey", KeyId=key)["PublicKey"])
    assert isinstance(public, MLKEM768PublicKey)
    asked = {"KeyId": key, "EncapsulationAlgorithm": "ML_KEM"}
    made = kms("Encapsulate", **asked)
    sealed = made["SharedSecretCiphertextBlob"]
    assert (made["KeyId"], len(made["SharedSecret"]), len(sealed)) == (key, 32, 1088)
    assert kms("Decapsulate", **asked, SharedSecretCiphertextBlob=sealed)["SharedSecret"] == made["SharedSecret"]
    secret, ciphertext = public.encapsulate()
    assert kms("Decapsulate", **asked, SharedSecretCiphertextBlob=ciphertext)["SharedSecret"] == secret
    # A ciphertext that was changed is rejected implicitly: another secret, and no error.
    changed = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    assert kms("Decapsulate", **asked, SharedSecretCiphertextBlob=changed)["SharedSecret"] != secret
