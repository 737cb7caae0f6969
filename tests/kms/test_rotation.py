"""Rotation on demand, the schedule, and what of both is listed; old ciphertext opens for ever."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection

from fuin.store.kms import rotations
from tests.kms.asking import NewKey, arn_of, refusal
from tests.kms.rotating import DAY, days_to_rotation, let_be_due, material_of, materials_of, newest, rotate_due
from tests.support.place import Place
from tests.support.policies import allow


@pytest.mark.parametrize("days", [None, 90, 2560])
def test_enable_and_disable(kms: Any, new_key: NewKey, days: int | None) -> None:
    """Rotation is off at first; it is set with a period, 365 days by default, and taken back."""
    key_id = new_key()
    off = {"KeyRotationEnabled": False, "KeyId": arn_of(key_id)}
    assert kms.get_key_rotation_status(KeyId=key_id).items() >= off.items()
    kms.enable_key_rotation(KeyId=arn_of(key_id), **({} if days is None else {"RotationPeriodInDays": days}))
    status = kms.get_key_rotation_status(KeyId=arn_of(key_id))
    assert (status["KeyRotationEnabled"], status["KeyId"]) == (True, arn_of(key_id))
    assert status["RotationPeriodInDays"] == (days or 365)
    assert "OnDemandRotationStartDate" not in status
    assert abs(days_to_rotation(kms, key_id) - (days or 365)) < 0.01
    kms.disable_key_rotation(KeyId=key_id)
    status = kms.get_key_rotation_status(KeyId=key_id)
    del status["ResponseMetadata"]
    assert status == off
    kms.disable_key_rotation(KeyId=key_id)


def test_enabling_again(place: Place, kms: Any, new_key: NewKey) -> None:
    """The same period again puts nothing off; another period counts from the day it was set."""
    key_id = new_key()
    kms.enable_key_rotation(KeyId=key_id)
    let_be_due(place, key_id, ago=-10 * DAY)
    kms.enable_key_rotation(KeyId=key_id)
    assert abs(days_to_rotation(kms, key_id) - 10) < 0.01
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=100)
    assert abs(days_to_rotation(kms, key_id) - 100) < 0.01


@pytest.mark.parametrize(("days", "limit"), [(89, "greater than or equal to 90"), (2561, "less than or equal to 2560")])
def test_periods_outside_the_model(kms: Any, new_key: NewKey, days: int, limit: str) -> None:
    """A period has 90 to 2560 days."""
    code, message = refusal(kms.enable_key_rotation, KeyId=new_key(), RotationPeriodInDays=days)
    assert code == "ValidationException"
    assert message.endswith(f"Member must have value {limit}")


def test_rotate_on_demand(place: Place, kms: Any, new_key: NewKey) -> None:
    """New material encrypts from then on, the old opens what it made, each answer names its own, and it is recorded."""
    key_id = new_key()
    first = material_of(kms, key_id)
    old = kms.encrypt(KeyId=key_id, Plaintext=b"old")["CiphertextBlob"]
    answer = kms.rotate_key_on_demand(KeyId=key_id)
    assert answer["KeyId"] == arn_of(key_id)
    second = material_of(kms, key_id)
    assert second != first
    assert kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")["KeyMaterialId"] == second
    new = kms.encrypt(KeyId=key_id, Plaintext=b"new")["CiphertextBlob"]
    for blob, text, material in ((old, b"old", first), (new, b"new", second)):
        opened = kms.decrypt(CiphertextBlob=blob)
        assert (opened["Plaintext"], opened["KeyMaterialId"]) == (text, material)
    moved = kms.re_encrypt(CiphertextBlob=old, DestinationKeyId=key_id)
    assert (moved["SourceKeyMaterialId"], moved["DestinationKeyMaterialId"]) == (first, second)
    records = place.record(answer["ResponseMetadata"]["RequestId"])
    assert records[0].draft["use"] == "kms:RotateKeyOnDemand"
    assert records[0].draft["key"] == arn_of(key_id)


def test_rotation_on_demand_keeps_the_schedule(kms: Any, new_key: NewKey) -> None:
    """A rotation on demand changes nothing of the automatic one, and needs none."""
    key_id = new_key()
    kms.rotate_key_on_demand(KeyId=key_id)
    assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is False
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90)
    before = kms.get_key_rotation_status(KeyId=key_id)["NextRotationDate"]
    kms.rotate_key_on_demand(KeyId=key_id)
    assert kms.get_key_rotation_status(KeyId=key_id)["NextRotationDate"] == before


def test_list_key_rotations(place: Place, kms: Any, new_key: NewKey) -> None:
    """Completed rotations are listed oldest first, with the first material too if that is asked for."""
    key_id = new_key()
    first = material_of(kms, key_id)
    assert kms.list_key_rotations(KeyId=key_id)["Rotations"] == []
    assert materials_of(kms, key_id) == [{"KeyId": key_id, "KeyMaterialId": first, "KeyMaterialState": "CURRENT"}]
    kms.enable_key_rotation(KeyId=key_id)
    let_be_due(place, key_id)
    rotate_due(place)
    second = material_of(kms, key_id)
    kms.rotate_key_on_demand(KeyId=key_id)
    third = material_of(kms, key_id)
    answer = kms.list_key_rotations(KeyId=key_id)
    assert answer["Truncated"] is False
    assert "NextMarker" not in answer
    now = datetime.datetime.now(datetime.UTC)
    dates = [rotation.pop("RotationDate") for rotation in answer["Rotations"]]
    assert all(now - datetime.timedelta(minutes=1) < date <= now for date in dates)
    assert answer["Rotations"] == [
        {
            "KeyId": key_id, "KeyMaterialId": second, "KeyMaterialState": "NON_CURRENT", "RotationType": "AUTOMATIC",
        },
        {"KeyId": key_id, "KeyMaterialId": third, "KeyMaterialState": "CURRENT", "RotationType": "ON_DEMAND"},
    ]  # fmt: skip
    assert [each["KeyMaterialId"] for each in materials_of(kms, key_id)] == [first, second, third]
    assert kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ROTATIONS_ONLY")["Rotations"][0][
        "KeyMaterialId"
    ] == second  # fmt: skip


def test_pages_of_rotations(kms: Any, new_key: NewKey) -> None:
    """A page holds as many as asked for, and the marker leads to the rest; other markers are refused."""
    key_id = new_key()
    for _ in range(3):
        kms.rotate_key_on_demand(KeyId=key_id)
    wanted = [each["KeyMaterialId"] for each in materials_of(kms, key_id)]
    found: list[str] = []
    more: dict[str, Any] = {}
    for _ in range(4):
        page = kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL", Limit=1, **more)
        found += [each["KeyMaterialId"] for each in page["Rotations"]]
        more = {"Marker": page.get("NextMarker")}
    assert found == wanted
    assert page["Truncated"] is False
    for marker in ("none", kms.list_keys(Limit=1)["NextMarker"]):
        assert refusal(kms.list_key_rotations, KeyId=key_id, Marker=marker)[0] == "InvalidMarkerException"


def test_limit_of_rotations_on_demand(place: Place, kms: Any, new_key: NewKey) -> None:
    """A key is rotated on demand 25 times, the model's number; automatic rotations do not count."""
    key_id = new_key()
    kms.enable_key_rotation(KeyId=key_id)
    let_be_due(place, key_id)
    rotate_due(place)
    for _ in range(25):
        kms.rotate_key_on_demand(KeyId=key_id)
    assert refusal(kms.rotate_key_on_demand, KeyId=key_id) == (
        "LimitExceededException",
        (
            "The on-demand rotations limit has been reached for the given keyId. "
            f"No more on-demand rotations can be performed for this key: {arn_of(key_id)}"
        ),
    )
    before, last = newest(place, 2)
    assert last["error"] == "LimitExceededException"
    assert "use" not in before  # no material was made for nothing
    let_be_due(place, key_id)
    assert arn_of(key_id) in rotate_due(place)
    assert len(materials_of(kms, key_id)) == 28


