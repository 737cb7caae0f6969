"""What destroys waits while the wall clock and the counted time do not agree, and can be taken back meanwhile."""

import datetime
from typing import Any

import pytest

from fuin.clock import CLOCK
from fuin.kms.keys import expiry
from fuin.kms.material import imports, rotation
from tests.kms.asking import NewKey, arn_of, refusal
from tests.kms.importing import FOR_EVER, bring, brought, fresh, soon
from tests.kms.rotating import let_be_due, materials_of
from tests.kms.test_imported_material import let_expire, sealed
from tests.support.clocks import DAY, SOON, counted
from tests.support.place import Place
from tests.support.policies import allow

ELSEWHERE = "eu-west-1"


def purge(place: Place) -> list[str]:
    """Run the timed job as the worker does."""
    return place.run(expiry.purge(place.services, CLOCK.certain_time()))


def test_deletion_that_waits_can_be_cancelled(place: Place, kms: Any, new_key: NewKey) -> None:
    """A key that only the wall clock ends still waits: it shows, is not used, is not destroyed, and is taken back."""
    key_id = new_key()
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key_id)
    place.expire(key_id)
    with counted(-8):
        assert key_id not in purge(place)
        assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingDeletion"
        assert refusal(kms.decrypt, CiphertextBlob=blob)[0] == "KMSInvalidStateException"
        assert key_id in {each["KeyId"] for page in kms.get_paginator("list_keys").paginate() for each in page["Keys"]}
        kms.cancel_key_deletion(KeyId=key_id)
        kms.enable_key(KeyId=key_id)
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"
    assert key_id not in purge(place)


def test_nothing_ends_while_the_clock_is_behind(place: Place, kms: Any, new_key: NewKey) -> None:
    """When the wall clock has jumped back, one of the two has lied: nothing ends, and old signatures are refused."""
    key_id = new_key()
    kms.schedule_key_deletion(KeyId=key_id)
    place.expire(key_id)
    with counted(8):
        assert purge(place) == []
        code, text = refusal(kms.list_keys)
        assert (code, text.split(":")[0]) == ("InvalidSignatureException", "Signature expired")
    assert key_id in purge(place)


def test_deletion_that_both_clocks_end(place: Place, kms: Any, new_key: NewKey) -> None:
    """A key whose time has been counted to its end is gone at once, however far ahead the wall clock is."""
    key_id, later = new_key(), new_key()
    for each, ago in ((key_id, 9), (later, 7)):
        kms.schedule_key_deletion(KeyId=each)
        place.sql(
            "UPDATE keys SET deletion_date = :date WHERE key_id = :id", date=CLOCK.certain_time() - ago * DAY, id=each
        )
    with counted(-8):
        assert refusal(kms.describe_key, KeyId=key_id)[0] == "NotFoundException"
        assert set(purge(place)) & {key_id, later} == {key_id}
    assert later in purge(place)


def test_imported_material_that_waits(place: Place, kms: Any, new_key: NewKey) -> None:
    """Material past its date by one clock is refused, but is there again when the clock is right, or with an import."""
    key_id, other, same = new_key(Origin="EXTERNAL"), new_key(Origin="EXTERNAL"), fresh()
    for each in (key_id, other):
        bring(kms, each, same, **soon())
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    [wrapped] = sealed(place, key_id)
    let_expire(place, key_id)
    with counted(-8):
        assert refusal(kms.decrypt, CiphertextBlob=blob)[0] == "KMSInvalidStateException"
        assert place.run(imports.expire_due(place.services, CLOCK.certain_time())) == []
        bring(kms, other, same)  # an import, which looks for what has expired as well
        assert sealed(place, key_id) == [wrapped]
        bring(kms, key_id, same)
        assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"


def test_material_stays_refused_when_the_clock_steps_back(place: Place, kms: Any, new_key: NewKey) -> None:
    """What has expired by the counted time is not used again because somebody turns the wall clock back."""
    key_id = new_key(Origin="EXTERNAL")
    bring(kms, key_id, fresh(), **soon(minutes=30))
    kms.encrypt(KeyId=key_id, Plaintext=b"x")
    with counted(SOON):
        assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x")[0] == "KMSInvalidStateException"


def test_import_token_stays_refused(place: Place, kms: Any, new_key: NewKey) -> None:
    """An import token that has expired by the counted time brings nothing, whatever the wall clock says."""
    key_id = new_key(Origin="EXTERNAL")
    given = brought(kms, key_id, fresh())
    token = bytearray(given["ImportToken"])
    token[1:9] = int(CLOCK.certain_time() + 600).to_bytes(8, "big")
    given["ImportToken"] = bytes(token)
    assert refusal(kms.import_key_material, **given, **FOR_EVER)[0] == "InvalidImportTokenException"
    with counted(SOON):
        assert refusal(kms.import_key_material, **given, **FOR_EVER)[0] == "ExpiredImportTokenException"


