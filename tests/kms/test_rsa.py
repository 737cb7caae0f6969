"""Encrypt, Decrypt and ReEncrypt with RSA keys, and data keys under a key of the wrong kind."""

from typing import Any

import pytest

from fuin import ids
from tests.kms import outside
from tests.kms.asking import DRY_RUN, KeptKey, NewKey, arn_of, members, refusal
from tests.kms.kinds import RSA
from tests.support.place import Place
from tests.support.policies import allow

# Recorded from AWS: how much fits, in bytes.
LIMITS = {
    ("RSA_2048", "RSAES_OAEP_SHA_256"): 190, ("RSA_3072", "RSAES_OAEP_SHA_256"): 318,
    ("RSA_4096", "RSAES_OAEP_SHA_256"): 446, ("RSA_2048", "RSAES_OAEP_SHA_1"): 214,
    ("RSA_3072", "RSAES_OAEP_SHA_1"): 342, ("RSA_4096", "RSAES_OAEP_SHA_1"): 470,
}  # fmt: skip
SHA_256 = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
NO_CONTEXT = (
    "ValidationException",
    "EncryptionContext is not supported when encrypting/decrypting with asymmetric CMKs.",
)
INCORRECT_KEY = (
    "IncorrectKeyException",
    "The key ID in the request does not identify a CMK that can perform this operation.",
)
USAGE = "ENCRYPT_DECRYPT"
TO_RSA = {"DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
FROM_RSA = {"SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_256"}


def too_long(spec: str, algorithm: str) -> tuple[str, str]:
    """Return how a plaintext that does not fit is refused."""
    limit = LIMITS[spec, algorithm]
    return (
        "ValidationException",
        f"Algorithm {algorithm} and key spec {spec} cannot encrypt data larger than {limit} bytes.",
    )


@pytest.mark.parametrize(("spec", "algorithm"), LIMITS)
def test_encrypt_and_decrypt(kms: Any, kept_key: KeptKey, spec: str, algorithm: str) -> None:
    """What fits is encrypted into as many bytes as the modulus has, and opens again; one byte more does not fit."""
    key_id, limit = kept_key(spec, USAGE), LIMITS[spec, algorithm]
    asked = {"KeyId": key_id, "EncryptionAlgorithm": algorithm}
    for length in (1, limit):
        made = members(kms.encrypt(**asked, Plaintext=bytes(length)))
        ciphertext = made.pop("CiphertextBlob")
        assert made == {"KeyId": arn_of(key_id), "EncryptionAlgorithm": algorithm}
        assert len(ciphertext) == int(spec[4:]) // 8
        opened = members(kms.decrypt(**asked, CiphertextBlob=ciphertext))
        assert opened == made | {"Plaintext": bytes(length)}
    for length in (limit + 1, 4096):
        assert refusal(kms.encrypt, **asked, Plaintext=bytes(length)) == too_long(spec, algorithm)


@pytest.mark.parametrize(("spec", "algorithm"), LIMITS)
def test_sender_outside(kms: Any, kept_key: KeptKey, spec: str, algorithm: str) -> None:
    """What openssl encrypts with the public key alone, KMS decrypts."""
    key_id = kept_key(spec, USAGE)
    ciphertext = outside.encrypt(kms.get_public_key(KeyId=key_id)["PublicKey"], algorithm, b"text")
    opened = kms.decrypt(KeyId=key_id, CiphertextBlob=ciphertext, EncryptionAlgorithm=algorithm)
    assert opened["Plaintext"] == b"text"


@pytest.mark.parametrize("spec", RSA)
def test_ciphertext_that_does_not_open(place: Place, kms: Any, kept_key: KeptKey, spec: str) -> None:
    """A changed ciphertext, another algorithm and a wrong length say the same, and are on the record."""
    key_id = kept_key(spec, USAGE)
    ciphertext = kms.encrypt(KeyId=key_id, Plaintext=b"text", **SHA_256)["CiphertextBlob"]
    changed = bytes((*ciphertext[:-1], ciphertext[-1] ^ 1))
    for wrong in (changed, ciphertext[:-1], ciphertext + b"\x00", b"x", bytes(len(ciphertext)), b"\xff" * 6144):
        asked = {"KeyId": key_id, "CiphertextBlob": wrong, **SHA_256}
        assert refusal(kms.decrypt, **asked) == ("InvalidCiphertextException", "")
    other = {"KeyId": key_id, "CiphertextBlob": ciphertext, "EncryptionAlgorithm": "RSAES_OAEP_SHA_1"}
    assert refusal(kms.decrypt, **other) == ("InvalidCiphertextException", "")
    entry = place.last_record()
    assert (entry.use, entry.outcome, entry.key_id) == ("decrypt", "tampered", key_id)


def test_ciphertext_of_another_key(kms: Any, kept_key: KeptKey) -> None:
    """RSA ciphertext names no key, so with a wrong one it just does not open."""
    ciphertext = kms.encrypt(KeyId=kept_key("RSA_2048", USAGE), Plaintext=b"x", **SHA_256)["CiphertextBlob"]
    asked = {"KeyId": kept_key("RSA_3072", USAGE), "CiphertextBlob": ciphertext, **SHA_256}
    assert refusal(kms.decrypt, **asked) == ("InvalidCiphertextException", "")


def test_decrypt_needs_the_key(kms: Any, kept_key: KeptKey) -> None:
    """RSA ciphertext names no key, so the request must."""
    null = "1 validation error detected: Value null at '{}' failed to satisfy constraint: Member must not be null"
    asked = {"CiphertextBlob": bytes(256)}
    assert refusal(kms.decrypt, **asked, **SHA_256) == ("ValidationException", null.format("keyId"))
    target = {"DestinationKeyId": kept_key("RSA_2048", USAGE), **TO_RSA}
    assert refusal(kms.re_encrypt, **asked, **target, **FROM_RSA) == (
        "ValidationException",
        null.format("sourceKeyId"),
    )
    given = {"KeyId": kept_key("RSA_2048", USAGE), **SHA_256}
    assert refusal(kms.decrypt, **given) == ("ValidationException", null.format("ciphertextBlob"))


@pytest.mark.parametrize(
    ("spec", "usage", "algorithm", "text"),
    [
        ("RSA_2048", USAGE, None, "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048."),
        ("RSA_2048", USAGE, "SM2PKE", "Algorithm SM2PKE is incompatible with key spec RSA_2048."),
        (
            "SYMMETRIC_DEFAULT", USAGE, "RSAES_OAEP_SHA_1",
            "Algorithm RSAES_OAEP_SHA_1 is incompatible with key spec SYMMETRIC_DEFAULT.",
        ),
        ("RSA_2048", "SIGN_VERIFY", "RSAES_OAEP_SHA_1", "{} key usage is SIGN_VERIFY which is not valid for {}."),
        ("HMAC_256", "GENERATE_VERIFY_MAC", None, "{} key usage is GENERATE_VERIFY_MAC which is not valid for {}."),
    ],
)  # fmt: skip
def test_keys_that_do_not_fit(
    kms: Any, kept_key: KeptKey, spec: str, usage: str, algorithm: str | None, text: str
) -> None:
    """A key of another usage, or an algorithm of another kind of key, is refused in the recorded words."""
    key_id = kept_key(spec, usage)
    named = {} if algorithm is None else {"EncryptionAlgorithm": algorithm}
    code = "InvalidKeyUsageException"
    asked = {"KeyId": key_id, "Plaintext": b"x", **named}
    assert refusal(kms.encrypt, **asked) == (code, text.format(arn_of(key_id), "Encrypt"))
    if algorithm is not None:
        asked = {"KeyId": key_id, "CiphertextBlob": b"x", **named}
        assert refusal(kms.decrypt, **asked) == (code, text.format(arn_of(key_id), "Decrypt"))
    blob = kms.encrypt(KeyId=kept_key("SYMMETRIC_DEFAULT", USAGE), Plaintext=b"x")["CiphertextBlob"]
    destination = {"DestinationKeyId": key_id} | {f"Destination{name}": value for name, value in named.items()}
    assert refusal(kms.re_encrypt, CiphertextBlob=blob, **destination) == (
        code,
        text.format(arn_of(key_id), "ReEncryptTo"),
    )


@pytest.mark.parametrize(("spec", "usage"), [("RSA_2048", USAGE), ("RSA_2048", "SIGN_VERIFY")])
def test_blob_with_a_key_of_another_kind(kms: Any, kept_key: KeptKey, spec: str, usage: str) -> None:
    """A symmetric blob says that an unsuitable key is the wrong one; what is no blob is told first (recorded)."""
    key_id = kept_key(spec, usage)
    blob = kms.encrypt(KeyId=kept_key("SYMMETRIC_DEFAULT", USAGE), Plaintext=b"x")["CiphertextBlob"]
    assert refusal(kms.decrypt, CiphertextBlob=blob, KeyId=key_id) == INCORRECT_KEY
    source = {"SourceKeyId": key_id, "DestinationKeyId": kept_key("SYMMETRIC_DEFAULT", USAGE)}
    assert refusal(kms.re_encrypt, CiphertextBlob=blob, **source) == INCORRECT_KEY
    assert refusal(kms.decrypt, CiphertextBlob=bytes(256), KeyId=key_id) == ("InvalidCiphertextException", "")


def test_blob_made_up_for_an_rsa_key(kms: Any, kept_key: KeptKey) -> None:
    """A blob that names an RSA key was made by nobody."""
    blob = kms.encrypt(KeyId=kept_key("SYMMETRIC_DEFAULT", USAGE), Plaintext=b"x")["CiphertextBlob"]
    forged = blob[:1] + ids.key_id_bytes(kept_key("RSA_2048", USAGE)) + blob[18:]
    assert refusal(kms.decrypt, CiphertextBlob=forged) == ("InvalidCiphertextException", "")


def test_no_encryption_context(kms: Any, kept_key: KeptKey) -> None:
    """RSA ciphertext has no encryption context, so none is taken; an empty one is none."""
    key_id, symmetric = kept_key("RSA_2048", USAGE), kept_key("SYMMETRIC_DEFAULT", USAGE)
    context = {"a": "b"}
    asked = {"KeyId": key_id, "Plaintext": b"x", **SHA_256}
    ciphertext = kms.encrypt(**asked, EncryptionContext={})["CiphertextBlob"]
    assert refusal(kms.encrypt, **asked, EncryptionContext=context) == NO_CONTEXT
    source = {"KeyId": key_id, "CiphertextBlob": ciphertext, **SHA_256}
    for _ in range(2):  # the second one by what the first one has found
        assert refusal(kms.decrypt, **source, EncryptionContext=context) == NO_CONTEXT
        kms.decrypt(**source)
    moved = {"CiphertextBlob": ciphertext, "SourceKeyId": key_id, "DestinationKeyId": symmetric, **FROM_RSA}
    assert refusal(kms.re_encrypt, **moved, SourceEncryptionContext=context) == NO_CONTEXT
    blob = kms.encrypt(KeyId=symmetric, Plaintext=b"x")["CiphertextBlob"]
    moved = {"CiphertextBlob": blob, "DestinationKeyId": key_id, **TO_RSA}
    assert refusal(kms.re_encrypt, **moved, DestinationEncryptionContext=context) == NO_CONTEXT


def test_re_encrypt(kms: Any, kept_key: KeptKey) -> None:
    """ReEncrypt moves plaintexts between keys of both kinds, and says materials of symmetric keys only."""
    symmetric, rsa, larger = (kept_key(spec, USAGE) for spec in ("SYMMETRIC_DEFAULT", "RSA_2048", "RSA_3072"))
    material = kms.describe_key(KeyId=symmetric)["KeyMetadata"]["CurrentKeyMaterialId"]
    blob = kms.encrypt(KeyId=symmetric, Plaintext=b"text", EncryptionContext={"a": "b"})["CiphertextBlob"]
    to_rsa = members(
        kms.re_encrypt(CiphertextBlob=blob, SourceEncryptionContext={"a": "b"}, DestinationKeyId=rsa, **TO_RSA)
    )
    ciphertext = to_rsa.pop("CiphertextBlob")
    assert to_rsa == {
        "SourceKeyId": arn_of(symmetric), "KeyId": arn_of(rsa), "SourceKeyMaterialId": material,
        "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT", **TO_RSA,
    }  # fmt: skip
    between = {"SourceKeyId": rsa, "DestinationKeyId": larger, **FROM_RSA}
    moved = kms.re_encrypt(CiphertextBlob=ciphertext, **between, DestinationEncryptionAlgorithm="RSAES_OAEP_SHA_1")
    back = {"SourceKeyId": larger, "DestinationKeyId": symmetric, "SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_1"}
    last = kms.re_encrypt(CiphertextBlob=moved["CiphertextBlob"], **back)
    assert last["DestinationKeyMaterialId"] == material
    assert "SourceKeyMaterialId" not in last
    assert kms.decrypt(CiphertextBlob=last["CiphertextBlob"])["Plaintext"] == b"text"


@pytest.mark.parametrize(("spec", "algorithm"), LIMITS)
def test_re_encrypt_of_too_much(place: Place, kms: Any, kept_key: KeptKey, spec: str, algorithm: str) -> None:
    """A plaintext that an RSA key cannot take is refused though only the keyholder sees it, in a trial as well."""
    symmetric, target = kept_key("SYMMETRIC_DEFAULT", USAGE), kept_key(spec, USAGE)
    asked = {"DestinationKeyId": target, "DestinationEncryptionAlgorithm": algorithm}
    limit = LIMITS[spec, algorithm]
    fitting, blob = (
        kms.encrypt(KeyId=symmetric, Plaintext=bytes(length))["CiphertextBlob"] for length in (limit, limit + 1)
    )
    kms.re_encrypt(CiphertextBlob=fitting, **asked)
    assert refusal(kms.re_encrypt, CiphertextBlob=fitting, **asked, DryRun=True) == DRY_RUN
    assert refusal(kms.re_encrypt, CiphertextBlob=blob, **asked, DryRun=True) == too_long(spec, algorithm)
    assert refusal(kms.re_encrypt, CiphertextBlob=blob, **asked) == too_long(spec, algorithm)
    closing = place.last_record()
    assert closing.draft["error"] == "ValidationException"
    source, into, _ = place.record(closing.draft["request"])
    assert (source.use, source.outcome, source.key_id) == ("re-encrypt-from", "ok", symmetric)
    assert (into.use, into.outcome, into.key_id) == ("re-encrypt-to", "invalid", target)


def test_empty_plaintext(kms: Any, kept_key: KeptKey) -> None:
    """A sender outside may encrypt nothing at all: that is decrypted, and cannot be encrypted again."""
    rsa, symmetric = kept_key("RSA_2048", USAGE), kept_key("SYMMETRIC_DEFAULT", USAGE)
    public = kms.get_public_key(KeyId=rsa)["PublicKey"]
    ciphertext = outside.encrypt(public, "RSAES_OAEP_SHA_256", b"")
    assert kms.decrypt(KeyId=rsa, CiphertextBlob=ciphertext, **SHA_256)["Plaintext"] == b""
    moved = {"CiphertextBlob": ciphertext, "SourceKeyId": rsa, "DestinationKeyId": symmetric, **FROM_RSA}
    assert refusal(kms.re_encrypt, **moved)[0] == "ValidationException"


def test_dry_run(place: Place, kms: Any, new_key: NewKey) -> None:
    """DryRun tries rights, state, length and ciphertext; IGNORE_CIPHERTEXT all but the ciphertext."""
    key_id = new_key(KeySpec="RSA_2048", KeyUsage=USAGE)
    none = place.kms(place.add_user())
    encrypted = {"KeyId": key_id, "Plaintext": b"x", **SHA_256}
    ciphertext = kms.encrypt(**encrypted)["CiphertextBlob"]
    decrypted = {"KeyId": key_id, "CiphertextBlob": ciphertext, **SHA_256}
    for operation, asked in (("encrypt", encrypted), ("decrypt", decrypted)):
        assert refusal(getattr(kms, operation), **asked, DryRun=True) == DRY_RUN
        assert refusal(getattr(none, operation), **asked, DryRun=True)[0] == "AccessDeniedException"
    longer = encrypted | {"Plaintext": bytes(191)}
    assert refusal(kms.encrypt, **longer, DryRun=True) == too_long("RSA_2048", "RSAES_OAEP_SHA_256")
    wrong = decrypted | {"CiphertextBlob": b"x"}
    assert refusal(kms.decrypt, **wrong, DryRun=True) == ("InvalidCiphertextException", "")
    trial = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    assert refusal(kms.decrypt, **wrong, **trial) == DRY_RUN
    assert refusal(kms.decrypt, KeyId=key_id, **SHA_256, **trial) == DRY_RUN
    kms.disable_key(KeyId=key_id)
    for operation, asked in (("encrypt", encrypted), ("decrypt", decrypted)):
        assert refusal(getattr(kms, operation), **asked, DryRun=True)[0] == "DisabledException"


def test_conditions(place: Place, kms: Any, kept_key: KeptKey) -> None:
    """A policy may ask for the algorithm; the rights to encrypt and to decrypt are two."""
    policy = allow("kms:Encrypt")
    policy["Statement"][0]["Condition"] = {"StringEquals": {"kms:EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}}
    client = place.kms(place.add_user(policy))
    asked = {"KeyId": kept_key("RSA_2048", USAGE), "Plaintext": b"x"}
    ciphertext = client.encrypt(**asked, **SHA_256)["CiphertextBlob"]
    assert refusal(client.encrypt, **asked, EncryptionAlgorithm="RSAES_OAEP_SHA_1")[0] == "AccessDeniedException"
    opened = {"KeyId": kept_key("RSA_2048", USAGE), "CiphertextBlob": ciphertext, **SHA_256}
    assert refusal(client.decrypt, **opened)[0] == "AccessDeniedException"


@pytest.mark.parametrize("value", ["true", "false"])
def test_re_encrypt_on_the_same_key(place: Place, kms: Any, new_key: NewKey, value: str) -> None:
    """kms:ReEncryptOnSameKey says whether both keys are one, however they are named and whichever their kind."""
    rsa = {"KeySpec": "RSA_2048", "KeyUsage": USAGE}
    policy = allow("kms:ReEncrypt*")
    policy["Statement"][0]["Condition"] = {"Bool": {"kms:ReEncryptOnSameKey": value}}
    client = place.kms(place.add_user(policy))
    for kind, algorithm in (({}, "SYMMETRIC_DEFAULT"), (rsa, "RSAES_OAEP_SHA_256")):
        key_id, other = new_key(**kind), new_key(**kind)
        kms.create_alias(AliasName=f"alias/same-{key_id}", TargetKeyId=key_id)
        asked = {"KeyId": key_id, "Plaintext": b"x", "EncryptionAlgorithm": algorithm}
        blob = kms.encrypt(**asked)["CiphertextBlob"]
        named = {"CiphertextBlob": blob, "SourceKeyId": key_id} | {
            f"{side}EncryptionAlgorithm": algorithm for side in ("Source", "Destination")
        }
        for target in (key_id, arn_of(key_id), f"alias/same-{key_id}", other):
            if (target != other) is (value == "true"):
                client.re_encrypt(**named, DestinationKeyId=target)
            else:
                assert refusal(client.re_encrypt, **named, DestinationKeyId=target)[0] == "AccessDeniedException"
    for missing in ("alias/none", arn_of("none"), "none"):
        assert refusal(kms.re_encrypt, **named, DestinationKeyId=missing)[0] == "NotFoundException"


def test_records(place: Place, kms: Any, kept_key: KeptKey) -> None:
    """Each use is on the record with its key; a plaintext that is too long is, too."""
    key_id = kept_key("RSA_2048", USAGE)
    ciphertext = kms.encrypt(KeyId=key_id, Plaintext=b"x", **SHA_256)["CiphertextBlob"]
    entry = place.last_record()
    assert (entry.use, entry.outcome, entry.key_id) == ("encrypt", "ok", key_id)
    assert (entry.draft["use"], entry.draft["key"]) == ("kms:Encrypt", arn_of(key_id))
    kms.decrypt(KeyId=key_id, CiphertextBlob=ciphertext, **SHA_256)
    entry = place.last_record()
    assert (entry.use, entry.outcome, entry.draft["use"]) == ("decrypt", "ok", "kms:Decrypt")
    refusal(kms.encrypt, KeyId=key_id, Plaintext=bytes(191), **SHA_256)
    assert place.last_record().draft["error"] == "ValidationException"


@pytest.mark.parametrize("operation", ["generate_data_key", "generate_data_key_without_plaintext"])
def test_data_keys_of_another_kind_of_key(kms: Any, kept_key: KeptKey, operation: str) -> None:
    """Only symmetric encryption keys encrypt data keys."""
    shown = "".join(word.title() for word in operation.split("_"))
    code = "InvalidKeyUsageException"
    rsa = {"KeyId": kept_key("RSA_2048", USAGE), "KeySpec": "AES_256"}
    assert refusal(getattr(kms, operation), **rsa) == (code, "You cannot generate a data key with an asymmetric CMK")
    for spec, usage in (("ECC_NIST_P256", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC")):
        key_id = kept_key(spec, usage)
        assert refusal(getattr(kms, operation), KeyId=key_id, KeySpec="AES_256") == (
            code,
            f"{arn_of(key_id)} key usage is {usage} which is not valid for {shown}.",
        )
