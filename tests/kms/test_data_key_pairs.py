"""Data key pairs of every spec, opened by openssl and the libraries, and by Decrypt."""

from typing import Any

import pytest
from Crypto.PublicKey import MLKEM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from tests.kms import outside
from tests.kms.asking import DRY_RUN, KeptKey, NewKey, arn_of, members, refusal
from tests.kms.kinds import PAIRS
from tests.support.place import Place
from tests.support.policies import allow

CONTEXT = {"purpose": "test"}
OPERATIONS = ("generate_data_key_pair", "generate_data_key_pair_without_plaintext")
ACTIONS = ("kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext")
BOTH = list(zip(OPERATIONS, ACTIONS, strict=True))
P256 = {"KeyPairSpec": "ECC_NIST_P256"}


def public_of(spec: str, private: bytes) -> bytes:
    """Return the public key of a private one, both as DER."""
    if spec == "ML_KEM_512":
        key: Any = MLKEM.import_key(private)
        return bytes(key.public_key().export_key(format="DER"))
    if spec.startswith("ML_KEM"):
        loaded: Any = load_der_private_key(private, None)
        public: bytes = loaded.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return public
    return outside.public_of(private, "DER")


@pytest.mark.parametrize("spec", PAIRS)
def test_pair(kms: Any, kept_key: KeptKey, spec: str) -> None:
    """The private key is the public one's, and Decrypt opens the same private key from the blob."""
    key_id = kept_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    made = members(kms.generate_data_key_pair(KeyId=key_id, KeyPairSpec=spec, EncryptionContext=CONTEXT))
    private, public, blob = (
        made.pop(name) for name in ("PrivateKeyPlaintext", "PublicKey", "PrivateKeyCiphertextBlob")
    )
    material = kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert made == {"KeyId": arn_of(key_id), "KeyPairSpec": spec, "KeyMaterialId": material}
    assert public_of(spec, private) == public
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=CONTEXT)["Plaintext"] == private
    assert refusal(kms.decrypt, CiphertextBlob=blob) == ("InvalidCiphertextException", "")
    if spec.startswith("ML_KEM"):
        assert len(private) == 86  # AWS: in seed format, so of the same length for all


@pytest.mark.parametrize("spec", PAIRS)
def test_pair_without_plaintext(kms: Any, kept_key: KeptKey, spec: str) -> None:
    """The private key comes encrypted only; Decrypt gives it, and it is the public one's."""
    key_id = kept_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    asked = {"KeyId": key_id, "KeyPairSpec": spec, "EncryptionContext": CONTEXT}
    made = members(kms.generate_data_key_pair_without_plaintext(**asked))
    assert made.keys() == {"PrivateKeyCiphertextBlob", "PublicKey", "KeyId", "KeyPairSpec", "KeyMaterialId"}
    assert (made["KeyId"], made["KeyPairSpec"]) == (arn_of(key_id), spec)
    opened = kms.decrypt(CiphertextBlob=made["PrivateKeyCiphertextBlob"], EncryptionContext=CONTEXT)
    assert public_of(spec, opened["Plaintext"]) == made["PublicKey"]


def test_pairs_differ(kms: Any, kept_key: KeptKey) -> None:
    """Each request makes a pair of its own."""
    asked = {"KeyId": kept_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), **P256}
    assert len({kms.generate_data_key_pair(**asked)["PublicKey"] for _ in range(3)}) == 3


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("spec", ["ML_DSA_44", "HMAC_256", "SYMMETRIC_DEFAULT", "AES_256"])
def test_specs_that_are_no_pairs(kms: Any, kept_key: KeptKey, operation: str, spec: str) -> None:
    """What the model does not list is refused by its enumeration."""
    asked = {"KeyId": kept_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), "KeyPairSpec": spec}
    code, message = refusal(getattr(kms, operation), **asked)
    assert code == "ValidationException"
    assert message.startswith(
        f"1 validation error detected: Value '{spec}' at 'keyPairSpec' failed to satisfy constraint: "
        "Member must satisfy enum value set: ["
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_sm2_is_refused(kms: Any, kept_key: KeptKey, operation: str) -> None:
    """SM2 is in the model, and of China Regions only."""
    asked = {"KeyId": kept_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), "KeyPairSpec": "SM2"}
    assert refusal(getattr(kms, operation), **asked) == (
        "UnsupportedOperationException",
        "KeyPairSpec SM2 is not supported in this Region.",
    )


