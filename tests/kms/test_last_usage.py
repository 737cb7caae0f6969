"""GetKeyLastUsage: exact and at once."""

import datetime
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.kms.asking import NewKey, arn_of, refusal
from tests.support.place import Place
from tests.support.policies import allow

CONTEXT = {"EncryptionContext": {"a": "b"}}
SIGNING = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}


def last_of(kms: Any, key_id: str) -> dict[str, Any]:
    """Return a key's last use."""
    found: dict[str, Any] = kms.get_key_last_usage(KeyId=key_id)["KeyLastUsage"]
    return found


def test_unused_key(kms: Any, new_key: NewKey) -> None:
    """A key without a use has an empty one, and is told with the dates of its making and of the log's begin."""
    key_id = new_key()
    answer = kms.get_key_last_usage(KeyId=arn_of(key_id))
    del answer["ResponseMetadata"]
    created = kms.describe_key(KeyId=key_id)["KeyMetadata"]["CreationDate"]
    assert answer == {
        "KeyId": key_id, "KeyLastUsage": {}, "KeyCreationDate": created, "TrackingStartDate": created,
    }  # fmt: skip


def test_key_older_than_the_log(place: Place, kms: Any, new_key: NewKey) -> None:
    """Of a key that is older than the log, uses are known since the log began."""
    key_id = new_key()
    place.sql("UPDATE keys SET created = 1000 WHERE key_id = :id", id=key_id)
    answer = kms.get_key_last_usage(KeyId=key_id)
    assert answer["KeyCreationDate"] == datetime.datetime.fromtimestamp(1000, datetime.UTC)
    away = datetime.datetime.now(datetime.UTC) - answer["TrackingStartDate"]
    assert datetime.timedelta(0) < away < datetime.timedelta(hours=1)


def test_every_operation_counts_at_once(place: Place, kms: Any, new_key: NewKey) -> None:
    """Each use shows with its operation, its time and its request id, by which its record is found."""
    key_id = new_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    uses: dict[str, Callable[[], Any]] = {
        "Encrypt": lambda: kms.encrypt(KeyId=key_id, Plaintext=b"text"),
        "Decrypt": lambda: kms.decrypt(CiphertextBlob=blob),
        "ReEncrypt": lambda: kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key_id),
        "GenerateDataKey": lambda: kms.generate_data_key(KeyId=key_id, KeySpec="AES_256"),
        "GenerateDataKeyWithoutPlaintext": lambda: kms.generate_data_key_without_plaintext(
            KeyId=key_id, KeySpec="AES_256"
        ),
        "GenerateDataKeyPair": lambda: kms.generate_data_key_pair(KeyId=key_id, KeyPairSpec="ECC_NIST_P256"),
        "GenerateDataKeyPairWithoutPlaintext": lambda: kms.generate_data_key_pair_without_plaintext(
            KeyId=key_id, KeyPairSpec="ECC_NIST_P256"
        ),
    }
    for operation, use in uses.items():
        request_id = use()["ResponseMetadata"]["RequestId"]
        last = last_of(kms, key_id)
        assert (last["Operation"], last["KmsRequestId"]) == (operation, request_id)
        away = datetime.datetime.now(datetime.UTC) - last["Timestamp"]
        assert datetime.timedelta(0) <= away < datetime.timedelta(seconds=60)
        assert str(uuid.UUID(last["CloudTrailEventId"])) == last["CloudTrailEventId"] != request_id
        assert last_of(kms, key_id) == last  # asking is no use
        assert place.record(last["KmsRequestId"])[0].key_id == key_id


def test_other_kinds_of_keys(kms: Any, new_key: NewKey) -> None:
    """Signing, MACs, agreement and encapsulation are uses as well; a public key is none."""
    signer, mac = (
        new_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"),
        {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"},
    )
    signature = kms.sign(KeyId=signer, **SIGNING)["Signature"]
    assert last_of(kms, signer)["Operation"] == "Sign"
    kms.verify(KeyId=signer, Signature=signature, **SIGNING)
    kms.get_public_key(KeyId=signer)
    assert last_of(kms, signer)["Operation"] == "Verify"
    hmac = new_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    made = kms.generate_mac(KeyId=hmac, **mac)["Mac"]
    assert last_of(kms, hmac)["Operation"] == "GenerateMac"
    kms.verify_mac(KeyId=hmac, Mac=made, **mac)
    assert last_of(kms, hmac)["Operation"] == "VerifyMac"


def test_what_is_no_use(kms: Any, new_key: NewKey) -> None:
    """Refused and failed requests, dry runs, rotations and changes are no uses."""
    key_id = new_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text", **CONTEXT)["CiphertextBlob"]
    last = last_of(kms, key_id)
    refusal(kms.decrypt, CiphertextBlob=blob)
    refusal(kms.decrypt, CiphertextBlob=blob, DryRun=True, **CONTEXT)
    kms.rotate_key_on_demand(KeyId=key_id)
    kms.disable_key(KeyId=key_id)
    refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x")
    assert last_of(kms, key_id) == last


def test_both_keys_of_a_re_encryption(kms: Any, new_key: NewKey) -> None:
    """ReEncrypt is a use of the key it takes from and of the key it gives to."""
    source, target = new_key(), new_key()
    blob = kms.encrypt(KeyId=source, Plaintext=b"text")["CiphertextBlob"]
    request_id = kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=target)["ResponseMetadata"]["RequestId"]
    for key_id in (source, target):
        last = last_of(kms, key_id)
        assert (last["Operation"], last["KmsRequestId"]) == ("ReEncrypt", request_id)


def test_related_keys_have_uses_of_their_own(place: Place, kms: Any, new_key: NewKey) -> None:
    """A use in one Region is none of the related key in another."""
    key_id = new_key(MultiRegion=True)
    kms.replicate_key(KeyId=key_id, ReplicaRegion="eu-west-1")
    there = place.kms(region="eu-west-1")
    there.encrypt(KeyId=key_id, Plaintext=b"x")
    assert last_of(there, key_id)["Operation"] == "Encrypt"
    assert last_of(kms, key_id) == {}


@pytest.mark.parametrize(
    ("identifier", "code"),
    [
        ("alias/aws/s3", "InvalidArnException"),
        (arn_of("1234abcd-12ab-34cd-56ef-1234567890ab"), "NotFoundException"),
        ("x", "NotFoundException"),
    ],
)
def test_refusals(kms: Any, identifier: str, code: str) -> None:
    """Aliases are not supported, and keys that do not exist are not found."""
    assert refusal(kms.get_key_last_usage, KeyId=identifier)[0] == code


def test_right(place: Place, new_key: NewKey) -> None:
    """Asking is a right of its own."""
    client = place.kms(place.add_user(allow("kms:DescribeKey")))
    code, message = refusal(client.get_key_last_usage, KeyId=new_key())
    assert code == "AccessDeniedException"
    assert "kms:GetKeyLastUsage" in message
