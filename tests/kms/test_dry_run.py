"""DryRun: the request is tried, its success is an error, and nobody gets what it would have given."""

from typing import Any

from tests.kms.asking import NewKey, refusal
from tests.support.place import Place

DRY_RUN = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


def test_dry_run(place: Place, kms: Any, new_key: NewKey) -> None:
    """DryRun tries the rights and the state, and its success is an error."""
    key_id = new_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    none = place.kms(place.add_user())
    asked: list[tuple[str, dict[str, Any]]] = [
        ("encrypt", {"KeyId": key_id, "Plaintext": b"x"}),
        ("decrypt", {"CiphertextBlob": blob}),
        ("generate_data_key", {"KeyId": key_id, "KeySpec": "AES_256"}),
        ("generate_data_key_without_plaintext", {"KeyId": key_id, "KeySpec": "AES_256"}),
        ("re_encrypt", {"CiphertextBlob": blob, "DestinationKeyId": key_id}),
    ]
    for operation, members in asked:
        assert refusal(getattr(kms, operation), **members, DryRun=True) == DRY_RUN
        assert refusal(getattr(none, operation), **members, DryRun=True)[0] == "AccessDeniedException"
        getattr(kms, operation)(**members, DryRun=False)
    kms.disable_key(KeyId=key_id)
    for operation, members in asked:
        assert refusal(getattr(kms, operation), **members, DryRun=True)[0] == "DisabledException"


def test_dry_run_without_ciphertext(kms: Any, new_key: NewKey) -> None:
    """IGNORE_CIPHERTEXT tries the rights of Decrypt and ReEncrypt on a key that is named."""
    key_id = new_key()
    trial = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    assert refusal(kms.decrypt, KeyId=key_id, **trial) == DRY_RUN
    assert refusal(kms.re_encrypt, SourceKeyId=key_id, DestinationKeyId=key_id, **trial) == DRY_RUN
    assert refusal(kms.decrypt, **trial)[1].endswith("'keyId' failed to satisfy constraint: Member must not be null")
    assert refusal(kms.re_encrypt, DestinationKeyId=key_id, **trial)[1].endswith(
        "'sourceKeyId' failed to satisfy constraint: Member must not be null"
    )
    blob = {"CiphertextBlob": b"not a blob"}
    assert refusal(kms.decrypt, KeyId=key_id, **blob, **trial) == DRY_RUN
    assert refusal(kms.re_encrypt, SourceKeyId=key_id, DestinationKeyId=key_id, **blob, **trial) == DRY_RUN
    assert refusal(kms.decrypt, KeyId=key_id, DryRunModifiers=["IGNORE_CIPHERTEXT"])[0] == "ValidationException"


def test_dry_run_opens_the_ciphertext(place: Place, kms: Any, new_key: NewKey) -> None:
    """Without IGNORE_CIPHERTEXT a wrong context is found out; the dry use is recorded, and then the answer."""
    key_id = new_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext={"a": "b"})["CiphertextBlob"]
    wrong = ("InvalidCiphertextException", "")
    assert refusal(kms.decrypt, CiphertextBlob=blob, DryRun=True) == wrong
    assert refusal(kms.re_encrypt, CiphertextBlob=blob, DestinationKeyId=key_id, DryRun=True) == wrong
    source = {"SourceEncryptionContext": {"a": "b"}, "DestinationKeyId": key_id}
    assert refusal(kms.re_encrypt, CiphertextBlob=blob, **source, DryRun=True) == DRY_RUN
    assert refusal(kms.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "b"}, DryRun=True) == DRY_RUN
    use, closing = place.record(place.last_record().draft["request"])
    assert (use.draft["dryRun"], closing.draft["error"]) == (True, DRY_RUN[0])
