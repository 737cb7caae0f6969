"""Data keys, Encrypt, Decrypt, ReEncrypt and random bytes over HTTP, with boto3."""

import json
import uuid
from typing import Any

import pytest

from fuin import ids
from tests.kms.asking import UNSEEN, NewKey, arn_of, refusal
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, REGION, Place
from tests.support.policies import allow

CONTEXT = {"purpose": "test", "tenant": "ü"}
INCORRECT_KEY = "The key ID in the request does not identify a CMK that can perform this operation."


def unseen(account: str = ACCOUNT) -> tuple[str, str]:
    """Return how an account's root is refused a ciphertext whose key it cannot see."""
    who = f"User: arn:aws:iam::{account}:root is not authorized to perform: kms:Decrypt"
    return "AccessDeniedException", f"{who} on the resource associated with this ciphertext {UNSEEN}"


def without_metadata(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer's own members."""
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def material_of(kms: Any, key_id: str) -> str:
    """Return the id of a key's current material."""
    found: str = kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"]
    return found


@pytest.mark.parametrize(
    ("size", "length"),
    [
        ({"KeySpec": "AES_256"}, 32),
        ({"KeySpec": "AES_128"}, 16),
        ({"NumberOfBytes": 1}, 1),
        ({"NumberOfBytes": 1024}, 1024),
    ],
)
def test_data_key(kms: Any, new_key: NewKey, size: dict[str, Any], length: int) -> None:
    """A data key comes once in the clear and once encrypted; Decrypt opens the blob without being told the key."""
    key_id = new_key()
    made = without_metadata(kms.generate_data_key(KeyId=key_id, EncryptionContext=CONTEXT, **size))
    assert made.keys() == {"Plaintext", "CiphertextBlob", "KeyId", "KeyMaterialId"}
    assert len(made["Plaintext"]) == length
    assert len(made["CiphertextBlob"]) <= 152 + length
    assert made["KeyId"] == arn_of(key_id)
    assert made["KeyMaterialId"] == material_of(kms, key_id)
    opened = without_metadata(kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=CONTEXT))
    assert opened == {
        "KeyId": arn_of(key_id),
        "Plaintext": made["Plaintext"],
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "KeyMaterialId": made["KeyMaterialId"],
    }


def test_data_key_without_plaintext(kms: Any, new_key: NewKey) -> None:
    """GenerateDataKeyWithoutPlaintext gives the blob alone; whoever may decrypt gets the key later."""
    key_id = new_key()
    made = without_metadata(kms.generate_data_key_without_plaintext(KeyId=key_id, KeySpec="AES_256"))
    assert made.keys() == {"CiphertextBlob", "KeyId", "KeyMaterialId"}
    assert len(kms.decrypt(CiphertextBlob=made["CiphertextBlob"], KeyId=key_id)["Plaintext"]) == 32


def test_blob_of_a_data_key_is_no_longer_than_that_of_aws(kms: Any, new_key: NewKey) -> None:
    """The blob of a 32-byte data key has at most AWS's 184 bytes."""
    assert len(kms.generate_data_key(KeyId=new_key(), KeySpec="AES_256")["CiphertextBlob"]) <= 184


@pytest.mark.parametrize("operation", ["generate_data_key", "generate_data_key_without_plaintext"])
@pytest.mark.parametrize("size", [{}, {"KeySpec": "AES_256", "NumberOfBytes": 32}])
def test_data_key_needs_one_size(kms: Any, new_key: NewKey, operation: str, size: dict[str, Any]) -> None:
    """Exactly one of KeySpec and NumberOfBytes must be given."""
    assert refusal(getattr(kms, operation), KeyId=new_key(), **size) == (
        "ValidationException",
        "Please specify either number of bytes or key spec.",
    )


