"""DeriveSharedSecret on every NIST curve, against openssl and between two KMS keys."""

from typing import Any

import pytest

from tests.kms import outside
from tests.kms.asking import DRY_RUN, KeptKey, NewKey, arn_of, import_key, members, refusal
from tests.kms.kinds import NIST
from tests.support.place import Place
from tests.support.policies import allow

CURVES = {"ECC_NIST_P256": ("P-256", 32), "ECC_NIST_P384": ("P-384", 48), "ECC_NIST_P521": ("P-521", 66)}
AGREEMENT = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"}
ECDH = {"KeyAgreementAlgorithm": "ECDH"}
PRIVATE = outside.new_private("P-256")
PEER = outside.public_of(PRIVATE)


@pytest.mark.parametrize("spec", NIST)
def test_shared_secret(kms: Any, kept_key: KeptKey, spec: str) -> None:
    """A peer with openssl derives the same raw secret, as long as the curve's field."""
    key_id = kept_key(spec, "KEY_AGREEMENT")
    curve, length = CURVES[spec]
    private = outside.new_private(curve)
    answer = members(kms.derive_shared_secret(KeyId=key_id, PublicKey=outside.public_of(private), **ECDH))
    secret = answer.pop("SharedSecret")
    assert answer == {"KeyId": arn_of(key_id), "KeyOrigin": "AWS_KMS", **ECDH}
    assert len(secret) == length
    assert secret == outside.derive(private, kms.get_public_key(KeyId=key_id)["PublicKey"])


def test_imported_key(kms: Any) -> None:
    """With a private key that was brought along, openssl derives the same secret; the answer says its origin."""
    private = outside.openssl("pkcs8", "-topk8", "-nocrypt", "-in", PRIVATE, "-outform", "DER")
    key_id = import_key(kms, private, **AGREEMENT)
    peer = outside.new_private("P-256")
    answer = kms.derive_shared_secret(KeyId=key_id, PublicKey=outside.public_of(peer), **ECDH)
    assert answer["KeyOrigin"] == "EXTERNAL"
    assert answer["SharedSecret"] == outside.derive(PRIVATE, outside.public_of(peer)) == outside.derive(peer, PEER)


def test_two_keys_agree(kms: Any, new_key: NewKey) -> None:
    """Two KMS keys derive the same secret from each other's public keys."""
    first, second = new_key(**AGREEMENT), new_key(**AGREEMENT)
    publics = [kms.get_public_key(KeyId=key)["PublicKey"] for key in (first, second)]
    ours = kms.derive_shared_secret(KeyId=first, PublicKey=publics[1], **ECDH)["SharedSecret"]
    assert ours == kms.derive_shared_secret(KeyId=second, PublicKey=publics[0], **ECDH)["SharedSecret"]
    assert ours != kms.derive_shared_secret(KeyId=first, PublicKey=PEER, **ECDH)["SharedSecret"]


BAD_PEERS = {
    "no key": b"x",
    "8192 bytes": bytes(8192),
    "another curve": outside.public_of(outside.new_private("P-384")),
    "secp256k1": outside.public_of(outside.new_private("secp256k1")),
    "Ed25519": outside.public_of(outside.openssl("genpkey", "-algorithm", "ed25519")),
    "RSA": outside.public_of(outside.openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")),
    "PEM": outside.pem(PEER),
    "a private key": PRIVATE,
    "not on the curve": bytes((*PEER[:-1], PEER[-1] ^ 1)),
    "cut off": PEER[:-1],
    "the point at infinity": PEER[:24] + b"\x02\x00\x00",
}


@pytest.mark.parametrize("peer", BAD_PEERS)
def test_bad_peers(place: Place, kms: Any, kept_key: KeptKey, peer: str) -> None:
    """What is no public key on the curve is ValidationException without a message, and on the record with its key."""
    key_id = kept_key("ECC_NIST_P256", "KEY_AGREEMENT")
    refused = refusal(kms.derive_shared_secret, KeyId=key_id, PublicKey=BAD_PEERS[peer], **ECDH)
    assert refused == ("ValidationException", "")
    closing = place.last_record()
    assert closing.draft["error"] == "ValidationException"
    use, _ = place.record(closing.draft["request"])
    assert (use.use, use.outcome, use.key_id) == ("derive-shared-secret", "invalid", key_id)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"PublicKey": b""}, "Value at 'publicKey' failed to satisfy constraint: Member must have length greater than"),
        ({"PublicKey": bytes(8193)}, "Value at 'publicKey' failed to satisfy constraint: Member must have length less"),
        (
            {"KeyAgreementAlgorithm": "INVALID"},
            (
                "Value 'INVALID' at 'keyAgreementAlgorithm' failed to satisfy constraint: "
                "Member must satisfy enum value set: [ECDH]"
            ),
        ),
    ],
)
def test_limits_of_the_model(kms: Any, kept_key: KeptKey, changed: dict[str, Any], text: str) -> None:
    """Members are called in lower camel case, as recorded."""
    right = {"KeyId": kept_key("ECC_NIST_P256", "KEY_AGREEMENT"), "PublicKey": PEER, **ECDH}
    code, message = refusal(kms.derive_shared_secret, **right | changed)
    assert code == "ValidationException"
    assert message.startswith(f"1 validation error detected: {text}")


