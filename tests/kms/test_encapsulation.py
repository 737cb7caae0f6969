"""Encapsulate and Decapsulate with every ML-KEM key spec, and with a sender outside of KMS."""

from typing import Any

import pytest

from tests.kms import outside
from tests.kms.asking import DRY_RUN, KeptKey, NewKey, arn_of, members, refusal
from tests.kms.kinds import ML_KEM
from tests.support.place import Place
from tests.support.policies import allow

LENGTHS = {"ML_KEM_512": 768, "ML_KEM_768": 1088, "ML_KEM_1024": 1568}
ALGORITHM = {"EncapsulationAlgorithm": "ML_KEM"}
KEM = {"KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE"}
USAGE = "ENCAPSULATE_DECAPSULATE"


@pytest.mark.parametrize("spec", ML_KEM)
def test_shared_secret(kms: Any, kept_key: KeptKey, spec: str) -> None:
    """A secret comes with the ciphertext that gives it back; each time another."""
    key_id = kept_key(spec, USAGE)
    made = members(kms.encapsulate(KeyId=key_id, **ALGORITHM))
    secret, ciphertext = made.pop("SharedSecret"), made.pop("SharedSecretCiphertextBlob")
    assert made == {"KeyId": arn_of(key_id), **ALGORITHM}
    assert (len(secret), len(ciphertext)) == (32, LENGTHS[spec])
    opened = members(kms.decapsulate(KeyId=key_id, SharedSecretCiphertextBlob=ciphertext, **ALGORITHM))
    assert opened == {"KeyId": arn_of(key_id), "SharedSecret": secret, **ALGORITHM}
    assert kms.encapsulate(KeyId=key_id, **ALGORITHM)["SharedSecret"] != secret


@pytest.mark.parametrize("spec", ML_KEM)
def test_sender_outside(kms: Any, kept_key: KeptKey, spec: str) -> None:
    """What a sender encapsulates with the public key alone, KMS decapsulates."""
    key_id = kept_key(spec, USAGE)
    secret, ciphertext = outside.encapsulate(kms.get_public_key(KeyId=key_id)["PublicKey"])
    opened = kms.decapsulate(KeyId=key_id, SharedSecretCiphertextBlob=ciphertext, **ALGORITHM)
    assert opened["SharedSecret"] == secret


@pytest.mark.parametrize("spec", ML_KEM)
def test_implicit_rejection(kms: Any, kept_key: KeptKey, new_key: NewKey, spec: str) -> None:
    """A changed ciphertext, or one of another key, gives another secret of 32 bytes, always the same one."""
    key_id, other = kept_key(spec, USAGE), new_key(KeySpec=spec, KeyUsage=USAGE)
    made = kms.encapsulate(KeyId=key_id, **ALGORITHM)
    ciphertext = made["SharedSecretCiphertextBlob"]
    changed = bytes((*ciphertext[:-1], ciphertext[-1] ^ 1))
    for key, wrong in ((key_id, changed), (other, ciphertext)):
        found = [
            kms.decapsulate(KeyId=key, SharedSecretCiphertextBlob=wrong, **ALGORITHM)["SharedSecret"] for _ in range(2)
        ]
        assert found[0] == found[1] != made["SharedSecret"]
        assert len(found[0]) == 32


@pytest.mark.parametrize("spec", ML_KEM)
def test_ciphertext_of_a_wrong_length(place: Place, kms: Any, kept_key: KeptKey, spec: str) -> None:
    """A length that the key spec does not have is InvalidCiphertextException without a message."""
    key_id, length = kept_key(spec, USAGE), LENGTHS[spec]
    for wrong in (1, length - 1, length + 1, 6144, *(other for other in LENGTHS.values() if other != length)):
        asked = {"KeyId": key_id, "SharedSecretCiphertextBlob": bytes(wrong), **ALGORITHM}
        assert refusal(kms.decapsulate, **asked) == ("InvalidCiphertextException", "")
    entry = place.last_record()
    assert (entry.use, entry.outcome, entry.key_id) == ("decapsulate", "tampered", key_id)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (
            {"SharedSecretCiphertextBlob": b""},
            "Value at 'sharedSecretCiphertextBlob' failed to satisfy constraint: Member must have length greater than",
        ),
        (
            {"SharedSecretCiphertextBlob": bytes(6145)},
            "Value at 'sharedSecretCiphertextBlob' failed to satisfy constraint: Member must have length less than",
        ),
        (
            {"EncapsulationAlgorithm": "ML_KEM_768"},
            (
                "Value 'ML_KEM_768' at 'encapsulationAlgorithm' failed to satisfy constraint: "
                "Member must satisfy enum value set: [ML_KEM]"
            ),
        ),
    ],
)
def test_limits_of_the_model(kms: Any, kept_key: KeptKey, changed: dict[str, Any], text: str) -> None:
    """Members are called in lower camel case, and blobs are not shown."""
    right = {"KeyId": kept_key("ML_KEM_768", USAGE), "SharedSecretCiphertextBlob": bytes(1088), **ALGORITHM}
    code, message = refusal(kms.decapsulate, **right | changed)
    assert code == "ValidationException"
    assert message.startswith(f"1 validation error detected: {text}")


