"""Rotation by the timed job: once, at its date, through crashes and beside other workers; of related keys together."""

import time
from typing import Any

import pytest

from fuin.errors import KeyholderUnavailable
from fuin.kms.keys import managed
from fuin.store.errors import Overtaken
from fuin.store.kms import rotations
from tests.kms.asking import NewKey, arn_of, refusal
from tests.kms.rotating import DAY, days_to_rotation, let_be_due, material_of, materials_of, newest, rotate_due
from tests.support.place import REGION, Place, wait

MULTI_REGION = {"MultiRegion": True}
ELSEWHERE = "eu-west-1"


def test_automatic_rotation(place: Place, kms: Any, new_key: NewKey) -> None:
    """The job rotates what is due, once, sets the next date of the schedule, and leaves a record as the service."""
    key_id, later = new_key(), new_key()
    for each in (key_id, later):
        kms.enable_key_rotation(KeyId=each, RotationPeriodInDays=90)
    first = material_of(kms, key_id)
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    let_be_due(place, key_id, ago=DAY)
    rotated = rotate_due(place)
    assert arn_of(key_id) in rotated
    assert arn_of(later) not in rotated
    record = [draft for draft in newest(place, 20) if draft.get("key") == arn_of(key_id)][-1]
    assert (record["operation"], record["principal"]) == ("kms:RotateKey", "kms.amazonaws.com")
    assert record["facts"] == {"kmsKey": arn_of(key_id), "rotationType": "AUTOMATIC"}
    assert material_of(kms, key_id) != first
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == first
    assert abs(days_to_rotation(kms, key_id) - 89) < 0.01
    assert arn_of(key_id) not in rotate_due(place)


def test_long_downtime(place: Place, kms: Any, new_key: NewKey) -> None:
    """A rotation that was missed several times is made up for once; the schedule goes on with its own dates."""
    key_id = new_key()
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90)
    let_be_due(place, key_id, ago=200 * DAY)
    assert arn_of(key_id) in rotate_due(place)
    assert len(materials_of(kms, key_id)) == 2
    assert abs(days_to_rotation(kms, key_id) - 70) < 0.01


def test_disabled_keys_wait(place: Place, kms: Any, new_key: NewKey) -> None:
    """A disabled key is not rotated, nor one that waits for its end; once enabled again it is, at once."""
    disabled, ending = new_key(), new_key()
    for each in (disabled, ending):
        kms.enable_key_rotation(KeyId=each)
        let_be_due(place, each)
    kms.disable_key(KeyId=disabled)
    kms.schedule_key_deletion(KeyId=ending)
    assert not {arn_of(disabled), arn_of(ending)} & set(rotate_due(place))
    assert kms.get_key_rotation_status(KeyId=disabled)["KeyRotationEnabled"] is True
    kms.enable_key(KeyId=disabled)
    assert arn_of(disabled) in rotate_due(place)


