"""Sign and Verify: every key spec, algorithm and message type, verified inside and outside of KMS."""

import hashlib
from typing import Any

import pytest

from tests.kms import outside
from tests.kms.asking import DRY_RUN, KeptKey, NewKey, arn_of, members, refusal
from tests.kms.kinds import DIGESTS, EDWARDS, ML_DSA, SIGNING
from tests.support.place import ACCOUNT, Place
from tests.support.policies import allow

MESSAGE = b"message \x00\xff " * 300
INVALID_SIGNATURE = ("KMSInvalidSignatureException", "")
SIGNER = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
ECDSA = {"SigningAlgorithm": "ECDSA_SHA_256"}
HASHED = [(spec, algorithm) for spec, algorithm in SIGNING if algorithm.startswith(("RSA", "ECDSA"))]


def digest(algorithm: str, message: bytes = MESSAGE) -> bytes:
    """Return the digest of a message by an algorithm's hash."""
    return hashlib.new(outside.HASHES[algorithm[-7:]], message).digest()


def public_key(kms: Any, key_id: str) -> bytes:
    """Return a key's public key."""
    public: bytes = kms.get_public_key(KeyId=key_id)["PublicKey"]
    return public


@pytest.mark.parametrize(("spec", "algorithm"), [case for case in SIGNING if case[1] != "ED25519_PH_SHA_512"])
def test_raw_message(kms: Any, kept_key: KeptKey, spec: str, algorithm: str) -> None:
    """The signature of a message is verified by KMS and outside; for another message or changed it does not hold."""
    key_id = kept_key(spec, "SIGN_VERIFY")
    asked = {"KeyId": key_id, "SigningAlgorithm": algorithm}
    made = members(kms.sign(**asked, Message=MESSAGE))
    assert made.keys() == {"KeyId", "Signature", "SigningAlgorithm"}
    assert (made["KeyId"], made["SigningAlgorithm"]) == (arn_of(key_id), algorithm)
    signature = made["Signature"]
    outside.verify(public_key(kms, key_id), algorithm, MESSAGE, signature)
    assert members(kms.verify(**asked, Message=MESSAGE, Signature=signature, MessageType="RAW")) == {
        "KeyId": arn_of(key_id),
        "SignatureValid": True,
        "SigningAlgorithm": algorithm,
    }
    changed = bytes((*signature[:-1], signature[-1] ^ 1))
    for wrong in (changed, signature[:-1], signature + b"\x00", b"x", bytes(6144)):
        assert refusal(kms.verify, **asked, Message=MESSAGE, Signature=wrong) == INVALID_SIGNATURE
    assert refusal(kms.verify, **asked, Message=b"other", Signature=signature) == INVALID_SIGNATURE


@pytest.mark.parametrize(("spec", "algorithm"), HASHED)
def test_digest(kms: Any, kept_key: KeptKey, spec: str, algorithm: str) -> None:
    """A message and its digest are the same message: each verifies what the other signed."""
    key_id = kept_key(spec, "SIGN_VERIFY")
    asked = {"KeyId": key_id, "SigningAlgorithm": algorithm}
    of_digest = {"Message": digest(algorithm), "MessageType": "DIGEST"}
    signature = kms.sign(**asked, **of_digest)["Signature"]
    outside.verify(public_key(kms, key_id), algorithm, MESSAGE, signature)
    assert kms.verify(**asked, Message=MESSAGE, Signature=signature)["SignatureValid"]
    signature = kms.sign(**asked, Message=MESSAGE)["Signature"]
    assert kms.verify(**asked, **of_digest, Signature=signature)["SignatureValid"]
    other = {"Message": digest(algorithm, b"other"), "MessageType": "DIGEST"}
    assert refusal(kms.verify, **asked, **other, Signature=signature) == INVALID_SIGNATURE


def test_digest_for_ed25519ph(kms: Any, kept_key: KeptKey) -> None:
    """Ed25519ph takes a digest, and as AWS says it is hashed once more."""
    key_id = kept_key(EDWARDS, "SIGN_VERIFY")
    asked = {"KeyId": key_id, "SigningAlgorithm": "ED25519_PH_SHA_512", "MessageType": "DIGEST"}
    once = digest("ED25519_PH_SHA_512")
    signature = kms.sign(**asked, Message=once)["Signature"]
    outside.verify(public_key(kms, key_id), "ED25519_PH_SHA_512", once, signature)
    assert kms.verify(**asked, Message=once, Signature=signature)["SignatureValid"]
    for wrong in (bytes(64), signature[:-1], b"x"):
        assert refusal(kms.verify, **asked, Message=once, Signature=wrong) == INVALID_SIGNATURE
    other = digest("ED25519_PH_SHA_512", b"other")
    assert refusal(kms.verify, **asked, Message=other, Signature=signature) == INVALID_SIGNATURE