@pytest.mark.parametrize(
    ("spec", "usage"),
    [("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("ECC_NIST_P256", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC")],
)
def test_keys_of_another_usage(kms: Any, kept_key: KeptKey, spec: str, usage: str) -> None:
    """Only keys for agreement derive secrets, as recorded."""
    key_id = kept_key(spec, usage)
    assert refusal(kms.derive_shared_secret, KeyId=key_id, PublicKey=PEER, **ECDH) == (
        "InvalidKeyUsageException",
        f"{arn_of(key_id)} key usage is {usage} which is not valid for DeriveSharedSecret.",
    )


def test_recipient_is_refused(kms: Any, kept_key: KeptKey) -> None:
    """A secret meant for an enclave does not leave in the clear."""
    asked = {"KeyId": kept_key("ECC_NIST_P256", "KEY_AGREEMENT"), "PublicKey": PEER, **ECDH}
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"x"}
    assert refusal(kms.derive_shared_secret, **asked, Recipient=recipient)[0] == "UnsupportedOperationException"


def test_dry_run(place: Place, kms: Any, new_key: NewKey) -> None:
    """DryRun tries rights and state, and uses no key."""
    key_id = new_key(**AGREEMENT)
    asked = {"KeyId": key_id, "PublicKey": PEER, "DryRun": True, **ECDH}
    assert refusal(kms.derive_shared_secret, **asked) == DRY_RUN
    assert place.last_record().use == "record"
    none = place.kms(place.add_user())
    assert refusal(none.derive_shared_secret, **asked)[0] == "AccessDeniedException"
    kms.disable_key(KeyId=key_id)
    assert refusal(kms.derive_shared_secret, **asked) == ("DisabledException", f"{arn_of(key_id)} is disabled.")


def test_rights_and_conditions(place: Place, kept_key: KeptKey) -> None:
    """DeriveSharedSecret is a right of its own, and a policy may ask for the algorithm."""
    key_id = kept_key("ECC_NIST_P256", "KEY_AGREEMENT")
    asked = {"KeyId": key_id, "PublicKey": PEER, **ECDH}
    client = place.kms(place.add_user(allow("kms:GetPublicKey")))
    code, message = refusal(client.derive_shared_secret, **asked)
    assert code == "AccessDeniedException"
    assert f"is not authorized to perform: kms:DeriveSharedSecret on resource: {arn_of(key_id)}" in message
    for algorithm, allowed in (("ECDH", True), ("OTHER", False)):
        policy = allow("kms:DeriveSharedSecret")
        policy["Statement"][0]["Condition"] = {"StringEquals": {"kms:KeyAgreementAlgorithm": algorithm}}
        client = place.kms(place.add_user(policy))
        if allowed:
            client.derive_shared_secret(**asked)
        else:
            assert refusal(client.derive_shared_secret, **asked)[0] == "AccessDeniedException"


def test_record(place: Place, kms: Any, kept_key: KeptKey) -> None:
    """The use is on the record with its key."""
    key_id = kept_key("ECC_NIST_P256", "KEY_AGREEMENT")
    kms.derive_shared_secret(KeyId=key_id, PublicKey=PEER, **ECDH)
    entry = place.last_record()
    assert (entry.use, entry.outcome, entry.key_id) == ("derive-shared-secret", "ok", key_id)
    assert (entry.draft["use"], entry.draft["key"]) == ("kms:DeriveSharedSecret", arn_of(key_id))