def test_job_survives_failures(place: Place, kms: Any, new_key: NewKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the keyholder nothing is rotated and nothing lost; the next run does it."""
    monkeypatch.setattr("fuin.keyholder.wire.line.CONNECT_LIMIT", 0.5)
    key_id = new_key()
    kms.enable_key_rotation(KeyId=key_id)
    let_be_due(place, key_id)
    first = material_of(kms, key_id)
    place.stop_keyholder()
    with pytest.raises(KeyholderUnavailable):
        rotate_due(place)
    place.start_keyholder()
    assert material_of(kms, key_id) == first
    assert arn_of(key_id) in rotate_due(place)
    assert len(materials_of(kms, key_id)) == 2


def test_job_cut_short(place: Place, kms: Any, new_key: NewKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends between the new material and its place in the database leaves the rotation to the next."""
    key_id = new_key()
    kms.enable_key_rotation(KeyId=key_id)
    let_be_due(place, key_id)

    class Killed(Exception):
        """The process ends here."""

    def crash(point: str) -> None:
        assert point == "rotate_key.after_material"
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("fuin.crash.point", crash)
        with pytest.raises(Killed):
            rotate_due(place)
    assert len(materials_of(kms, key_id)) == 1
    assert arn_of(key_id) in rotate_due(place)
    assert len(materials_of(kms, key_id)) == 2


def test_two_workers_rotate_once(place: Place, kms: Any, new_key: NewKey) -> None:
    """Of two workers that have both made material for one rotation, one is late and changes nothing."""
    key_id = new_key()
    kms.enable_key_rotation(KeyId=key_id)
    let_be_due(place, key_id)
    old = bytes.fromhex(material_of(kms, key_id))
    create, change = place.services.keyholder.create_material, place.services.store.change
    made = [place.run(create(key_id, "SYMMETRIC_DEFAULT", b"{}")) for _ in range(2)]
    place.run(wait(change(rotations.rotate_by_schedule, REGION, made[0], old, time.time())))
    let_be_due(place, key_id)  # so that only the other material tells
    for late in (rotations.rotate_by_schedule, rotations.rotate_on_demand):
        with pytest.raises(Overtaken):
            place.run(wait(change(late, REGION, made[1], old, time.time())))
    assert len(materials_of(kms, key_id)) == 2
    assert arn_of(key_id) in rotate_due(place)


def test_key_of_aws_rotates_every_year(place: Place, kms: Any) -> None:
    """The AWS-managed key rotates a year after it was made; nobody in the account can change that."""
    kms.describe_key(KeyId=managed.S3_ALIAS)
    key_id = kms.describe_key(KeyId=managed.S3_ALIAS)["KeyMetadata"]["KeyId"]
    status = kms.get_key_rotation_status(KeyId=key_id)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 365)
    assert abs(days_to_rotation(kms, key_id) - 365) < 0.1
    for call in (kms.enable_key_rotation, kms.disable_key_rotation, kms.rotate_key_on_demand):
        assert refusal(call, KeyId=key_id)[0] == "AccessDeniedException"
    first = material_of(kms, key_id)
    let_be_due(place, key_id)
    assert arn_of(key_id) in rotate_due(place)
    assert material_of(kms, key_id) != first
    found = [draft for draft in newest(place, 5) if draft["operation"] == "kms:RotateKey"]
    record, closing = sorted(found, key=lambda draft: draft.get("commit", 0))
    assert record["manager"] == "AWS"
    assert closing["commit"] > 0


def test_related_keys_rotate_together(place: Place, kms: Any, new_key: NewKey) -> None:
    """A set of multi-Region keys has one schedule and the same materials, in one transaction, through the primary."""
    key_id = new_key(**MULTI_REGION)
    there = place.kms(region=ELSEWHERE)
    kms.replicate_key(KeyId=key_id, ReplicaRegion=ELSEWHERE)
    first = material_of(kms, key_id)
    blob = there.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90)
    kms.rotate_key_on_demand(KeyId=key_id)
    assert material_of(there, key_id) == material_of(kms, key_id) != first
    let_be_due(place, key_id)
    assert arn_of(key_id) in rotate_due(place)
    assert material_of(there, key_id) == material_of(kms, key_id)
    assert materials_of(there, key_id) == materials_of(kms, key_id)
    assert there.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == first
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"
    new = kms.encrypt(KeyId=key_id, Plaintext=b"new")["CiphertextBlob"]
    assert there.decrypt(CiphertextBlob=new)["Plaintext"] == b"new"
    here, other = (client.get_key_rotation_status(KeyId=key_id) for client in (kms, there))
    assert here["NextRotationDate"] == other["NextRotationDate"]
    assert other["RotationPeriodInDays"] == 90
    for call in (there.enable_key_rotation, there.disable_key_rotation, there.rotate_key_on_demand):
        assert refusal(call, KeyId=key_id)[0] == "UnsupportedOperationException"
