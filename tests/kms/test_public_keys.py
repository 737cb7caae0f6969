"""GetPublicKey of every asymmetric key spec."""

import json
from typing import Any

import pytest
from Crypto.PublicKey import MLKEM
from cryptography.hazmat.primitives.serialization import load_der_public_key

from tests.kms import outside
from tests.kms.asking import KeptKey, NewKey, arn_of, members, refusal
from tests.kms.kinds import ALGORITHMS_MEMBER, ASYMMETRIC, KINDS
from tests.support.place import OTHER_ACCOUNT, Place
from tests.support.policies import allow

SIGNER = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
# What `openssl pkey -text` says of a key of the spec.
TEXTS = {
    "RSA_2048": b"(2048 bit)", "RSA_3072": b"(3072 bit)", "RSA_4096": b"(4096 bit)",
    "ECC_NIST_P256": b"NIST CURVE: P-256", "ECC_NIST_P384": b"NIST CURVE: P-384", "ECC_NIST_P521": b"NIST CURVE: P-521",
    "ECC_SECG_P256K1": b"secp256k1", "ECC_NIST_EDWARDS25519": b"ED25519 Public-Key",
}  # fmt: skip
# The length in bytes of a post-quantum key's SubjectPublicKeyInfo (RFC 9881, RFC 9935).
LENGTHS = {
    "ML_DSA_44": 1334, "ML_DSA_65": 1974, "ML_DSA_87": 2614, "ML_KEM_512": 822, "ML_KEM_768": 1206, "ML_KEM_1024": 1590,
}  # fmt: skip


@pytest.mark.parametrize(("spec", "usage"), ASYMMETRIC)
def test_public_key(kms: Any, kept_key: KeptKey, spec: str, usage: str) -> None:
    """The answer holds the key of the spec and what it may be used for; the same key each time."""
    key_id = kept_key(spec, usage)
    answer = members(kms.get_public_key(KeyId=key_id))
    public, algorithms = answer.pop("PublicKey"), answer.pop(ALGORITHMS_MEMBER[usage])
    assert answer == {"KeyId": arn_of(key_id), "KeySpec": spec, "CustomerMasterKeySpec": spec, "KeyUsage": usage}
    assert sorted(algorithms) == sorted(KINDS[spec, usage])
    check_public_key(spec, public)
    assert kms.get_public_key(KeyId=arn_of(key_id))["PublicKey"] == public


def check_public_key(spec: str, public: bytes) -> None:
    """Assert that bytes are a public key of a spec, by openssl or the library that knows it."""
    if spec in TEXTS:
        assert TEXTS[spec] in outside.openssl("pkey", "-pubin", "-inform", "DER", "-in", public, "-noout", "-text")
        return
    assert len(public) == LENGTHS[spec]
    if spec == "ML_KEM_512":
        MLKEM.import_key(public)
    else:
        name = type(load_der_public_key(public)).__name__
        assert name.upper() == f"{spec.replace('_', '')}PUBLICKEY"


@pytest.mark.parametrize(
    ("spec", "usage"), [("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("HMAC_256", "GENERATE_VERIFY_MAC")]
)
def test_keys_without_a_public_key(place: Place, kms: Any, kept_key: KeptKey, spec: str, usage: str) -> None:
    """Symmetric and HMAC keys have none to get; AWS sends no message."""
    key_id = kept_key(spec, usage)
    assert refusal(kms.get_public_key, KeyId=key_id) == ("UnsupportedOperationException", "")
    assert place.last_record().draft["error"] == "UnsupportedOperationException"


def test_states(kms: Any, new_key: NewKey) -> None:
    """The public key of a disabled key is given, whatever AWS's page says; of one that will be deleted it is not."""
    key_id = new_key(**SIGNER)
    kms.disable_key(KeyId=key_id)
    assert kms.get_public_key(KeyId=key_id)["KeyId"] == arn_of(key_id)
    kms.schedule_key_deletion(KeyId=key_id)
    assert refusal(kms.get_public_key, KeyId=key_id)[0] == "KMSInvalidStateException"


def test_rights(place: Place, kms: Any, new_key: NewKey) -> None:
    """GetPublicKey is a right of its own; another account has it by the key policy."""
    key_id = new_key(**SIGNER)
    user = place.kms(place.add_user(allow("kms:Sign", "kms:DescribeKey")))
    code, message = refusal(user.get_public_key, KeyId=key_id)
    assert code == "AccessDeniedException"
    assert f"is not authorized to perform: kms:GetPublicKey on resource: {arn_of(key_id)}" in message
    other = place.kms(place.other_root)
    assert refusal(other.get_public_key, KeyId=arn_of(key_id))[0] == "AccessDeniedException"
    policy = json.loads(kms.get_key_policy(KeyId=key_id)["Policy"])
    principal = {"AWS": f"arn:aws:iam::{OTHER_ACCOUNT}:root"}
    policy["Statement"].append(
        {"Effect": "Allow", "Principal": principal, "Action": "kms:GetPublicKey", "Resource": "*"}
    )
    kms.put_key_policy(KeyId=key_id, Policy=json.dumps(policy))
    assert other.get_public_key(KeyId=arn_of(key_id))["KeyId"] == arn_of(key_id)
    assert refusal(other.sign, KeyId=arn_of(key_id), Message=b"x", SigningAlgorithm="ECDSA_SHA_256")[0] == (
        "AccessDeniedException"
    )


def test_record(place: Place, kms: Any, kept_key: KeptKey) -> None:
    """Getting a public key is a use of the key, and on the record."""
    key_id = kept_key("ECC_NIST_P256", "SIGN_VERIFY")
    kms.get_public_key(KeyId=key_id)
    entry = place.last_record()
    assert (entry.use, entry.outcome, entry.key_id) == ("get-public-key", "ok", key_id)
    assert (entry.draft["use"], entry.draft["key"]) == ("kms:GetPublicKey", arn_of(key_id))
