"""Using keys in external key stores with boto3: every use goes through the proxy, and takes both keys."""

import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fuin.cli import request_story
from fuin.formats import blob, context
from fuin.testing.xks_proxy.manager import DISABLED, ManagerCiphertext
from fuin.testing.xks_proxy.refusal import STATUSES
from fuin.testing.xks_proxy.server import Switches
from fuin.xks.failure import TEXTS, FailureReason
from tests.kms.asking import arn_of, refusal
from tests.kms.key_stores import KeyStores, key_stores
from tests.support.place import Place

INVALID = "KMSInvalidStateException"
PAIRS = {"purpose": "test"}


@pytest.fixture(scope="module")
def stores(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeyStores]:
    """Give a proxy with a connected key store."""
    with key_stores(place, tmp_path_factory.mktemp("proxy")) as made:
        yield made


@pytest.fixture(scope="module")
def store(stores: KeyStores) -> str:
    """Give the key store's id."""
    return stores.create()


@pytest.fixture
def key(stores: KeyStores, store: str) -> Iterator[str]:
    """Give a fresh key, a proxy that is well, and no earlier requests."""
    made = stores.key(store)
    stores.proxy.asked.clear()
    yield made
    stores.proxy.switches = Switches()
    stores.tell(stores.server.port)


def external_of(stores: KeyStores, key: str) -> str:
    """Return the external key's id of a key."""
    found: str = stores.kms.describe_key(KeyId=key)["KeyMetadata"]["XksKeyConfiguration"]["Id"]
    return found


def asked(stores: KeyStores) -> list[tuple[str, str]]:
    """Return what the proxy was asked, and for which KMS operation."""
    return [(one.operation, one.document["requestMetadata"]["kmsOperation"]) for one in stores.proxy.asked]


def test_encrypt_and_decrypt(stores: KeyStores, key: str) -> None:
    """The plaintext comes back, the blob names its key, and the proxy is told who asks for what."""
    made = stores.kms.encrypt(KeyId=key, Plaintext=b"secret", EncryptionContext=PAIRS)
    assert made["CiphertextBlob"][0] == blob.EXTERNAL
    answer = stores.kms.decrypt(CiphertextBlob=made["CiphertextBlob"], EncryptionContext=PAIRS)
    assert (answer["Plaintext"], answer["KeyId"]) == (b"secret", arn_of(key))
    assert asked(stores) == [("encrypt", "Encrypt"), ("decrypt", "Decrypt")]
    metadata = stores.proxy.asked[0].document["requestMetadata"]
    assert metadata["kmsKeyArn"] == arn_of(key)
    assert metadata["awsPrincipalArn"] == "arn:aws:iam::123456789012:root"
    assert metadata["kmsRequestId"] == made["ResponseMetadata"]["RequestId"]
    assert "kmsViaService" not in metadata


def test_longest_plaintext(stores: KeyStores, key: str) -> None:
    """4,096 bytes, the most that Encrypt takes, fit through the proxy."""
    made = stores.kms.encrypt(KeyId=key, Plaintext=bytes(4096))["CiphertextBlob"]
    assert len(made) <= 6144
    assert stores.kms.decrypt(CiphertextBlob=made)["Plaintext"] == bytes(4096)


def test_data_keys(stores: KeyStores, key: str) -> None:
    """Data keys are made here and wrapped outside as well."""
    whole = stores.kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert stores.kms.decrypt(CiphertextBlob=whole["CiphertextBlob"])["Plaintext"] == whole["Plaintext"]
    without = stores.kms.generate_data_key_without_plaintext(KeyId=key, NumberOfBytes=16)
    assert len(stores.kms.decrypt(CiphertextBlob=without["CiphertextBlob"])["Plaintext"]) == 16
    assert asked(stores) == [
        ("encrypt", "GenerateDataKey"), ("decrypt", "Decrypt"),
        ("encrypt", "GenerateDataKeyWithoutPlaintext"), ("decrypt", "Decrypt"),
    ]  # fmt: skip