@pytest.mark.parametrize("spec", ML_DSA)
def test_external_mu(kms: Any, kept_key: KeptKey, spec: str) -> None:
    """A message representative made outside is signed like the message itself (FIPS 204, section 6.2)."""
    key_id = kept_key(spec, "SIGN_VERIFY")
    asked = {"KeyId": key_id, "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    large = b"larger than KMS takes " * 1000
    mu = outside.external_mu(public_key(kms, key_id), large)
    signature = kms.sign(**asked, Message=mu, MessageType="EXTERNAL_MU")["Signature"]
    outside.verify(public_key(kms, key_id), "ML_DSA_SHAKE_256", large, signature)
    assert kms.verify(**asked, Message=mu, MessageType="EXTERNAL_MU", Signature=signature)["SignatureValid"]
    assert refusal(kms.verify, **asked, Message=mu, Signature=signature) == INVALID_SIGNATURE
    small = outside.external_mu(public_key(kms, key_id), MESSAGE)
    signature = kms.sign(**asked, Message=MESSAGE)["Signature"]
    assert kms.verify(**asked, Message=small, MessageType="EXTERNAL_MU", Signature=signature)["SignatureValid"]


@pytest.mark.parametrize("operation", ["sign", "verify"])
@pytest.mark.parametrize(("spec", "algorithm"), [*HASHED, (EDWARDS, "ED25519_PH_SHA_512")])
def test_digest_of_a_wrong_length(kms: Any, kept_key: KeptKey, operation: str, spec: str, algorithm: str) -> None:
    """A digest of another length than the hash's is refused with the recorded text."""
    asked = {"KeyId": kept_key(spec, "SIGN_VERIFY"), "SigningAlgorithm": algorithm, "MessageType": "DIGEST"}
    if operation == "verify":
        asked["Signature"] = b"x" * 64  # type: ignore[assignment]
    length = DIGESTS[algorithm[-7:]]
    for wrong in (1, length - 1, length + 1, 4096):
        assert refusal(getattr(kms, operation), **asked, Message=bytes(wrong)) == (
            "ValidationException",
            f"Digest is invalid length for algorithm {algorithm}.",
        )


@pytest.mark.parametrize("length", [1, 63, 65, 4096])
def test_external_mu_of_a_wrong_length(kms: Any, kept_key: KeptKey, length: int) -> None:
    """A message representative has 64 bytes."""
    asked = {"KeyId": kept_key("ML_DSA_44", "SIGN_VERIFY"), "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    assert refusal(kms.sign, **asked, MessageType="EXTERNAL_MU", Message=bytes(length)) == (
        "ValidationException",
        "External mu is invalid length for algorithm ML_DSA_SHAKE_256.",
    )


@pytest.mark.parametrize("operation", ["sign", "verify"])
@pytest.mark.parametrize(
    ("spec", "algorithm", "kind", "incompatible"),
    [
        ("ML_DSA_44", "ML_DSA_SHAKE_256", "DIGEST", "key spec ML_DSA_44"),
        ("ML_DSA_87", "ML_DSA_SHAKE_256", "DIGEST", "key spec ML_DSA_87"),
        (EDWARDS, "ED25519_SHA_512", "DIGEST", "algorithm ED25519_SHA_512"),
        (EDWARDS, "ED25519_SHA_512", "EXTERNAL_MU", "algorithm ED25519_SHA_512"),
        (EDWARDS, "ED25519_PH_SHA_512", "RAW", "algorithm ED25519_PH_SHA_512"),
        (EDWARDS, "ED25519_PH_SHA_512", "EXTERNAL_MU", "algorithm ED25519_PH_SHA_512"),
        ("ECC_NIST_P256", "ECDSA_SHA_256", "EXTERNAL_MU", "key spec ECC_NIST_P256"),
        ("RSA_2048", "RSASSA_PSS_SHA_256", "EXTERNAL_MU", "key spec RSA_2048"),
    ],
)
def test_message_types_that_do_not_fit(
    kms: Any, kept_key: KeptKey, operation: str, spec: str, algorithm: str, kind: str, incompatible: str
) -> None:
    """A message type that the algorithm does not have is refused, also when it is the default."""
    asked = {"KeyId": kept_key(spec, "SIGN_VERIFY"), "SigningAlgorithm": algorithm, "Message": bytes(64)}
    if operation == "verify":
        asked["Signature"] = b"x"
    text = f"Message type {kind} is incompatible with {incompatible}."
    assert refusal(getattr(kms, operation), **asked, MessageType=kind) == ("ValidationException", text)
    if kind == "RAW":
        assert refusal(getattr(kms, operation), **asked) == ("ValidationException", text)


@pytest.mark.parametrize("operation", ["sign", "verify"])
@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [
        ("ECC_NIST_P256", "ECDSA_SHA_384"),
        ("ECC_NIST_P256", "RSASSA_PSS_SHA_256"),
        ("ECC_NIST_P256", "SM2DSA"),
        ("RSA_2048", "ECDSA_SHA_256"),
        (EDWARDS, "ECDSA_SHA_512"),
        ("ML_DSA_44", "ED25519_SHA_512"),
    ],
)
def test_algorithms_of_another_spec(kms: Any, kept_key: KeptKey, operation: str, spec: str, algorithm: str) -> None:
    """An algorithm that the key's spec does not have is refused before the message is looked at."""
    asked = {"KeyId": kept_key(spec, "SIGN_VERIFY"), "SigningAlgorithm": algorithm, "Message": b"x"}
    if operation == "verify":
        asked["Signature"] = b"x"
    assert refusal(getattr(kms, operation), **asked, MessageType="DIGEST") == (
        "InvalidKeyUsageException",
        f"Algorithm {algorithm} is incompatible with key spec {spec}.",
    )


