"""GetParametersForImport, ImportKeyMaterial and DeleteImportedKeyMaterial."""

import datetime
import time
from typing import Any

import pytest
from sqlalchemy import Connection

from fuin.kms.material import imports as operations
from fuin.store.kms import imports
from tests.keyholder.wrapping import ALGORITHMS, material
from tests.kms.asking import NewKey, arn_of, refusal
from tests.kms.importing import EXISTING, FOR_EVER, KEY_WRAP, NEW, OAEP, bring, brought, fresh, soon
from tests.kms.rotating import material_of, materials_of
from tests.support.place import Place

EXTERNAL = {"Origin": "EXTERNAL"}
IMPORT_ID = "e" * 64


def state_of(kms: Any, key_id: str) -> str:
    """Return a key's state."""
    found: str = kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"]
    return found


def test_parameters(kms: Any, new_key: NewKey) -> None:
    """A wrapping key comes with its token, the key's ARN, and the time when both end: in 24 hours."""
    key_id = new_key(**EXTERNAL)
    answer = kms.get_parameters_for_import(KeyId=key_id, WrappingAlgorithm=OAEP, WrappingKeySpec="RSA_2048")
    assert answer["KeyId"] == arn_of(key_id)
    away = answer["ParametersValidTo"] - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(hours=23.9) < away <= datetime.timedelta(hours=24)
    again = kms.get_parameters_for_import(KeyId=key_id, WrappingAlgorithm=OAEP, WrappingKeySpec="RSA_2048")
    assert answer["PublicKey"] != again["PublicKey"]
    assert len(answer["ImportToken"]) <= 6144


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    ("spec", "usage"),
    [
        ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
        ("HMAC_512", "GENERATE_VERIFY_MAC"),
        ("ECC_NIST_P521", "SIGN_VERIFY"),
        ("RSA_2048", "SIGN_VERIFY"),
        ("ML_DSA_65", "SIGN_VERIFY"),
    ],
)
def test_algorithms(kms: Any, new_key: NewKey, algorithm: str, spec: str, usage: str) -> None:
    """Each algorithm brings the material that AWS lets it bring, and is refused for the rest before it is asked to."""
    key_id = new_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)
    if algorithm.startswith("RSAES") and spec in {"RSA_2048", "ECC_NIST_P521"}:
        found = refusal(
            kms.get_parameters_for_import, KeyId=key_id, WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_2048"
        )
        assert found[0] == "UnsupportedOperationException"
        return
    kms.import_key_material(**brought(kms, key_id, material(spec)[0], algorithm), **FOR_EVER)
    assert state_of(kms, key_id) == "Enabled"


@pytest.mark.parametrize("spec", ["RSA_3072", "RSA_4096"])
def test_longer_wrapping_keys(kms: Any, new_key: NewKey, spec: str) -> None:
    """The wrapping key may be longer, and then wraps a P-521 key by itself."""
    key_id = new_key(Origin="EXTERNAL", KeySpec="ECC_NIST_P521", KeyUsage="SIGN_VERIFY")
    kms.import_key_material(**brought(kms, key_id, material("ECC_NIST_P521")[0], OAEP, spec), **FOR_EVER)
    assert state_of(kms, key_id) == "Enabled"