@pytest.mark.parametrize("length", [1, 100, 4096])
def test_encrypt(kms: Any, new_key: NewKey, length: int) -> None:
    """Encrypt takes 1 to 4096 bytes, and Decrypt gives them back."""
    key_id = new_key()
    plaintext = bytes(range(256)) * 16
    made = without_metadata(
        kms.encrypt(KeyId=key_id, Plaintext=plaintext[:length], EncryptionAlgorithm="SYMMETRIC_DEFAULT")
    )
    assert made.keys() == {"CiphertextBlob", "KeyId", "EncryptionAlgorithm"}
    assert made["KeyId"] == arn_of(key_id)
    opened = kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext={})
    assert opened["Plaintext"] == plaintext[:length]


def test_two_encryptions_differ(kms: Any, new_key: NewKey) -> None:
    """The same plaintext gives another blob each time."""
    key_id = new_key()
    first, second = (kms.encrypt(KeyId=key_id, Plaintext=b"same")["CiphertextBlob"] for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    "context", [{}, {"purpose": "test"}, {**CONTEXT, "more": ""}, {"tenant": "test", "purpose": "ü"}]
)
def test_another_context_does_not_open(kms: Any, new_key: NewKey, context: dict[str, str]) -> None:
    """Only the very context opens; the error carries no message, as AWS's."""
    blob = kms.encrypt(KeyId=new_key(), Plaintext=b"text", EncryptionContext=CONTEXT)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext=dict(reversed(CONTEXT.items())))["Plaintext"] == b"text"
    assert refusal(kms.decrypt, CiphertextBlob=blob, EncryptionContext=context) == ("InvalidCiphertextException", "")


def test_context_has_a_limit(kms: Any, new_key: NewKey) -> None:
    """A context that its format cannot hold is refused before anything is used."""
    key_id = new_key()
    kms.encrypt(KeyId=key_id, Plaintext=b"x", EncryptionContext={"k": "v" * 65_000})
    code, message = refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x", EncryptionContext={"k": "v" * 66_000})
    assert code == "ValidationException"
    assert message.startswith("The encryption context is not valid: ")


@pytest.mark.parametrize("position", [0, 1, 5, 17, 18, 49, 50, 81, 82, 113, 114, -17, -16, -1])
def test_changed_blob_does_not_open(place: Place, kms: Any, new_key: NewKey, position: int) -> None:
    """A blob that was changed anywhere opens nothing; one that names another key says as little as AWS."""
    blob = bytearray(kms.encrypt(KeyId=new_key(), Plaintext=b"text" * 10)["CiphertextBlob"])
    blob[position] ^= 1
    code, message = refusal(kms.decrypt, CiphertextBlob=bytes(blob))
    allowed = {("InvalidCiphertextException", ""), unseen()}
    assert (code, message) in allowed


@pytest.mark.parametrize("blob", [b"x", b"\x01" * 200, b"\x00" * 6144])
def test_bytes_that_are_no_blob(kms: Any, new_key: NewKey, blob: bytes) -> None:
    """Bytes that are no blob are InvalidCiphertextException, with and without a key named."""
    if blob[0] == 1:
        blob = blob[:1] + b"\x07" + blob[2:]
    assert refusal(kms.decrypt, CiphertextBlob=blob) == ("InvalidCiphertextException", "")
    assert refusal(kms.decrypt, CiphertextBlob=blob, KeyId=new_key()) == ("InvalidCiphertextException", "")


def test_decrypt_needs_a_blob(kms: Any) -> None:
    """Decrypt without a blob is refused although the model does not require it."""
    assert refusal(kms.decrypt, KeyId="x")[1].endswith(
        "Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be null"
    )


def test_decrypt_with_the_wrong_key(kms: Any, new_key: NewKey) -> None:
    """A KeyId that is not the blob's is IncorrectKeyException; the right one may be an ARN or an alias."""
    key_id, other = new_key(), new_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    assert refusal(kms.decrypt, CiphertextBlob=blob, KeyId=other) == ("IncorrectKeyException", INCORRECT_KEY)
    alias = f"alias/decrypt-{key_id}"
    kms.create_alias(AliasName=alias, TargetKeyId=key_id)
    for name in (key_id, arn_of(key_id), alias, f"arn:aws:kms:{REGION}:{ACCOUNT}:{alias}"):
        assert kms.decrypt(CiphertextBlob=blob, KeyId=name)["Plaintext"] == b"text"