def test_keys_that_do_not_rotate(kms: Any, new_key: NewKey) -> None:
    """Asymmetric and HMAC keys: AWS's errors without a message, and a status that says false; disabling is no error."""
    for kind in (("ECC_NIST_P256", "SIGN_VERIFY"), ("HMAC_256", "GENERATE_VERIFY_MAC")):
        key_id = new_key(KeySpec=kind[0], KeyUsage=kind[1])
        for call in (kms.enable_key_rotation, kms.rotate_key_on_demand):
            assert refusal(call, KeyId=key_id) == ("UnsupportedOperationException", "")
        kms.disable_key_rotation(KeyId=key_id)
        status = kms.get_key_rotation_status(KeyId=key_id)
        assert (status["KeyRotationEnabled"], status["KeyId"]) == (False, arn_of(key_id))
        answer = kms.list_key_rotations(KeyId=key_id)
        assert (answer["Rotations"], answer["Truncated"]) == ([], False)
        code, _ = refusal(kms.list_key_rotations, KeyId=key_id, IncludeKeyMaterial="ROTATIONS_ONLY")
        assert code == "UnsupportedOperationException"


def test_imported_material_does_not_rotate_by_itself(kms: Any, new_key: NewKey) -> None:
    """Keys with imported material have no automatic rotation, and are refused for their origin."""
    key_id = new_key(Origin="EXTERNAL")
    wanted = (
        "UnsupportedOperationException",
        f"{arn_of(key_id)} origin is EXTERNAL which is not valid for this operation.",
    )
    for call in (kms.enable_key_rotation, kms.disable_key_rotation, kms.get_key_rotation_status):
        assert refusal(call, KeyId=key_id) == wanted
    code, message = refusal(kms.rotate_key_on_demand, KeyId=key_id)
    assert (code, message) == ("KMSInvalidStateException", f"{arn_of(key_id)} is pending import.")
    assert materials_of(kms, key_id) == []