def test_re_encrypt(stores: KeyStores, key: str) -> None:
    """Between an external key and an ordinary one, both ways, and between two external ones."""
    kms = stores.kms
    plain = kms.create_key()["KeyMetadata"]["KeyId"]
    other = external_second = stores.key(kms.describe_key(KeyId=key)["KeyMetadata"]["CustomKeyStoreId"])
    first = kms.encrypt(KeyId=plain, Plaintext=b"secret")["CiphertextBlob"]
    stores.proxy.asked.clear()
    for target in (key, external_second, plain):
        first = kms.re_encrypt(CiphertextBlob=first, DestinationKeyId=target)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=first, KeyId=plain)["Plaintext"] == b"secret"
    assert asked(stores) == [("encrypt", "ReEncrypt"), ("decrypt", "ReEncrypt"), ("encrypt", "ReEncrypt"), (
        "decrypt", "ReEncrypt")]  # fmt: skip
    assert [one.key_id for one in stores.proxy.asked] == [
        external_of(stores, name) for name in (key, key, other, other)
    ]  # fmt: skip


async def open_here(place: Place, key: str, inner: bytes) -> bytes:
    """Open the inner blob with Fuin's own material alone, as no request can."""
    catalog, keyholder = place.services.store.catalog(), place.services.keyholder
    row = catalog.key(key, "us-east-1")
    assert row is not None
    material = catalog.material(key, "us-east-1", row.current_material)
    assert material is not None
    return await keyholder.decrypt(material, context.encode(PAIRS), inner, b"{}")


def test_double_encryption(stores: KeyStores, key: str) -> None:
    """Neither the external key alone nor Fuin's alone opens a blob: each opens only the other's ciphertext."""
    plaintext = b"thirty-two bytes of a data key!!"
    made = stores.kms.encrypt(KeyId=key, Plaintext=plaintext, EncryptionContext=PAIRS)["CiphertextBlob"]
    (request,) = stores.proxy.asked
    assert plaintext not in json.dumps(request.document).encode()
    parts = blob.parse_external(made)
    aad = b"fuin external " + made[:50] + hashlib.sha256(context.encode(PAIRS)).digest()
    sealed = ManagerCiphertext(parts.ciphertext, parts.metadata, parts.iv, parts.tag)
    # The external key manager's owner, with its key: gets Fuin's ciphertext, and no plaintext.
    inner = stores.proxy.manager.decrypt(external_of(stores, key), sealed, aad)
    assert plaintext not in inner
    assert blob.parse(inner).key_id == key
    # Fuin, without the external key: takes no blob that has not been outside, and cannot open one that has.
    kms = stores.kms
    assert refusal(kms.decrypt, CiphertextBlob=inner, EncryptionContext=PAIRS)[0] == "InvalidCiphertextException"
    stores.proxy.manager.keys[external_of(stores, key)].versions[0] = bytes(32)
    code, message = refusal(kms.decrypt, CiphertextBlob=made, EncryptionContext=PAIRS)
    assert (code, message) == (INVALID, TEXTS[FailureReason.INVALID_CIPHERTEXT])
    # The inner ciphertext does open, with Fuin's own material: that is the other half.
    assert stores.place.run(open_here(stores.place, key, inner)) == plaintext


def test_context_is_bound_outside(stores: KeyStores, key: str) -> None:
    """Another encryption context is refused by the external key manager already."""
    made = stores.kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=PAIRS)["CiphertextBlob"]
    code, message = refusal(stores.kms.decrypt, CiphertextBlob=made, EncryptionContext={"purpose": "other"})
    assert (code, message) == (INVALID, TEXTS[FailureReason.INVALID_CIPHERTEXT])


@pytest.mark.parametrize("name", sorted(STATUSES))
def test_each_error_of_the_proxy(stores: KeyStores, key: str, name: str) -> None:
    """AWS: cryptographic operations answer with one exception, and the text says what went wrong."""
    made = stores.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    stores.proxy.switches = Switches(refuse=name)
    expected = (INVALID, TEXTS[FailureReason(name)])
    assert refusal(stores.kms.encrypt, KeyId=key, Plaintext=b"x") == expected
    assert refusal(stores.kms.decrypt, CiphertextBlob=made) == expected
    assert refusal(stores.kms.generate_data_key, KeyId=key, KeySpec="AES_256") == expected
    assert refusal(stores.kms.re_encrypt, CiphertextBlob=made, DestinationKeyId=key) == expected


