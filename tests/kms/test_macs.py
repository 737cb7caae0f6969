"""GenerateMac and VerifyMac with every HMAC key spec."""

import secrets
from typing import Any

import pytest

from tests.kms import outside
from tests.kms.asking import DRY_RUN, KeptKey, NewKey, arn_of, import_key, members, refusal
from tests.support.place import Place
from tests.support.policies import allow

BITS = (224, 256, 384, 512)
MESSAGE = b"message \x00\xff"
HMAC = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
SHA_256 = {"MacAlgorithm": "HMAC_SHA_256"}
INVALID_MAC = ("KMSInvalidMacException", "")


@pytest.mark.parametrize("bits", BITS)
def test_mac(kms: Any, kept_key: KeptKey, bits: int) -> None:
    """A MAC is as long as its hash and holds for its message alone, whole."""
    key_id = kept_key(f"HMAC_{bits}", "GENERATE_VERIFY_MAC")
    asked = {"KeyId": key_id, "MacAlgorithm": f"HMAC_SHA_{bits}"}
    made = members(kms.generate_mac(**asked, Message=MESSAGE))
    mac = made.pop("Mac")
    assert made == {"KeyId": arn_of(key_id), "MacAlgorithm": f"HMAC_SHA_{bits}"}
    assert len(mac) == bits // 8
    assert kms.generate_mac(**asked, Message=MESSAGE)["Mac"] == mac
    assert members(kms.verify_mac(**asked, Message=MESSAGE, Mac=mac)) == {
        "KeyId": arn_of(key_id),
        "MacValid": True,
        "MacAlgorithm": f"HMAC_SHA_{bits}",
    }
    changed = bytes((*mac[:-1], mac[-1] ^ 1))
    for wrong in (changed, mac[:-1], mac[:16], mac + b"\x00", b"x", bytes(6144)):
        assert refusal(kms.verify_mac, **asked, Message=MESSAGE, Mac=wrong) == INVALID_MAC
    assert refusal(kms.verify_mac, **asked, Message=b"other", Mac=mac) == INVALID_MAC


@pytest.mark.parametrize("bits", BITS)
def test_mac_of_known_material(kms: Any, bits: int) -> None:
    """With material that was brought along, openssl makes the same MAC."""
    key = secrets.token_bytes(bits // 8)
    key_id = import_key(kms, key, KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC")
    mac = kms.generate_mac(KeyId=key_id, Message=MESSAGE, MacAlgorithm=f"HMAC_SHA_{bits}")["Mac"]
    options = (f"-sha{bits}", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}")
    assert mac == outside.openssl("dgst", *options, "-binary", MESSAGE)


def test_mac_of_another_key(kms: Any, new_key: NewKey) -> None:
    """Two keys give the same message two MACs."""
    first, second = new_key(**HMAC), new_key(**HMAC)
    mac = kms.generate_mac(KeyId=first, Message=MESSAGE, **SHA_256)["Mac"]
    assert refusal(kms.verify_mac, KeyId=second, Message=MESSAGE, Mac=mac, **SHA_256) == INVALID_MAC


@pytest.mark.parametrize("operation", ["generate_mac", "verify_mac"])
@pytest.mark.parametrize(("spec", "algorithm"), [(a, b) for a in BITS for b in BITS if a != b])
def test_algorithms_of_another_spec(kms: Any, kept_key: KeptKey, operation: str, spec: int, algorithm: int) -> None:
    """A key has one algorithm, that of its own length."""
    asked = {"KeyId": kept_key(f"HMAC_{spec}", "GENERATE_VERIFY_MAC"), "MacAlgorithm": f"HMAC_SHA_{algorithm}"}
    if operation == "verify_mac":
        asked["Mac"] = b"x"  # type: ignore[assignment]
    assert refusal(getattr(kms, operation), **asked, Message=MESSAGE) == (
        "InvalidKeyUsageException",
        f"Algorithm HMAC_SHA_{algorithm} is incompatible with key spec HMAC_{spec}.",
    )


@pytest.mark.parametrize(("operation", "shown"), [("generate_mac", "GenerateMac"), ("verify_mac", "VerifyMac")])
@pytest.mark.parametrize(
    ("spec", "usage"), [("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("ECC_NIST_P256", "SIGN_VERIFY")]
)
def test_keys_of_another_usage(kms: Any, kept_key: KeptKey, operation: str, shown: str, spec: str, usage: str) -> None:
    """Only HMAC keys make MACs."""
    key_id = kept_key(spec, usage)
    asked = {"KeyId": key_id, "Message": b"x", **SHA_256} | ({"Mac": b"x"} if operation == "verify_mac" else {})
    assert refusal(getattr(kms, operation), **asked) == (
        "InvalidKeyUsageException",
        f"{arn_of(key_id)} key usage is {usage} which is not valid for {shown}.",
    )


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"Message": b""}, "Value at 'message' failed to satisfy constraint: Member must have length greater than or"),
        (
            {"Message": bytes(4097)},
            "Value at 'message' failed to satisfy constraint: Member must have length less than",
        ),
        ({"MacAlgorithm": "X"}, "Value 'X' at 'macAlgorithm' failed to satisfy constraint: Member must satisfy enum"),
        (
            {"Mac": b""},
            "Value at 'mac' failed to satisfy constraint: Member must have length greater than or equal to 1",
        ),
        ({"Mac": bytes(6145)}, "Value at 'mac' failed to satisfy constraint: Member must have length less than or"),
    ],
)
def test_limits_of_the_model(kms: Any, kept_key: KeptKey, changed: dict[str, Any], text: str) -> None:
    """Members are called in lower camel case, and blobs are not shown."""
    right = {"KeyId": kept_key("HMAC_256", "GENERATE_VERIFY_MAC"), "Message": b"x", "Mac": b"x", **SHA_256}
    code, message = refusal(kms.verify_mac, **right | changed)
    assert code == "ValidationException"
    assert message.startswith(f"1 validation error detected: {text}")


