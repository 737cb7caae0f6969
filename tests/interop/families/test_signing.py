"""Sign, Verify, GetPublicKey, GenerateMac and VerifyMac."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.interop.families.callers import Caller, Refused, code_of
from tests.interop.families.openssl import OpenSSL

pytestmark = pytest.mark.real
MESSAGE = b"message \x00\xff " * 100


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [
        ("RSA_2048", "RSASSA_PSS_SHA_256"),
        ("ECC_NIST_P256", "ECDSA_SHA_256"),
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512"),
        ("ML_DSA_65", "ML_DSA_SHAKE_256"),
    ],
)
def test_signature_holds_inside_and_outside(kms: Caller, openssl: OpenSSL, spec: str, algorithm: str) -> None:
    """A signature is verified by KMS and, with the public key alone, outside; of another message it is refused."""
    key = kms("CreateKey", KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["Arn"]
    asked = {"KeyId": key, "Message": MESSAGE, "MessageType": "RAW", "SigningAlgorithm": algorithm}
    signed = kms("Sign", **asked)
    assert (signed["KeyId"], signed["SigningAlgorithm"]) == (key, algorithm)
    public = kms("GetPublicKey", KeyId=key)
    assert (public["KeySpec"], public["KeyUsage"]) == (spec, "SIGN_VERIFY")
    assert algorithm in public["SigningAlgorithms"]
    _verify_outside(openssl, public["PublicKey"], algorithm, signed["Signature"])
    assert kms("Verify", **asked, Signature=signed["Signature"])["SignatureValid"] is True
    assert (
        code_of(kms, "Verify", **asked | {"Message": b"other"}, Signature=signed["Signature"])
        == "KMSInvalidSignatureException"
    )


def _verify_outside(openssl: OpenSSL, public: bytes, algorithm: str, signature: bytes) -> None:
    if algorithm != "ML_DSA_SHAKE_256":
        openssl.verify(public, algorithm, MESSAGE, signature)
        return
    key = load_der_public_key(public)  # the openssl command of Debian 12 knows no ML-DSA yet
    assert isinstance(key, MLDSA65PublicKey)
    key.verify(signature, MESSAGE)


def test_digest_is_signed(kms: Caller, openssl: OpenSSL) -> None:
    """A digest made by the client is signed like the message, and one of a wrong length is refused."""
    key = kms("CreateKey", KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    asked = {"KeyId": key, "MessageType": "DIGEST", "SigningAlgorithm": "ECDSA_SHA_384"}
    signature = kms("Sign", **asked, Message=hashlib.sha384(MESSAGE).digest())["Signature"]
    openssl.verify(kms("GetPublicKey", KeyId=key)["PublicKey"], "ECDSA_SHA_384", MESSAGE, signature)
    with pytest.raises(Refused) as refused:
        kms("Sign", **asked, Message=bytes(32))
    assert refused.value.code == "ValidationException"
    assert refused.value.message == "Digest is invalid length for algorithm ECDSA_SHA_384."


def test_mac_is_made_and_verified(kms: Caller) -> None:
    """HMAC: the same message has the same MAC, and another one's is refused."""
    key = kms("CreateKey", KeySpec="HMAC_384", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["Arn"]
    asked = {"KeyId": key, "Message": MESSAGE, "MacAlgorithm": "HMAC_SHA_384"}
    made = kms("GenerateMac", **asked)
    assert (made["KeyId"], len(made["Mac"])) == (key, 48)
    assert kms("GenerateMac", **asked)["Mac"] == made["Mac"]
    assert kms("VerifyMac", **asked, Mac=made["Mac"])["MacValid"] is True
    assert code_of(kms, "VerifyMac", **asked | {"Message": b"other"}, Mac=made["Mac"]) == "KMSInvalidMacException"