def test_blob_of_another_region(place: Place, kms: Any, new_key: NewKey) -> None:
    """A blob of a key of one region says in another what AWS says."""
    blob = kms.encrypt(KeyId=new_key(), Plaintext=b"text")["CiphertextBlob"]
    other = place.kms(region="eu-central-1")
    assert refusal(other.decrypt, CiphertextBlob=blob) == unseen()


def test_blob_of_a_key_of_another_account(place: Place, kms: Any, new_key: NewKey) -> None:
    """Another account that may not use the key does not learn that it exists."""
    blob = kms.encrypt(KeyId=new_key(), Plaintext=b"text")["CiphertextBlob"]
    other = place.kms(place.other_root)
    assert refusal(other.decrypt, CiphertextBlob=blob) == unseen(OTHER_ACCOUNT)


def test_blob_of_a_key_that_ended(place: Place, kms: Any, new_key: NewKey) -> None:
    """A blob of a key past its deletion date says the same as one of a key that never was."""
    key_id = new_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key_id)
    place.expire(key_id)
    assert refusal(kms.decrypt, CiphertextBlob=blob) == unseen()
    never = blob[:1] + ids.key_id_bytes(str(uuid.uuid4())) + blob[18:]
    assert refusal(kms.decrypt, CiphertextBlob=never) == unseen()


@pytest.mark.parametrize(
    ("operation", "action", "members"),
    [
        ("encrypt", "kms:Encrypt", {"Plaintext": b"x"}),
        ("generate_data_key", "kms:GenerateDataKey", {"KeySpec": "AES_256"}),
        ("generate_data_key_without_plaintext", "kms:GenerateDataKeyWithoutPlaintext", {"KeySpec": "AES_256"}),
    ],
)
def test_each_use_needs_its_own_right(
    place: Place, new_key: NewKey, operation: str, action: str, members: dict[str, Any]
) -> None:
    """Encrypt, GenerateDataKey and GenerateDataKeyWithoutPlaintext are rights of their own."""
    key_id = new_key()
    others = {"kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:Decrypt"} - {action}
    user = place.add_user(allow(*sorted(others)))
    client = place.kms(user)
    assert refusal(getattr(client, operation), KeyId=key_id, **members) == (
        "AccessDeniedException",
        (
            f"User: arn:aws:iam::{ACCOUNT}:user/{user.name} is not authorized to perform: {action} "
            f"on resource: {arn_of(key_id)} because no identity-based policy allows the {action} action"
        ),
    )
    place.set_policy(user, allow(action, resource=arn_of(key_id)))
    getattr(client, operation)(KeyId=key_id, **members)


def test_decrypt_needs_its_right(place: Place, kms: Any, new_key: NewKey) -> None:
    """A user of the key's own account who may not decrypt is told which right is missing on which key."""
    key_id = new_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    client = place.kms(place.add_user(allow("kms:Encrypt", "kms:GenerateDataKey")))
    for named in ({}, {"KeyId": key_id}):
        code, message = refusal(client.decrypt, CiphertextBlob=blob, **named)
        assert code == "AccessDeniedException"
        assert f"is not authorized to perform: kms:Decrypt on resource: {arn_of(key_id)}" in message