@pytest.mark.parametrize("operation", ["sign", "verify"])
@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
        ("ECC_NIST_P256", "KEY_AGREEMENT"),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE"),
    ],
)
def test_keys_of_another_usage(kms: Any, kept_key: KeptKey, operation: str, spec: str, usage: str) -> None:
    """Only keys for signing sign and verify."""
    key_id = kept_key(spec, usage)
    asked = {"KeyId": key_id, "Message": b"x", **ECDSA}
    if operation == "verify":
        asked["Signature"] = b"x"
    assert refusal(getattr(kms, operation), **asked) == (
        "InvalidKeyUsageException",
        f"{arn_of(key_id)} key usage is {usage} which is not valid for {operation.title()}.",
    )


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"Message": b""}, "Value at 'message' failed to satisfy constraint: Member must have length greater than or"),
        (
            {"Message": bytes(4097)},
            "Value at 'message' failed to satisfy constraint: Member must have length less than",
        ),
        ({"Message": None}, "Value at 'message' failed to satisfy constraint: Member must not be null"),
        (
            {"SigningAlgorithm": "X"},
            "Value 'X' at 'signingAlgorithm' failed to satisfy constraint: Member must satisfy",
        ),
        ({"SigningAlgorithm": None}, "Value null at 'signingAlgorithm' failed to satisfy constraint: Member must not"),
        ({"MessageType": "X"}, "Value 'X' at 'messageType' failed to satisfy constraint: Member must satisfy enum"),
        ({"Signature": b""}, "Value at 'signature' failed to satisfy constraint: Member must have length greater"),
        ({"Signature": bytes(6145)}, "Value at 'signature' failed to satisfy constraint: Member must have length less"),
        ({"Signature": None}, "Value null at 'signature' failed to satisfy constraint: Member must not be null"),
    ],
)
def test_limits_of_the_model(kms: Any, kept_key: KeptKey, changed: dict[str, Any], text: str) -> None:
    """Members are called in lower camel case, and blobs are not shown."""
    right = {"KeyId": kept_key("ECC_NIST_P256", "SIGN_VERIFY"), "Message": b"x", "Signature": b"x", **ECDSA}
    asked = {name: value for name, value in {**right, **changed}.items() if value is not None}
    code, message = refusal(kms.verify, **asked)
    assert code == "ValidationException"
    assert message.startswith(f"1 validation error detected: {text}")


def test_limits_that_hold(kms: Any, kept_key: KeptKey) -> None:
    """Messages of 1 and of 4096 bytes are signed."""
    key_id = kept_key("ECC_NIST_P256", "SIGN_VERIFY")
    for length in (1, 4096):
        signature = kms.sign(KeyId=key_id, Message=bytes(length), **ECDSA)["Signature"]
        outside.verify(public_key(kms, key_id), "ECDSA_SHA_256", bytes(length), signature)


def test_dry_run(place: Place, kms: Any, new_key: NewKey) -> None:
    """DryRun tries rights, state and what was asked, and signs nothing."""
    key_id = new_key(**SIGNER)
    signed, verified = {"KeyId": key_id, "Message": b"x", **ECDSA}, {"Signature": b"x"}
    none = place.kms(place.add_user())
    for operation, asked in (("sign", signed), ("verify", signed | verified)):
        assert refusal(getattr(kms, operation), **asked, DryRun=True) == DRY_RUN
        assert place.last_record().use == "record"
        assert refusal(getattr(none, operation), **asked, DryRun=True)[0] == "AccessDeniedException"
        bad = asked | {"MessageType": "DIGEST"}
        assert refusal(getattr(kms, operation), **bad, DryRun=True)[0] == "ValidationException"
    kms.disable_key(KeyId=key_id)
    assert refusal(kms.sign, **signed, DryRun=True) == ("DisabledException", f"{arn_of(key_id)} is disabled.")