@pytest.mark.parametrize(("operation", "action"), BOTH)
@pytest.mark.parametrize(
    ("spec", "usage"),
    [("ECC_NIST_P256", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC"), ("RSA_2048", "ENCRYPT_DECRYPT")],
)
def test_keys_of_another_kind(kms: Any, kept_key: KeptKey, operation: str, action: str, spec: str, usage: str) -> None:
    """Only symmetric encryption keys encrypt private keys."""
    key_id = kept_key(spec, usage)
    text = f"{arn_of(key_id)} key usage is {usage} which is not valid for {action.removeprefix('kms:')}."
    if usage == "ENCRYPT_DECRYPT":
        text = "You cannot generate a data key with an asymmetric CMK"
    assert refusal(getattr(kms, operation), KeyId=key_id, **P256) == ("InvalidKeyUsageException", text)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("origin", ["EXTERNAL_KEY_STORE", "AWS_CLOUDHSM"])
def test_keys_in_key_stores(place: Place, kms: Any, new_key: NewKey, operation: str, origin: str) -> None:
    """AWS: "You cannot use … a KMS key in a custom key store"."""
    key_id = new_key()
    place.sql("UPDATE keys SET origin = :origin WHERE key_id = :id", origin=origin, id=key_id)
    assert refusal(getattr(kms, operation), KeyId=key_id, **P256) == (
        "UnsupportedOperationException",
        f"{arn_of(key_id)} origin is {origin} which is not valid for this operation.",
    )


def test_recipient_is_refused(kms: Any, kept_key: KeptKey) -> None:
    """A private key meant for an enclave does not leave in the clear."""
    asked = {"KeyId": kept_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), **P256}
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"x"}
    assert refusal(kms.generate_data_key_pair, **asked, Recipient=recipient)[0] == "UnsupportedOperationException"


@pytest.mark.parametrize("operation", OPERATIONS)
def test_dry_run(place: Place, kms: Any, new_key: NewKey, operation: str) -> None:
    """DryRun tries rights and state, and makes no pair."""
    key_id = new_key()
    asked = {"KeyId": key_id, "DryRun": True, **P256}
    assert refusal(getattr(kms, operation), **asked) == DRY_RUN
    assert place.last_record().use == "record"
    assert refusal(getattr(place.kms(place.add_user()), operation), **asked)[0] == "AccessDeniedException"
    kms.disable_key(KeyId=key_id)
    assert refusal(getattr(kms, operation), **asked) == ("DisabledException", f"{arn_of(key_id)} is disabled.")


@pytest.mark.parametrize(("operation", "action"), BOTH)
def test_rights_and_conditions(place: Place, kept_key: KeptKey, operation: str, action: str) -> None:
    """Each of the two is a right of its own; a policy may ask for the pair's spec and the encryption context."""
    key_id = kept_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    others = sorted({*ACTIONS, "kms:GenerateDataKey", "kms:Encrypt"} - {action})
    client = place.kms(place.add_user(allow(*others)))
    code, message = refusal(getattr(client, operation), KeyId=key_id, **P256)
    assert code == "AccessDeniedException"
    assert f"is not authorized to perform: {action} on resource: {arn_of(key_id)}" in message
    policy = allow(action)
    conditions = {"kms:DataKeyPairSpec": "ECC_NIST_P256", "kms:EncryptionContext:purpose": "test"}
    policy["Statement"][0]["Condition"] = {"StringEquals": conditions}
    client = place.kms(place.add_user(policy))
    right = {"KeyId": key_id, "EncryptionContext": CONTEXT}
    getattr(client, operation)(**right, **P256)
    assert refusal(getattr(client, operation), **right, KeyPairSpec="ECC_NIST_P384")[0] == "AccessDeniedException"
    assert refusal(getattr(client, operation), KeyId=key_id, **P256)[0] == "AccessDeniedException"


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "RSA_2048"])
def test_records(place: Place, kms: Any, kept_key: KeptKey, spec: str) -> None:
    """Each use is on the record with its key and its encryption context."""
    key_id = kept_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")
    for operation, action, use in zip(
        OPERATIONS, ACTIONS, ("data-key-pair", "data-key-pair-without-plaintext"), strict=True
    ):
        getattr(kms, operation)(KeyId=key_id, KeyPairSpec=spec, EncryptionContext=CONTEXT)
        entry = place.last_record()
        assert (entry.use, entry.outcome, entry.key_id) == (use, "ok", key_id)
        assert (entry.draft["use"], entry.draft["key"]) == (action, arn_of(key_id))
        assert entry.draft["context"] == CONTEXT