@pytest.mark.parametrize(
    ("spec", "usage"),
    [("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("ECC_NIST_P256", "KEY_AGREEMENT"), ("ML_DSA_44", "SIGN_VERIFY")],
)
def test_keys_of_another_usage(kms: Any, kept_key: KeptKey, spec: str, usage: str) -> None:
    """Only ML-KEM keys encapsulate and decapsulate."""
    key_id = kept_key(spec, usage)
    code = "InvalidKeyUsageException"
    text = f"{arn_of(key_id)} key usage is {usage} which is not valid for"
    assert refusal(kms.encapsulate, KeyId=key_id, **ALGORITHM) == (code, f"{text} Encapsulate.")
    asked = {"KeyId": key_id, "SharedSecretCiphertextBlob": bytes(768), **ALGORITHM}
    assert refusal(kms.decapsulate, **asked) == (code, f"{text} Decapsulate.")


def test_dry_run(place: Place, kms: Any, new_key: NewKey) -> None:
    """DryRun tries rights and state, and uses no key."""
    key_id = new_key(**KEM)
    none = place.kms(place.add_user())
    asked: dict[str, Any] = {"KeyId": key_id, "DryRun": True, **ALGORITHM}
    calls: tuple[tuple[str, dict[str, Any]], ...] = (
        ("encapsulate", {}),
        ("decapsulate", {"SharedSecretCiphertextBlob": bytes(1088)}),
    )
    for operation, more in calls:
        assert refusal(getattr(kms, operation), **asked, **more) == DRY_RUN
        assert place.last_record().use == "record"
        assert refusal(getattr(none, operation), **asked, **more)[0] == "AccessDeniedException"
    kms.schedule_key_deletion(KeyId=key_id)
    for operation, more in calls:
        assert refusal(getattr(kms, operation), **asked, **more)[0] == "KMSInvalidStateException"


def test_rights_and_conditions(place: Place, kms: Any, kept_key: KeptKey) -> None:
    """Encapsulate and Decapsulate are rights of their own, and a policy may ask for the algorithm."""
    key_id = kept_key("ML_KEM_768", USAGE)
    ciphertext = {"SharedSecretCiphertextBlob": bytes(1088)}
    sender = place.kms(place.add_user(allow("kms:Encapsulate")))
    sender.encapsulate(KeyId=key_id, **ALGORITHM)
    code, message = refusal(sender.decapsulate, KeyId=key_id, **ciphertext, **ALGORITHM)
    assert code == "AccessDeniedException"
    assert f"is not authorized to perform: kms:Decapsulate on resource: {arn_of(key_id)}" in message
    for algorithm, allowed in (("ML_KEM", True), ("OTHER", False)):
        policy = allow("kms:Decapsulate")
        policy["Statement"][0]["Condition"] = {"StringEquals": {"kms:EncapsulationAlgorithm": algorithm}}
        client = place.kms(place.add_user(policy))
        if allowed:
            client.decapsulate(KeyId=key_id, **ciphertext, **ALGORITHM)
        else:
            asked = {"KeyId": key_id, **ciphertext, **ALGORITHM}
            assert refusal(client.decapsulate, **asked)[0] == "AccessDeniedException"


def test_records(place: Place, kms: Any, kept_key: KeptKey) -> None:
    """Each use is on the record with its key."""
    key_id = kept_key("ML_KEM_768", USAGE)
    ciphertext = kms.encapsulate(KeyId=key_id, **ALGORITHM)["SharedSecretCiphertextBlob"]
    entry = place.last_record()
    assert (entry.use, entry.outcome, entry.key_id) == ("encapsulate", "ok", key_id)
    assert (entry.draft["use"], entry.draft["key"]) == ("kms:Encapsulate", arn_of(key_id))
    kms.decapsulate(KeyId=key_id, SharedSecretCiphertextBlob=ciphertext, **ALGORITHM)
    entry = place.last_record()
    assert (entry.use, entry.outcome, entry.draft["use"]) == ("decapsulate", "ok", "kms:Decapsulate")