@pytest.mark.parametrize(
    ("algorithm", "spec"), [("RSAES_PKCS1_V1_5", "RSA_2048"), ("SM2PKE", "SM2"), (OAEP, "SM2"), ("SM2PKE", "RSA_2048")]
)
def test_wrapping_that_there_is_not(kms: Any, new_key: NewKey, algorithm: str, spec: str) -> None:
    """What AWS has taken away, or has in China only, is refused."""
    key_id = new_key(**EXTERNAL)
    found = refusal(kms.get_parameters_for_import, KeyId=key_id, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
    assert found[0] == "UnsupportedOperationException"


def test_first_import(place: Place, kms: Any, new_key: NewKey) -> None:
    """The first material makes a key usable, shows in its metadata as recorded from AWS, and is on the record."""
    key_id = new_key(**EXTERNAL)
    blank = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert {"CurrentKeyMaterialId", "ExpirationModel", "ValidTo"}.isdisjoint(blank)
    answer = bring(kms, arn_of(key_id), fresh(), KeyMaterialDescription="from the safe")
    shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert (answer["KeyId"], answer["KeyMaterialId"]) == (arn_of(key_id), shown["CurrentKeyMaterialId"])
    assert (shown["KeyState"], shown["Enabled"], shown["Origin"]) == ("Enabled", True, "EXTERNAL")
    assert shown["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    assert "ValidTo" not in shown
    assert materials_of(kms, key_id) == [
        {
            "KeyId": key_id, "KeyMaterialId": answer["KeyMaterialId"], "KeyMaterialDescription": "from the safe",
            "ImportState": "IMPORTED", "KeyMaterialState": "CURRENT",
            "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        }
    ]  # fmt: skip
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    opened = kms.decrypt(CiphertextBlob=blob)
    assert (opened["Plaintext"], opened["KeyMaterialId"]) == (b"text", answer["KeyMaterialId"])
    use = place.record(answer["ResponseMetadata"]["RequestId"])[0]
    assert (use.use, use.draft["use"], use.draft["key"]) == (
        "import-material", "kms:ImportKeyMaterial", arn_of(key_id),
    )  # fmt: skip


def test_material_id_depends_on_the_key(kms: Any, new_key: NewKey) -> None:
    """The same material has one id in one key, and another in another."""
    here, there = new_key(**EXTERNAL), new_key(**EXTERNAL)
    same = fresh()
    first = bring(kms, here, same)["KeyMaterialId"]
    assert bring(kms, here, same)["KeyMaterialId"] == first
    assert bring(kms, there, same)["KeyMaterialId"] != first


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"),
        (soon(days=-1), "The validTo date must be in the future and at most 365 days away"),
        (soon(days=366), "The validTo date must be in the future and at most 365 days away"),
        (
            FOR_EVER | soon(days=1),
            "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE",
        ),
        (
            FOR_EVER | NEW | {"KeyMaterialId": IMPORT_ID},
            "KeyMaterialId cannot be specified when the ImportType is NEW_KEY_MATERIAL",
        ),
    ],
)
def test_members_that_contradict(kms: Any, new_key: NewKey, members: dict[str, Any], message: str) -> None:
    """Dates and types that do not go together are refused; the first text is recorded from AWS."""
    given = brought(kms, new_key(**EXTERNAL), fresh())
    assert refusal(kms.import_key_material, **given, **members) == ("ValidationException", message)


def test_dates_are_set_anew(kms: Any, new_key: NewKey) -> None:
    """The same material brought again changes its dates, and keeps its description unless there is a new one."""
    key_id, same = new_key(**EXTERNAL), fresh()
    bring(kms, key_id, same, KeyMaterialDescription="first")
    until = soon(days=10)
    bring(kms, key_id, same, **until)
    shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert (shown["ExpirationModel"], shown["ValidTo"]) == ("KEY_MATERIAL_EXPIRES", until["ValidTo"])
    [listed] = materials_of(kms, key_id)
    assert (listed["ValidTo"], listed["KeyMaterialDescription"]) == (until["ValidTo"], "first")
    bring(kms, key_id, same, KeyMaterialDescription="second", **EXISTING, KeyMaterialId=listed["KeyMaterialId"])
    assert "ValidTo" not in kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert materials_of(kms, key_id)[0]["KeyMaterialDescription"] == "second"


def test_material_that_was_not_expected(kms: Any, new_key: NewKey) -> None:
    """Other material than the known, known instead of new, another id than named: all are incorrect material."""
    key_id, known = new_key(**EXTERNAL), fresh()
    incorrect = "IncorrectKeyMaterialException"
    assert refusal(bring, kms=kms, key_id=key_id, material=known, **EXISTING)[0] == incorrect
    assert refusal(bring, kms=kms, key_id=key_id, material=known, KeyMaterialId=IMPORT_ID)[0] == incorrect
    assert state_of(kms, key_id) == "PendingImport"
    bring(kms, key_id, known, **NEW)
    assert refusal(bring, kms=kms, key_id=key_id, material=fresh())[0] == incorrect
    assert refusal(bring, kms=kms, key_id=key_id, material=fresh(), **EXISTING)[0] == incorrect
    assert refusal(bring, kms=kms, key_id=key_id, material=known, **NEW)[0] == incorrect
    assert refusal(bring, kms=kms, key_id=key_id, material=known, KeyMaterialId=IMPORT_ID)[0] == incorrect


def test_rotation_to_new_material(kms: Any, new_key: NewKey) -> None:
    """New material waits for a rotation on demand, is used only after it, and the old goes on opening what it made."""
    key_id = new_key(**EXTERNAL)
    first = bring(kms, key_id, fresh())["KeyMaterialId"]
    nothing = ("KMSInvalidStateException", f"No available key material pending rotation for the key: {arn_of(key_id)}.")
    assert refusal(kms.rotate_key_on_demand, KeyId=key_id) == nothing
    old = kms.encrypt(KeyId=key_id, Plaintext=b"old")["CiphertextBlob"]
    second = bring(kms, key_id, fresh(), **NEW)["KeyMaterialId"]
    assert material_of(kms, key_id) == first
    states = [(one["KeyMaterialId"], one["KeyMaterialState"]) for one in materials_of(kms, key_id)]
    assert states == [(first, "CURRENT"), (second, "PENDING_ROTATION")]
    assert kms.list_key_rotations(KeyId=key_id)["Rotations"] == []
    code, message = refusal(bring, kms=kms, key_id=key_id, material=fresh(), **NEW)
    assert code == "KMSInvalidStateException"
    assert message.startswith("New key material (id: ")
    assert message.endswith(
        f") cannot be imported into KMS key {arn_of(key_id)}, "
        f"because another key material (id: {second}) is pending rotation."
    )
    assert kms.rotate_key_on_demand(KeyId=key_id)["KeyId"] == arn_of(key_id)
    assert material_of(kms, key_id) == second
    [rotation] = kms.list_key_rotations(KeyId=key_id)["Rotations"]
    assert (rotation["KeyMaterialId"], rotation["RotationType"]) == (second, "ON_DEMAND")
    assert rotation["ImportState"] == "IMPORTED"
    assert kms.decrypt(CiphertextBlob=old)["KeyMaterialId"] == first
    assert kms.encrypt(KeyId=key_id, Plaintext=b"x")["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert refusal(kms.rotate_key_on_demand, KeyId=key_id) == nothing


def test_delete_and_bring_back(kms: Any, new_key: NewKey) -> None:
    """Without its material a key waits; the same material, and no other, makes it usable again."""
    key_id, same = new_key(**EXTERNAL), fresh()
    material_id = bring(kms, key_id, same, **soon())["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    for _ in range(2):
        answer = kms.delete_imported_key_material(KeyId=key_id)
        assert (answer["KeyId"], answer["KeyMaterialId"]) == (arn_of(key_id), material_id)
    shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert (shown["KeyState"], shown["Enabled"], shown["CurrentKeyMaterialId"]) == ("PendingImport", False, material_id)
    assert {"ExpirationModel", "ValidTo"}.isdisjoint(shown)
    [listed] = materials_of(kms, key_id)
    assert listed == {
        "KeyId": key_id, "KeyMaterialId": material_id, "ImportState": "PENDING_IMPORT", "KeyMaterialState": "CURRENT",
    }  # fmt: skip
    assert refusal(kms.decrypt, CiphertextBlob=blob) == (
        "KMSInvalidStateException", f"{arn_of(key_id)} is pending import.",
    )  # fmt: skip
    assert refusal(bring, kms=kms, key_id=key_id, material=fresh())[0] == "IncorrectKeyMaterialException"
    assert bring(kms, key_id, same)["KeyMaterialId"] == material_id
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"


def test_all_material_must_be_there(kms: Any, new_key: NewKey) -> None:
    """A key with several materials waits while any of them is missing; the dates are those of the first to end."""
    key_id, one, two = new_key(**EXTERNAL), fresh(), fresh()
    late, early = soon(days=5), soon(days=3)
    first = bring(kms, key_id, one, **late)["KeyMaterialId"]
    bring(kms, key_id, two, **NEW, **early)
    shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert shown["ValidTo"] == late["ValidTo"]  # what waits for a rotation does not count
    kms.rotate_key_on_demand(KeyId=key_id)
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["ValidTo"] == early["ValidTo"]
    assert kms.delete_imported_key_material(KeyId=key_id, KeyMaterialId=first)["KeyMaterialId"] == first
    assert state_of(kms, key_id) == "PendingImport"
    bring(kms, key_id, two)
    assert state_of(kms, key_id) == "PendingImport"
    bring(kms, key_id, one, KeyMaterialId=first)
    assert state_of(kms, key_id) == "Enabled"
    assert "ValidTo" not in kms.describe_key(KeyId=key_id)["KeyMetadata"]


def test_delete_what_waits_for_a_rotation(kms: Any, new_key: NewKey) -> None:
    """Material that is pending rotation is forgotten when it is deleted; the key stays usable, and takes other."""
    key_id = new_key(**EXTERNAL)
    bring(kms, key_id, fresh())
    pending = bring(kms, key_id, fresh(), **NEW)["KeyMaterialId"]
    assert kms.delete_imported_key_material(KeyId=key_id, KeyMaterialId=pending)["KeyMaterialId"] == pending
    assert state_of(kms, key_id) == "Enabled"
    assert len(materials_of(kms, key_id)) == 1
    bring(kms, key_id, fresh(), **NEW)


def test_delete_what_is_not_there(kms: Any, new_key: NewKey) -> None:
    """A key that never had material has nothing to lose; an unknown material is not found."""
    key_id = new_key(**EXTERNAL)
    answer = kms.delete_imported_key_material(KeyId=key_id)
    assert (answer["KeyId"], "KeyMaterialId" in answer) == (arn_of(key_id), False)
    assert refusal(kms.delete_imported_key_material, KeyId=key_id, KeyMaterialId=IMPORT_ID)[0] == "NotFoundException"


def test_disabled_and_ending_keys(kms: Any, new_key: NewKey) -> None:
    """Material may come and go while a key is disabled; on the way to its end it only goes, and the state stays."""
    key_id, same = new_key(**EXTERNAL), fresh()
    bring(kms, key_id, same)
    kms.disable_key(KeyId=key_id)
    bring(kms, key_id, same)
    assert state_of(kms, key_id) == "Disabled"
    given = brought(kms, key_id, same)
    kms.schedule_key_deletion(KeyId=key_id)
    kms.delete_imported_key_material(KeyId=key_id)
    assert state_of(kms, key_id) == "PendingDeletion"
    assert refusal(kms.import_key_material, **given, **FOR_EVER)[0] == "KMSInvalidStateException"
    kms.cancel_key_deletion(KeyId=key_id)
    assert state_of(kms, key_id) == "PendingImport"


def test_keys_with_one_material(kms: Any, new_key: NewKey) -> None:
    """HMAC and asymmetric keys keep their first material, and the answers do not name it."""
    key_id = new_key(Origin="EXTERNAL", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    same = fresh()
    given = brought(kms, key_id, same)
    for members in (NEW, EXISTING, {"KeyMaterialDescription": "x"}, {"KeyMaterialId": IMPORT_ID}):
        found = refusal(kms.import_key_material, **given, **FOR_EVER, **members)
        assert found[0] == "UnsupportedOperationException"
    assert "KeyMaterialId" not in bring(kms, key_id, same)
    assert refusal(bring, kms=kms, key_id=key_id, material=fresh())[0] == "IncorrectKeyMaterialException"
    assert "KeyMaterialId" not in kms.delete_imported_key_material(KeyId=key_id)
    assert state_of(kms, key_id) == "PendingImport"
    bring(kms, key_id, same)
    assert refusal(kms.rotate_key_on_demand, KeyId=key_id) == ("UnsupportedOperationException", "")


def test_tokens(place: Place, kms: Any, new_key: NewKey) -> None:
    """A token is good for its key and algorithm, for a day, and with what was wrapped with its public key."""
    key_id, other = new_key(**EXTERNAL), new_key(**EXTERNAL)
    given = brought(kms, key_id, fresh())
    foreign = brought(kms, other, fresh())["ImportToken"]
    token = given["ImportToken"]
    wrong = [foreign, token[:-1], bytes([token[0] ^ 1]) + token[1:], b"\xff" + token[1:], token[:1]]
    for each in wrong:
        members = given | FOR_EVER | {"ImportToken": each}
        assert refusal(kms.import_key_material, **members)[0] == "InvalidImportTokenException"
    scope = operations._scope(arn_of(key_id), OAEP)
    _, old = place.run(place.services.keyholder.import_parameters(scope, "RSA_2048", int(time.time()) - 1))
    members = given | FOR_EVER | {"ImportToken": token[:1] + old}
    assert refusal(kms.import_key_material, **members)[0] == "ExpiredImportTokenException"
    assert state_of(kms, key_id) == "PendingImport"
    kms.import_key_material(**given, **FOR_EVER)
    kms.import_key_material(**given, **FOR_EVER)  # and as often as one likes


@pytest.mark.parametrize("spoilt", [b"\0" * 256, b"short", None])
def test_material_that_does_not_open(kms: Any, new_key: NewKey, spoilt: bytes | None) -> None:
    """What does not open, or is no material of the key spec, is one and the same error."""
    key_id = new_key(**EXTERNAL)
    members = brought(kms, key_id, b"too short")
    if spoilt is not None:
        members["EncryptedKeyMaterial"] = spoilt
    assert refusal(kms.import_key_material, **members, **FOR_EVER) == ("InvalidCiphertextException", "")


def test_condition_keys(place: Place, kms: Any, new_key: NewKey) -> None:
    """Policies may say how material is wrapped, and that it must expire."""
    key_id = new_key(**EXTERNAL)
    conditions = {
        "kms:GetParametersForImport": {"kms:WrappingAlgorithm": KEY_WRAP, "kms:WrappingKeySpec": "RSA_2048"},
        "kms:ImportKeyMaterial": {"kms:ExpirationModel": "KEY_MATERIAL_EXPIRES"},
    }
    user = place.add_user({
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": action, "Resource": "*", "Condition": {"StringEquals": wanted}}
            for action, wanted in conditions.items()
        ],
    })  # fmt: skip
    client = place.kms(user)
    assert refusal(brought, kms=client, key_id=key_id, material=fresh())[0] == "AccessDeniedException"
    given = brought(client, key_id, fresh(), KEY_WRAP)
    assert refusal(client.import_key_material, **given, **FOR_EVER)[0] == "AccessDeniedException"
    assert refusal(client.import_key_material, **given, **soon())[0] == "AccessDeniedException"  # it is not said
    client.import_key_material(**given, **soon(), ExpirationModel="KEY_MATERIAL_EXPIRES")
    assert refusal(client.delete_imported_key_material, KeyId=key_id)[0] == "AccessDeniedException"


def test_change_by_another_worker(place: Place, kms: Any, new_key: NewKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction looks at the key once more: another worker may have begun its deletion, or ended it."""
    key_id = new_key(**EXTERNAL)
    given = brought(kms, key_id, fresh())
    store_it = imports.import_material
    changes = [
        ("UPDATE keys SET state = 'PendingDeletion' WHERE key_id = ?", "KMSInvalidStateException"),
        ("DELETE FROM keys WHERE key_id = ?", "NotFoundException"),
    ]
    for change, code in changes:

        def later(conn: Connection, region: str, material: Any, change: str = change) -> None:
            conn.exec_driver_sql(change, (key_id,))
            store_it(conn, region, material)

        monkeypatch.setattr(imports, "import_material", later)
        assert refusal(kms.import_key_material, **given, **FOR_EVER)[0] == code