def down(stores: KeyStores) -> None:
    """Let nobody listen."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        stores.tell(reserved.getsockname()[1])


def slow(stores: KeyStores) -> None:
    """Let the proxy answer after 250 ms only, on a connection that stands already."""
    stores.tell(stores.server.port, 0.25)
    stores.proxy.switches = Switches(delay=2)


def malformed(stores: KeyStores) -> None:
    """Let the proxy say what nobody understands."""
    stores.proxy.switches = Switches(raw=(200, b"<html>"))


def untrusted(stores: KeyStores) -> None:
    """Let the proxy no longer know the credential."""
    stores.proxy.switches = Switches(refuse="AuthenticationFailedException")


@pytest.mark.parametrize(
    ("ill", "reasons"),
    [
        (down, {FailureReason.UNREACHABLE}),
        (
            slow,
            {FailureReason.TIMED_OUT, FailureReason.UNREACHABLE},
        ),  # the latter if it could not even connect
        (malformed, {FailureReason.MALFORMED}),
        (untrusted, {FailureReason.AUTHENTICATION_FAILED}),
    ],
)
def test_ill_proxy(stores: KeyStores, key: str, ill: Callable[[KeyStores], None], reasons: set[FailureReason]) -> None:
    """A proxy that is down, slow or talks nonsense: an error in AWS's words, and no plaintext, whatever was asked."""
    made = stores.kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    ill(stores)
    expected = {(INVALID, TEXTS[reason]) for reason in reasons}
    assert refusal(stores.kms.decrypt, CiphertextBlob=made["CiphertextBlob"]) in expected
    assert refusal(stores.kms.generate_data_key, KeyId=key, KeySpec="AES_256") in expected
    stores.proxy.switches = Switches()
    stores.tell(stores.server.port)
    assert stores.kms.decrypt(CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]


def test_wrong_plaintext_of_the_proxy(stores: KeyStores, key: str) -> None:
    """What the proxy decrypts must be what the keyholder encrypted: a proxy cannot slip something else in."""
    made = stores.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]

    def spoil(answer: dict[str, Any]) -> None:
        answer["plaintext"] = answer["plaintext"][:-8] + "AAAAAAA="

    stores.proxy.switches = Switches(only="decrypt", change=spoil)
    assert refusal(stores.kms.decrypt, CiphertextBlob=made) == (INVALID, TEXTS[FailureReason.WRONG_CIPHERTEXT])
    again = {"CiphertextBlob": made, "DestinationKeyId": key}
    assert refusal(stores.kms.re_encrypt, **again) == (INVALID, TEXTS[FailureReason.WRONG_CIPHERTEXT])


def test_external_key_is_disabled_or_gone(stores: KeyStores, key: str) -> None:
    """The external key's own state counts as well: its owner can end all use of the KMS key."""
    made = stores.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    external = stores.proxy.manager.keys[external_of(stores, key)]
    external.status = DISABLED
    assert refusal(stores.kms.decrypt, CiphertextBlob=made) == (INVALID, TEXTS[FailureReason.INVALID_STATE])
    external.status, external.usage = "ENABLED", ("ENCRYPT",)
    assert refusal(stores.kms.decrypt, CiphertextBlob=made) == (INVALID, TEXTS[FailureReason.INVALID_KEY_USAGE])
    del stores.proxy.manager.keys[external_of(stores, key)]
    assert refusal(stores.kms.decrypt, CiphertextBlob=made) == (INVALID, TEXTS[FailureReason.KEY_NOT_FOUND])


def test_rotation_outside(stores: KeyStores, key: str) -> None:
    """The external key may be rotated by its owner: older blobs open, by the metadata that the proxy gave them."""
    made = stores.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    stores.proxy.manager.keys[external_of(stores, key)].rotate()
    newer = stores.kms.encrypt(KeyId=key, Plaintext=b"y")["CiphertextBlob"]
    assert blob.parse_external(made).metadata != blob.parse_external(newer).metadata
    assert stores.kms.decrypt(CiphertextBlob=made)["Plaintext"] == b"x"
    assert stores.kms.decrypt(CiphertextBlob=newer)["Plaintext"] == b"y"


