"""Quotas: how much an account may have, and how often it may ask."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.errors import FuinError
from fuin.gate.throttle import Throttle
from fuin.kms import on_behalf
from fuin.kms.model import quotas
from fuin.kms.model.service import service_model
from fuin.kms.operations import OPERATIONS
from fuin.kms.reach import throttling
from fuin.kms.reach.throttling import read_quotas
from tests.kms.asking import NewKey, raises, refusal
from tests.kms.test_on_behalf import call_of
from tests.support.clocks import SOON, counted
from tests.support.place import ACCOUNT, Place

THROTTLED = (
    "ThrottlingException",
    "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.",
)
Limit = Callable[..., None]


@pytest.fixture
def limit(place: Place) -> Iterator[Limit]:
    """Give what sets the server's request quotas; they go with the test."""
    before = place.services.throttle

    def set_quotas(*given: str) -> None:
        place.services.throttle = Throttle(read_quotas(given))

    yield set_quotas
    place.services.throttle = before


def admitted(call: Callable[..., Any], most: int = 12, **members: Any) -> int:
    """Return how many calls are answered until one is throttled."""
    for number in range(most):
        try:
            call(**members)
        except ClientError as error:
            if error.response["Error"]["Code"] != THROTTLED[0]:
                raise
            return number
    return most


def test_nothing_is_counted_without_quotas(place: Place, kms: Any) -> None:
    """Without a setting no request is throttled."""
    assert place.services.throttle.rates == {}
    assert admitted(kms.generate_random, 30, NumberOfBytes=1) == 30


def test_throttled_request(place: Place, kms: Any, limit: Limit) -> None:
    """One request too many is answered as by AWS, with status 400, and stands in the audit log."""
    limit("kms:ListKeys=0.001")
    kms.list_keys()
    assert refusal(kms.list_keys) == THROTTLED
    status, body, _ = place.post("TrentService.ListKeys", b"{}")
    assert (status, body["__type"]) == (400, "ThrottlingException")
    assert place.last_record().draft["error"] == "ThrottlingException"
    kms.list_aliases()


def test_a_clock_that_steps_back_keeps_nobody_out(kms: Any, limit: Limit) -> None:
    """Tokens come back by a clock that only counts: after a step back of the wall clock nobody waits for it."""
    limit("kms:ListKeys=20")
    with counted(SOON):
        assert admitted(kms.list_keys, 200) < 200
    time.sleep(0.1)
    kms.list_keys()


def test_strangers_take_nothing(place: Place, kms: Any, limit: Limit) -> None:
    """A request that is not authenticated does not count, and neither does one that the model refuses."""
    limit("kms:ListKeys=0.001")
    for _ in range(3):
        assert place.post("TrentService.ListKeys", b"{}", signed=False)[1]["__type"].startswith("MissingAuth")
        assert refusal(kms.list_keys, Limit=0)[0] == "ValidationException"
    kms.list_keys()


def test_accounts_and_regions_count_apart(place: Place, kms: Any, limit: Limit) -> None:
    """A quota is an account's in a Region."""
    limit("kms:ListKeys=0.001")
    for client in (kms, place.kms(place.other_root), place.kms(region="eu-west-1")):
        client.list_keys()
        assert refusal(client.list_keys) == THROTTLED