def test_rotation_that_waits(place: Place, kms: Any, new_key: NewKey) -> None:
    """A rotation that only the wall clock asks for is made when the counted time asks for it as well."""
    key_id = new_key()
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90)
    let_be_due(place, key_id)
    with counted(-8):
        assert place.run(rotation.rotate_due(place.services, CLOCK.certain_time())) == []
        assert len(materials_of(kms, key_id)) == 1
    assert arn_of(key_id) in place.run(rotation.rotate_due(place.services, CLOCK.certain_time()))


def test_a_rotation_that_waits_stops_no_other(place: Place, kms: Any, new_key: NewKey) -> None:
    """Whoever must rotate a key now can do so, though its scheduled rotation waits for the clocks to agree."""
    key_id = new_key()
    kms.enable_key_rotation(KeyId=key_id, RotationPeriodInDays=90)
    let_be_due(place, key_id)
    assert refusal(kms.rotate_key_on_demand, KeyId=key_id)[0] == "ConflictException"
    with counted(-8):
        kms.rotate_key_on_demand(KeyId=key_id)
    assert len(materials_of(kms, key_id)) == 2


def test_materials_stand_in_their_order(place: Place, kms: Any, new_key: NewKey) -> None:
    """The materials of a key are listed in the order in which they were made, not of what the clock said then."""
    key_id = new_key()
    for _ in range(3):
        kms.rotate_key_on_demand(KeyId=key_id)
    before = materials_of(kms, key_id)
    place.sql("UPDATE materials SET created = -id WHERE key_id = :id", id=key_id)
    assert materials_of(kms, key_id) == before


def test_replica_that_waits_counts_as_there(place: Place, kms: Any, new_key: NewKey) -> None:
    """A primary key waits for a replica whose end waits: it could still be taken back."""
    key_id = new_key(MultiRegion=True)
    kms.replicate_key(KeyId=key_id, ReplicaRegion=ELSEWHERE)
    place.kms(region=ELSEWHERE).schedule_key_deletion(KeyId=key_id)
    past = CLOCK.certain_time() - 1
    place.sql(
        "UPDATE keys SET deletion_date = :past WHERE key_id = :id AND region = :region",
        past=past, id=key_id, region=ELSEWHERE,
    )  # fmt: skip
    with counted(-8):
        related = kms.describe_key(KeyId=key_id)["KeyMetadata"]["MultiRegionConfiguration"]["ReplicaKeys"]
        assert [each["Region"] for each in related] == [ELSEWHERE]
        assert kms.schedule_key_deletion(KeyId=key_id)["KeyState"] == "PendingReplicaDeletion"


def test_primary_keeps_its_whole_window(place: Place, kms: Any, new_key: NewKey) -> None:
    """The window of a primary key begins when its last replica ends, by the later clock: no day of it is lost."""
    key_id = new_key(MultiRegion=True)
    kms.replicate_key(KeyId=key_id, ReplicaRegion=ELSEWHERE)
    kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    place.kms(region=ELSEWHERE).schedule_key_deletion(KeyId=key_id)
    place.sql("UPDATE keys SET deletion_date = 1 WHERE key_id = :id AND region = :region", id=key_id, region=ELSEWHERE)
    with counted(-8):
        assert key_id in purge(place)
    date = kms.describe_key(KeyId=key_id)["KeyMetadata"]["DeletionDate"]
    assert date - datetime.datetime.now(datetime.UTC) > datetime.timedelta(days=6.9)


def test_deletion_date_by_the_later_clock(kms: Any, new_key: NewKey) -> None:
    """The days of a deletion count from the later of the two times: a clock that stands behind shortens none."""
    key_id = new_key()
    with counted(SOON):
        date = kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)["DeletionDate"]
    assert date - datetime.datetime.now(datetime.UTC) > datetime.timedelta(days=7, minutes=40)


def test_days_without_use_are_counted(place: Place, kms: Any, new_key: NewKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is ahead makes no key look unused for so long: of the two times the earlier one tells."""
    monkeypatch.setattr("fuin.kms.keys.last_usage._DAY", 60.0)
    unused = {"NumericGreaterThanEquals": {"kms:TrailingDaysWithoutKeyUsage": "30"}}
    policy = allow("kms:DisableKey")
    policy["Statement"][0]["Condition"] = unused
    user, key_id = place.add_user(policy), new_key()
    with counted(SOON):
        assert refusal(place.kms(user).disable_key, KeyId=key_id)[0] == "AccessDeniedException"