def test_disconnected_store(stores: KeyStores, store: str, key: str) -> None:
    """While the key store is disconnected its keys are Unavailable; nothing is asked of the proxy."""
    kms = stores.kms
    made = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms.disconnect_custom_key_store(CustomKeyStoreId=store)
    stores.proxy.asked.clear()
    try:
        expected = (INVALID, TEXTS[FailureReason.DISCONNECTED])
        assert refusal(kms.encrypt, KeyId=key, Plaintext=b"x") == expected
        assert refusal(kms.decrypt, CiphertextBlob=made) == expected
        assert refusal(kms.generate_data_key, KeyId=key, KeySpec="AES_256") == expected
        assert refusal(kms.generate_data_key_without_plaintext, KeyId=key, KeySpec="AES_256") == expected
        assert refusal(kms.re_encrypt, CiphertextBlob=made, DestinationKeyId=key) == expected
        assert stores.proxy.asked == []
    finally:
        kms.connect_custom_key_store(CustomKeyStoreId=store)
    assert kms.decrypt(CiphertextBlob=made)["Plaintext"] == b"x"


def test_wrong_blobs(stores: KeyStores, key: str) -> None:
    """Bytes that are no blob of this key never reach the proxy."""
    kms = stores.kms
    made = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    plain = kms.create_key()["KeyMetadata"]["KeyId"]
    stores.proxy.asked.clear()
    assert refusal(kms.decrypt, CiphertextBlob=made[:-1])[0] == "InvalidCiphertextException"
    assert refusal(kms.decrypt, CiphertextBlob=made, KeyId=plain)[0] == "IncorrectKeyException"
    assert stores.proxy.asked == []


def test_dry_run_does_not_ask(stores: KeyStores, key: str) -> None:
    """A dry run of a use that makes ciphertext asks nothing of the proxy."""
    assert refusal(stores.kms.encrypt, KeyId=key, Plaintext=b"x", DryRun=True)[0] == "DryRunOperationException"
    assert stores.proxy.asked == []


def test_records(stores: KeyStores, key: str) -> None:
    """Each use is on the record, and a failure of the proxy with its reason."""
    made = stores.kms.encrypt(KeyId=key, Plaintext=b"x")
    records = stores.place.record(made["ResponseMetadata"]["RequestId"])
    assert [record.draft.get("use") for record in records] == ["kms:Encrypt"]
    stores.proxy.switches = Switches(refuse="ThrottlingException")
    refusal(stores.kms.encrypt, KeyId=key, Plaintext=b"x")
    last = stores.place.last_record()
    assert last.draft["error"] == INVALID
    assert last.draft["facts"]["externalKeyStore"] == "ThrottlingException"
    told = "\n".join(request_story.request_steps(stores.place.record(last.draft["request"])))
    assert "The proxy of the external key store was asked, and did not do it: ThrottlingException." in told
    refusal(stores.kms.decrypt, CiphertextBlob=made["CiphertextBlob"])
    last = stores.place.last_record()
    assert last.draft["facts"]["refusedUse"] == {"use": "kms:Decrypt", "key": arn_of(key)}


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("enable_key_rotation", {}),
        ("disable_key_rotation", {}),
        ("get_key_rotation_status", {}),
        ("rotate_key_on_demand", {}),
        ("get_parameters_for_import", {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}),
        ("delete_imported_key_material", {}),
        ("replicate_key", {"ReplicaRegion": "eu-west-1"}),
        ("generate_data_key_pair", {"KeyPairSpec": "ECC_NIST_P256"}),
        ("generate_data_key_pair_without_plaintext", {"KeyPairSpec": "ECC_NIST_P256"}),
    ],
)
def test_what_keys_in_key_stores_cannot(stores: KeyStores, key: str, operation: str, members: dict[str, Any]) -> None:
    """No rotation, import, replica or data key pair, as AWS has it."""
    code, _ = refusal(getattr(stores.kms, operation), KeyId=key, **members)
    assert code == "UnsupportedOperationException"
    assert stores.proxy.asked == []


def test_management_works_as_ever(stores: KeyStores, key: str, tmp_path: Path) -> None:
    """Aliases, tags, policies and states of such keys are those of any key."""
    kms = stores.kms
    kms.create_alias(AliasName=f"alias/{tmp_path.name}", TargetKeyId=key)
    made = kms.encrypt(KeyId=f"alias/{tmp_path.name}", Plaintext=b"x")["CiphertextBlob"]
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
    kms.disable_key(KeyId=key)
    assert refusal(kms.decrypt, CiphertextBlob=made)[0] == "DisabledException"
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=made)["Plaintext"] == b"x"