def test_cryptographic_operations_share_a_quota(kms: Any, new_key: NewKey, limit: Limit) -> None:
    """Operations with keys of one kind share a quota; those with keys of other kinds have others."""
    key = new_key()
    mac = new_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    signer = new_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    limit("kms:Symmetric=0.001", "kms:ECC=0.001", "kms:RSA=1")
    kms.decrypt(CiphertextBlob=blob)
    for call, members in (
        (kms.encrypt, {"KeyId": key, "Plaintext": b"x"}),
        (kms.re_encrypt, {"CiphertextBlob": blob, "DestinationKeyId": key}),
        (kms.generate_random, {"NumberOfBytes": 1}),
        (kms.generate_mac, {"KeyId": mac, "Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}),
        (kms.encrypt, {"KeyId": "alias/none", "Plaintext": b"x"}),
        (kms.encrypt, {"KeyId": "none", "Plaintext": b"x"}),
    ):
        assert refusal(call, **members) == THROTTLED
    assert admitted(kms.sign, KeyId=signer, Message=b"m", SigningAlgorithm="ECDSA_SHA_256") == 1
    kms.describe_key(KeyId=key)


def test_operation_may_have_a_quota_of_its_own(kms: Any, new_key: NewKey, limit: Limit) -> None:
    """A cryptographic operation can be limited by itself."""
    key = new_key()
    limit("kms:GenerateDataKey=0.001")
    assert admitted(kms.generate_data_key, KeyId=key, KeySpec="AES_256") == 1
    kms.encrypt(KeyId=key, Plaintext=b"x")


def test_pairs_count_by_their_spec(kms: Any, new_key: NewKey, limit: Limit) -> None:
    """Data key pairs have a quota for each spec, with and without plaintext together."""
    key = new_key()
    limit("kms:GenerateDataKeyPair/ECC_NIST_P256=0.001")
    kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    asked = {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}
    assert refusal(kms.generate_data_key_pair_without_plaintext, **asked) == THROTTLED
    kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P384")


def test_replication_counts_in_both_regions(place: Place, kms: Any, primary: str, limit: Limit) -> None:
    """ReplicateKey is two CreateKey requests in the replica's Region; UpdatePrimaryRegion counts in both Regions."""
    there = place.kms(region="eu-west-1")
    limit("kms:CreateKey=2", "kms:UpdatePrimaryRegion=0.001")
    kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")
    assert refusal(there.create_key) == THROTTLED
    kms.create_key()
    kms.update_primary_region(KeyId=primary, PrimaryRegion="eu-west-1")
    assert refusal(there.update_primary_region, KeyId=primary, PrimaryRegion="us-east-1") == THROTTLED


def test_external_key_store_has_a_quota(place: Place, kms: Any, new_key: NewKey, limit: Limit) -> None:
    """Keys of one custom key store share its quota."""
    keys = [new_key(), new_key()]
    for key in keys:
        place.sql("UPDATE keys SET custom_key_store = 'cks-quota' WHERE key_id = :id", id=key)
    limit("kms:CustomKeyStore=0.001")
    assert refusal(kms.encrypt, KeyId=keys[0], Plaintext=b"x")[0] == "KMSInvalidStateException"
    assert refusal(kms.encrypt, KeyId=keys[1], Plaintext=b"x") == THROTTLED


def test_what_s3_asks_counts(place: Place, new_key: NewKey, limit: Limit) -> None:
    """The object store's requests on the caller's behalf count as the caller's; service-owned keys do not."""
    key, call = new_key(), call_of(place)
    limit("kms:Symmetric=2")
    made = place.run(on_behalf.data_key(call, key, {}))
    place.run(on_behalf.open_data_key(call, made.blob, {}))
    for asked in (on_behalf.data_key(call, key, {}), on_behalf.open_data_key(call, made.blob, {})):
        with raises("ThrottlingException"):
            place.run(asked)
    place.run(on_behalf.service_data_key(call, ACCOUNT, {}))


@pytest.mark.parametrize(
    "text",
    ["", "kms:Nothing=1", "CreateKey=1", "kms:CreateKey", "kms:CreateKey=", "kms:CreateKey=x", "kms:CreateKey=0",
     "kms:CreateKey=-1", "kms:CreateKey=inf", "kms:CreateKey=nan", "AWS"],
)  # fmt: skip
def test_settings_that_are_none(text: str) -> None:
    """A quota has a name that exists and a rate above zero."""
    with pytest.raises(FuinError, match="--request-quota"):
        read_quotas([text])


def test_settings() -> None:
    """All of AWS's numbers can be set at once, and single ones after them; every operation has a name."""
    assert read_quotas([]) == {}
    assert read_quotas(["kms:CreateKey=7.5"]) == {"kms:CreateKey": 7.5}
    rates = read_quotas(["aws", "kms:CreateKey=7", "kms:Encrypt=3"])
    assert (rates["kms:CreateKey"], rates["kms:Encrypt"], rates["kms:Symmetric"]) == (7, 3, 10_000)
    named = {name.removeprefix("kms:") for name in throttling.NAMES}
    assert set(OPERATIONS) <= named
    pairs = set(service_model().operation_model("GenerateDataKeyPair").input_shape.members["KeyPairSpec"].enum)
    assert {name.split("/")[1] for name in named if "/" in name} <= pairs


def test_keys_have_a_quota(kms: Any, primary: str, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account has at most 100,000 keys in a Region; those that AWS manages for it do not count."""
    assert quotas.KEYS == 100_000
    region = "il-central-1"
    client = place.kms(region=region)
    client.describe_key(KeyId="alias/aws/s3")
    monkeypatch.setattr(quotas, "KEYS", 2)
    for _ in range(2):
        client.create_key()
    assert refusal(client.create_key)[0] == "LimitExceededException"
    assert refusal(kms.replicate_key, KeyId=primary, ReplicaRegion=region)[0] == "LimitExceededException"
    assert len(client.list_keys()["Keys"]) == 3
    assert refusal(client.describe_key, KeyId=primary)[0] == "NotFoundException"


def test_key_policies_have_a_quota(kms: Any, new_key: NewKey) -> None:
    """A key policy has at most 32 KB, counted in bytes, where the model's characters are more."""
    key = new_key()
    policy = kms.get_key_policy(KeyId=key)["Policy"]
    wide = json.loads(policy) | {"Id": "ü" * 16_300}
    document = json.dumps(wide, ensure_ascii=False)
    assert len(document) < quotas.KEY_POLICY_BYTES < len(document.encode())
    assert refusal(kms.put_key_policy, KeyId=key, Policy=document)[0] == "LimitExceededException"