def test_conditions_on_the_encryption_context(place: Place, new_key: NewKey) -> None:
    """A policy may ask for a value in the encryption context, for the algorithm and for the caller's account."""
    key_id = new_key()
    statement = allow("kms:Encrypt", resource=arn_of(key_id))
    conditions = {
        "kms:EncryptionContext:tenant": "12",
        "kms:EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "kms:CallerAccount": ACCOUNT,
        "kms:KeySpec": "SYMMETRIC_DEFAULT",
        "kms:KeyUsage": "ENCRYPT_DECRYPT",
        "kms:KeyOrigin": "AWS_KMS",
        "aws:ResourceTag/team": "blue",
    }
    statement["Statement"][0]["Condition"] = {"StringEquals": conditions}
    client = place.kms(place.add_user(statement))
    right = {"KeyId": key_id, "Plaintext": b"x", "EncryptionContext": {"tenant": "12", "more": "x"}}
    assert refusal(client.encrypt, **right)[0] == "AccessDeniedException"
    place.kms().tag_resource(KeyId=key_id, Tags=[{"TagKey": "team", "TagValue": "blue"}])
    client.encrypt(**right)
    assert refusal(client.encrypt, **{**right, "EncryptionContext": {"tenant": "13"}})[0] == "AccessDeniedException"
    assert refusal(client.encrypt, KeyId=key_id, Plaintext=b"x")[0] == "AccessDeniedException"


def test_key_policy_alone_is_enough(place: Place, kms: Any, new_key: NewKey) -> None:
    """A key policy that names a user needs no policy of the user's own."""
    key_id = new_key()
    user = place.add_user()
    client = place.kms(user)
    assert refusal(client.encrypt, KeyId=key_id, Plaintext=b"x")[0] == "AccessDeniedException"
    policy = json.loads(kms.get_key_policy(KeyId=key_id)["Policy"])
    principal = {"AWS": f"arn:aws:iam::{ACCOUNT}:user/{user.name}"}
    policy["Statement"].append({"Effect": "Allow", "Principal": principal, "Action": "kms:Encrypt", "Resource": "*"})
    kms.put_key_policy(KeyId=key_id, Policy=json.dumps(policy))
    client.encrypt(KeyId=key_id, Plaintext=b"x")