def test_limits_that_hold(kms: Any, kept_key: KeptKey) -> None:
    """Messages of 1 and of 4096 bytes have MACs."""
    for length in (1, 4096):
        asked = {"KeyId": kept_key("HMAC_256", "GENERATE_VERIFY_MAC"), "Message": bytes(length), **SHA_256}
        kms.verify_mac(**asked, Mac=kms.generate_mac(**asked)["Mac"])


def test_dry_run(place: Place, kms: Any, new_key: NewKey) -> None:
    """DryRun tries rights and state, and uses no key."""
    key_id = new_key(**HMAC)
    none = place.kms(place.add_user())
    asked: dict[str, Any] = {"KeyId": key_id, "Message": b"x", **SHA_256}
    for operation, more in (("generate_mac", {}), ("verify_mac", {"Mac": b"x"})):
        assert refusal(getattr(kms, operation), **asked, **more, DryRun=True) == DRY_RUN
        assert place.last_record().use == "record"
        assert refusal(getattr(none, operation), **asked, **more, DryRun=True)[0] == "AccessDeniedException"
    kms.schedule_key_deletion(KeyId=key_id)
    assert refusal(kms.generate_mac, **asked, DryRun=True) == (
        "KMSInvalidStateException",
        f"{arn_of(key_id)} is pending deletion.",
    )


def test_rights_and_conditions(place: Place, kms: Any, kept_key: KeptKey) -> None:
    """GenerateMac and VerifyMac are rights of their own, and a policy may ask for the algorithm."""
    key_id = kept_key("HMAC_256", "GENERATE_VERIFY_MAC")
    asked = {"KeyId": key_id, "Message": b"x", **SHA_256}
    mac = kms.generate_mac(**asked)["Mac"]
    maker = place.kms(place.add_user(allow("kms:GenerateMac")))
    maker.generate_mac(**asked)
    code, message = refusal(maker.verify_mac, **asked, Mac=mac)
    assert code == "AccessDeniedException"
    assert f"is not authorized to perform: kms:VerifyMac on resource: {arn_of(key_id)}" in message
    policy = allow("kms:VerifyMac")
    policy["Statement"][0]["Condition"] = {"StringEquals": {"kms:MacAlgorithm": "HMAC_SHA_256"}}
    verifier = place.kms(place.add_user(policy))
    verifier.verify_mac(**asked, Mac=mac)
    other = {"KeyId": kept_key("HMAC_512", "GENERATE_VERIFY_MAC"), "Message": b"x", "MacAlgorithm": "HMAC_SHA_512"}
    assert refusal(verifier.verify_mac, **other, Mac=mac)[0] == "AccessDeniedException"


def test_records(place: Place, kms: Any, kept_key: KeptKey) -> None:
    """Each use is on the record with its key, also when the MAC does not hold."""
    key_id = kept_key("HMAC_256", "GENERATE_VERIFY_MAC")
    asked = {"KeyId": key_id, "Message": b"x", **SHA_256}
    mac = kms.generate_mac(**asked)["Mac"]
    entry = place.last_record()
    assert (entry.use, entry.outcome, entry.key_id) == ("generate-mac", "ok", key_id)
    assert (entry.draft["use"], entry.draft["key"]) == ("kms:GenerateMac", arn_of(key_id))
    kms.verify_mac(**asked, Mac=mac)
    assert place.last_record().outcome == "ok"
    refusal(kms.verify_mac, **asked, Mac=b"wrong")
    entry = place.last_record()
    assert (entry.use, entry.outcome, entry.draft["use"]) == ("verify-mac", "tampered", "kms:VerifyMac")