@pytest.mark.parametrize("ago", [1.0, -19 * 60.0])
def test_rotation_on_demand_beside_an_automatic_one(place: Place, kms: Any, new_key: NewKey, ago: float) -> None:
    """Within 20 minutes of an automatic rotation, or while one is due, there is none on demand."""
    key_id = new_key()
    kms.enable_key_rotation(KeyId=key_id)
    let_be_due(place, key_id, ago)
    assert refusal(kms.rotate_key_on_demand, KeyId=key_id)[0] == "ConflictException"
    let_be_due(place, key_id, -21 * 60.0)
    kms.rotate_key_on_demand(KeyId=key_id)


def _set(conn: Connection, what: str, key_id: str) -> None:
    conn.exec_driver_sql(f"UPDATE keys SET {what} WHERE key_id = ?", (key_id,))


def _remove(conn: Connection, key_id: str) -> None:
    conn.exec_driver_sql("DELETE FROM keys WHERE key_id = ?", (key_id,))


Overtake = Callable[[Connection, str], None]
OVERTAKEN: dict[str, tuple[Overtake, str]] = {
    "disabled": (
        lambda conn, key_id: _set(conn, "state = 'Disabled'", key_id),
        "DisabledException",
    ),
    "gone": (_remove, "NotFoundException"),
    "rotated": (lambda conn, key_id: _set(conn, "current_material = x'00'", key_id), "ConflictException"),
    "replica": (
        lambda conn, key_id: _set(conn, "primary_region = 'eu-west-1'", key_id),
        "UnsupportedOperationException",
    ),
}


@pytest.mark.parametrize("name", OVERTAKEN)
def test_change_by_another_worker(
    place: Place, kms: Any, new_key: NewKey, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What another worker does after the request has looked at the key is seen in the transaction, and told."""
    key_id = new_key()
    overtake, code = OVERTAKEN[name]
    rotate = rotations.rotate_on_demand

    def later(conn: Connection, region: str, *others: Any) -> None:
        overtake(conn, key_id)
        rotate(conn, region, *others)

    monkeypatch.setattr(rotations, "rotate_on_demand", later)
    found = refusal(kms.rotate_key_on_demand, KeyId=key_id)
    assert found[0] == code


def test_rights(place: Place, kms: Any, new_key: NewKey) -> None:
    """Each operation is a right of its own; only the status of another account's key can be asked for."""
    key_id = new_key()
    client = place.kms(place.add_user(allow("kms:DescribeKey")))
    names = (
        "enable_key_rotation",
        "disable_key_rotation",
        "get_key_rotation_status",
        "list_key_rotations",
        "rotate_key_on_demand",
    )
    for name in names:
        code, message = refusal(getattr(client, name), KeyId=key_id)
        assert code == "AccessDeniedException"
        assert f"kms:{name.title().replace('_', '')}" in message
    missing = arn_of("1234abcd-12ab-34cd-56ef-1234567890ab")
    for name in names:
        assert refusal(getattr(kms, name), KeyId=missing) == ("NotFoundException", f"Key '{missing}' does not exist")
        assert refusal(getattr(kms, name), KeyId="alias/none")[0] == "InvalidArnException"
