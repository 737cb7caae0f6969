"""The order of checks, as measured on AWS in September 2026 (floci-io/floci, pull request 3968)."""

from typing import Any

import pytest

from tests.kms.asking import KeptKey, NewKey, arn_of, refusal

SIGN = {"Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}
MAC = {"Message": b"x", "MacAlgorithm": "HMAC_SHA_512"}
HMAC_256 = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
RSA = {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}


def put(kms: Any, key_id: str, state: str) -> None:
    """Bring a key into a state."""
    if state == "Disabled":
        kms.disable_key(KeyId=key_id)
    elif state == "PendingDeletion":
        kms.schedule_key_deletion(KeyId=key_id)


@pytest.mark.parametrize("state", ["Disabled", "PendingDeletion", "PendingImport"])
@pytest.mark.parametrize(
    ("kind", "operation", "asked"),
    [
        (HMAC_256, "Sign", SIGN),
        (HMAC_256, "GenerateDataKey", {"KeySpec": "AES_256"}),
        ({}, "Sign", SIGN),
        ({}, "GenerateMac", MAC),
        ({"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, "Encrypt", {"Plaintext": b"x"}),
    ],
)
def test_usage_before_state(
    kms: Any, new_key: NewKey, kind: dict[str, str], operation: str, asked: dict[str, Any], state: str
) -> None:
    """A key of another usage is refused for it, whatever its state is."""
    key_id = new_key(**kind, **({"Origin": "EXTERNAL"} if state == "PendingImport" else {}))
    put(kms, key_id, state)
    call = getattr(
        kms, {"GenerateDataKey": "generate_data_key", "GenerateMac": "generate_mac"}.get(operation, operation.lower())
    )
    usage = kind.get("KeyUsage", "ENCRYPT_DECRYPT")
    assert refusal(call, KeyId=key_id, **asked) == (
        "InvalidKeyUsageException",
        f"{arn_of(key_id)} key usage is {usage} which is not valid for {operation}.",
    )


@pytest.mark.parametrize(
    ("kind", "operation", "asked"),
    [
        (HMAC_256, "generate_mac", MAC),
        (RSA, "encrypt", {"Plaintext": b"x"}),
        (RSA, "generate_data_key", {"KeySpec": "AES_256"}),
        ({"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, "sign", SIGN),
    ],
)
def test_state_before_algorithm(
    kms: Any, new_key: NewKey, kind: dict[str, str], operation: str, asked: dict[str, Any]
) -> None:
    """A disabled key is refused for its state, also with an algorithm that it does not have."""
    key_id = new_key(**kind)
    assert refusal(getattr(kms, operation), KeyId=key_id, **asked)[0] == "InvalidKeyUsageException"
    put(kms, key_id, "Disabled")
    assert refusal(getattr(kms, operation), KeyId=key_id, **asked) == (
        "DisabledException",
        f"{arn_of(key_id)} is disabled.",
    )


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ({"Origin": "EXTERNAL"}, "PendingImport"),
        ({}, "Disabled"),
        ({}, "PendingDeletion"),
        (RSA, "Enabled"),
        (HMAC_256, "Disabled"),
    ],
)
def test_maker_before_all_else(kms: Any, new_key: NewKey, kept_key: KeptKey, kind: dict[str, str], state: str) -> None:
    """A key that did not make the ciphertext is the wrong one first of all; bytes that are no blob come before that."""
    blob = kms.encrypt(KeyId=kept_key("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), Plaintext=b"x")["CiphertextBlob"]
    key_id = new_key(**kind)
    put(kms, key_id, state)
    assert refusal(kms.decrypt, CiphertextBlob=blob, KeyId=key_id) == (
        "IncorrectKeyException",
        "The key ID in the request does not identify a CMK that can perform this operation.",
    )
    assert refusal(kms.decrypt, CiphertextBlob=b"x", KeyId=key_id) == ("InvalidCiphertextException", "")


def test_an_encryption_algorithm_for_a_signature(kms: Any, kept_key: KeptKey) -> None:
    """SYMMETRIC_DEFAULT passes for a signing algorithm until the key is looked at; others do not."""
    asked = {"KeyId": kept_key("ECC_NIST_P256", "SIGN_VERIFY"), "Message": b"x"}
    assert refusal(kms.sign, **asked, SigningAlgorithm="SYMMETRIC_DEFAULT") == (
        "InvalidKeyUsageException",
        "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec ECC_NIST_P256.",
    )
    code, text = refusal(kms.sign, **asked, SigningAlgorithm="RSAES_OAEP_SHA_256")
    assert code == "ValidationException"
    assert "'signingAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [RSASSA_PSS_" in text


@pytest.mark.parametrize(
    ("identifier", "text"),
    [
        ("786CA7CD-B74B-42B3-B887-902AD7AB6429", "Key '{arn}786CA7CD-B74B-42B3-B887-902AD7AB6429' does not exist"),
        ("{arn}foo", "Invalid keyId foo"),
        ("foo", "Invalid keyId 'foo'"),
        ("mrk-1234", "Invalid keyId 'mrk-1234'"),
        ("12345678123412341234123456789012", "Invalid keyId '12345678123412341234123456789012'"),
    ],
)
def test_identifiers_of_no_key(kms: Any, identifier: str, text: str) -> None:
    """What has the form of an id does not exist, what has not is invalid; in an ARN AWS quotes it differently."""
    refused = refusal(kms.describe_key, KeyId=identifier.format(arn=arn_of("")))
    assert refused == ("NotFoundException", text.format(arn=arn_of("")))