def test_rights(place: Place, kms: Any, new_key: NewKey) -> None:
    """Sign and Verify are rights of their own."""
    key_id = new_key(**SIGNER)
    asked = {"KeyId": key_id, "Message": b"x", **ECDSA}
    signature = kms.sign(**asked)["Signature"]
    signer, verifier = place.add_user(allow("kms:Sign")), place.add_user(allow("kms:Verify", resource=arn_of(key_id)))
    place.kms(signer).sign(**asked)
    place.kms(verifier).verify(**asked, Signature=signature)
    for user, operation, action in ((signer, "verify", "kms:Verify"), (verifier, "sign", "kms:Sign")):
        given = asked | ({"Signature": signature} if operation == "verify" else {})
        assert refusal(getattr(place.kms(user), operation), **given) == (
            "AccessDeniedException",
            (
                f"User: arn:aws:iam::{ACCOUNT}:user/{user.name} is not authorized to perform: {action} "
                f"on resource: {arn_of(key_id)} because no identity-based policy allows the {action} action"
            ),
        )


def test_conditions(place: Place, kept_key: KeptKey) -> None:
    """A policy may ask for the algorithm and the message type, which is RAW when it is not said."""
    key_id = kept_key("RSA_2048", "SIGN_VERIFY")
    policy = allow("kms:Sign")
    conditions = {"kms:SigningAlgorithm": "RSASSA_PSS_SHA_256", "kms:MessageType": "RAW"}
    policy["Statement"][0]["Condition"] = {"StringEquals": conditions}
    client = place.kms(place.add_user(policy))
    right = {"KeyId": key_id, "Message": bytes(32), "SigningAlgorithm": "RSASSA_PSS_SHA_256"}
    for _ in range(2):  # the second one by what the first one has found
        client.sign(**right)
        client.sign(**right, MessageType="RAW")
        assert refusal(client.sign, **right, MessageType="DIGEST")[0] == "AccessDeniedException"
        other = right | {"SigningAlgorithm": "RSASSA_PSS_SHA_384"}
        assert refusal(client.sign, **other)[0] == "AccessDeniedException"


def test_records(place: Place, kms: Any, new_key: NewKey) -> None:
    """Each use is on the record with its key; a signature that does not hold, and what is refused, as well."""
    key_id = new_key(**SIGNER)
    asked = {"KeyId": key_id, "Message": b"x", **ECDSA}
    signature = kms.sign(**asked)["Signature"]
    entry = place.last_record()
    assert (entry.use, entry.outcome, entry.key_id) == ("sign", "ok", key_id)
    assert (entry.draft["use"], entry.draft["key"]) == ("kms:Sign", arn_of(key_id))
    kms.verify(**asked, Signature=signature)
    entry = place.last_record()
    assert (entry.use, entry.outcome, entry.draft["use"]) == ("verify", "ok", "kms:Verify")
    refusal(kms.verify, **asked, Signature=b"wrong")
    entry = place.last_record()
    assert (entry.use, entry.outcome, entry.key_id) == ("verify", "tampered", key_id)
    refusal(kms.sign, **asked, MessageType="DIGEST")
    assert place.last_record().draft["error"] == "ValidationException"
    refusal(kms.sign, **asked | {"SigningAlgorithm": "ECDSA_SHA_384"})
    entry = place.last_record()
    assert entry.draft["error"] == "InvalidKeyUsageException"
    assert entry.draft["facts"]["refusedUse"] == {"use": "kms:Sign", "key": arn_of(key_id)}


def test_names_of_keys(kms: Any, new_key: NewKey) -> None:
    """A key may be named by its ARN or an alias; the answer has its ARN. A grant token must name a grant."""
    key_id = new_key(**SIGNER)
    alias = f"alias/sign-{key_id}"
    kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    for name in (arn_of(key_id), alias):
        assert kms.sign(KeyId=name, Message=b"x", **ECDSA)["KeyId"] == arn_of(key_id)
    assert refusal(kms.sign, KeyId="alias/none", Message=b"x", **ECDSA)[0] == "NotFoundException"
    asked = {"KeyId": key_id, "Message": b"x", "GrantTokens": ["no token"], **ECDSA}
    assert refusal(kms.sign, **asked)[0] == "InvalidGrantTokenException"