def test_re_encrypt(kms: Any, new_key: NewKey) -> None:
    """ReEncrypt moves a ciphertext to another key and context; the answer names both keys and materials."""
    old, new = new_key(), new_key()
    blob = kms.encrypt(KeyId=old, Plaintext=b"text", EncryptionContext=CONTEXT)["CiphertextBlob"]
    moved = without_metadata(
        kms.re_encrypt(
            CiphertextBlob=blob,
            SourceEncryptionContext=CONTEXT,
            DestinationKeyId=new,
            DestinationEncryptionContext={"new": "context"},
        )
    )
    fresh = moved.pop("CiphertextBlob")
    assert moved == {
        "SourceKeyId": arn_of(old),
        "KeyId": arn_of(new),
        "SourceEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "SourceKeyMaterialId": material_of(kms, old),
        "DestinationKeyMaterialId": material_of(kms, new),
    }
    opened = kms.decrypt(CiphertextBlob=fresh, EncryptionContext={"new": "context"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"text", arn_of(new))


def test_re_encrypt_refuses(kms: Any, new_key: NewKey) -> None:
    """A wrong context, a wrong source key and a missing destination are the modelled errors."""
    old, new = new_key(), new_key()
    blob = kms.encrypt(KeyId=old, Plaintext=b"text", EncryptionContext=CONTEXT)["CiphertextBlob"]
    asked = {"CiphertextBlob": blob, "SourceEncryptionContext": CONTEXT, "DestinationKeyId": new}
    kms.re_encrypt(**asked, SourceKeyId=old)
    assert refusal(kms.re_encrypt, **{**asked, "SourceEncryptionContext": {}}) == ("InvalidCiphertextException", "")
    assert refusal(kms.re_encrypt, **asked, SourceKeyId=new) == ("IncorrectKeyException", INCORRECT_KEY)
    missing = str(uuid.uuid4())
    assert refusal(kms.re_encrypt, **{**asked, "DestinationKeyId": missing}) == (
        "NotFoundException",
        f"Key '{arn_of(missing)}' does not exist",
    )
    assert refusal(kms.re_encrypt, CiphertextBlob=blob)[0] == "ValidationException"


def test_re_encrypt_needs_two_rights(place: Place, kms: Any, new_key: NewKey) -> None:
    """ReEncrypt needs kms:ReEncryptFrom on the old and kms:ReEncryptTo on the new key, neither Encrypt nor Decrypt."""
    old, new = new_key(), new_key()
    asked = {"CiphertextBlob": kms.encrypt(KeyId=old, Plaintext=b"x")["CiphertextBlob"], "DestinationKeyId": new}
    user = place.add_user(allow("kms:Encrypt", "kms:Decrypt"))
    client = place.kms(user)
    assert "kms:ReEncryptFrom" in refusal(client.re_encrypt, **asked)[1]
    place.set_policy(user, allow("kms:ReEncryptFrom"))
    assert "kms:ReEncryptTo" in refusal(client.re_encrypt, **asked)[1]
    place.set_policy(user, allow("kms:ReEncrypt*"))
    client.re_encrypt(**asked)


@pytest.mark.parametrize("length", [1, 1024])
def test_random(kms: Any, length: int) -> None:
    """GenerateRandom gives as many bytes as asked for, others each time."""
    first, second = (kms.generate_random(NumberOfBytes=length)["Plaintext"] for _ in range(2))
    assert len(first) == len(second) == length
    assert length == 1 or first != second


def test_random_refuses(place: Place, kms: Any) -> None:
    """GenerateRandom needs a length and its right; there are no custom key stores."""
    assert refusal(kms.generate_random) == ("ValidationException", "NumberOfBytes is required.")
    assert (
        refusal(kms.generate_random, NumberOfBytes=1, CustomKeyStoreId="cks-1")[0] == "CustomKeyStoreNotFoundException"
    )
    client = place.kms(place.add_user(allow("kms:Encrypt")))
    assert refusal(client.generate_random, NumberOfBytes=1)[0] == "AccessDeniedException"


def test_what_is_not_built_is_refused(kms: Any, new_key: NewKey) -> None:
    """An enclave's attestation is not ignored, and neither are grant tokens: no grants exist."""
    key_id = new_key()
    recipient = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": b"x"}
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    unsupported = "UnsupportedOperationException"
    assert refusal(kms.decrypt, CiphertextBlob=blob, Recipient=recipient)[0] == unsupported
    assert refusal(kms.generate_data_key, KeyId=key_id, KeySpec="AES_256", Recipient=recipient)[0] == unsupported
    assert refusal(kms.generate_random, NumberOfBytes=1, Recipient=recipient)[0] == unsupported
    assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x", GrantTokens=["t"])[0] == "InvalidGrantTokenException"


def test_algorithms_of_other_keys(kms: Any, new_key: NewKey) -> None:
    """An algorithm that does not fit a symmetric key is InvalidKeyUsageException, in every place."""
    key_id = new_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"x")["CiphertextBlob"]
    wrong = "RSAES_OAEP_SHA_256"
    expected = ("InvalidKeyUsageException", f"Algorithm {wrong} is incompatible with key spec SYMMETRIC_DEFAULT.")
    assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x", EncryptionAlgorithm=wrong) == expected
    assert refusal(kms.decrypt, KeyId=key_id, CiphertextBlob=blob, EncryptionAlgorithm=wrong) == expected
    asked = {"CiphertextBlob": blob, "DestinationKeyId": key_id, "SourceKeyId": key_id}
    assert refusal(kms.re_encrypt, **asked, SourceEncryptionAlgorithm=wrong) == expected
    assert refusal(kms.re_encrypt, **asked, DestinationEncryptionAlgorithm=wrong) == expected


def test_key_of_another_usage(place: Place, kms: Any, new_key: NewKey) -> None:
    """A key that is not for encryption is InvalidKeyUsageException, told with its ARN."""
    key_id = new_key()
    place.sql("UPDATE keys SET usage = 'SIGN_VERIFY' WHERE key_id = :id", id=key_id)
    assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x") == (
        "InvalidKeyUsageException",
        f"{arn_of(key_id)} key usage is SIGN_VERIFY which is not valid for Encrypt.",
    )
