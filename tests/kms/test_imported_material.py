"""Imported material through time, in the database's files, beside other workers and in several Regions."""

import time
from typing import Any

import pytest

from fuin.kms.material import imports as operations
from fuin.store.errors import AnotherPending, NotPrimary, TooManyRotations
from fuin.store.kms import imports, materials, rotations
from tests.kms.asking import NewKey, arn_of, refusal
from tests.kms.importing import EXISTING, NEW, bring, brought, fresh, soon
from tests.kms.rotating import material_of, materials_of, newest
from tests.support.place import REGION, Place, wait

EXTERNAL = {"Origin": "EXTERNAL"}
ELSEWHERE = "eu-west-1"
PIECE = 20  # bytes; a row that is torn apart between pages must not hide
READY, WAITS = "PENDING_ROTATION", "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"

pytestmark = pytest.mark.usefixtures("nothing_due")


def let_expire(place: Place, key_id: str) -> None:
    """Let the dates of a key's material be past."""
    place.sql("UPDATE materials SET valid_to = :past WHERE key_id = :id AND valid_to > 0", past=time.time(), id=key_id)
    place.sql("UPDATE keys SET valid_to = :past WHERE key_id = :id AND valid_to > 0", past=time.time(), id=key_id)


def expire_due(place: Place) -> list[str]:
    """Run the timed job; return the ARNs of the keys whose material it has destroyed."""
    return place.run(operations.expire_due(place.services, time.time()))


async def _sealed(place: Place, key_id: str) -> list[bytes]:
    found = place.services.store.read_sync(materials.list_materials, key_id, REGION)
    return [material.wrapped for material in found]


def sealed(place: Place, key_id: str) -> list[bytes]:
    """Return the wrapped material of a key as the database has it."""
    return place.run(_sealed(place, key_id))


def traces(place: Place, wrapped: bytes) -> int:
    """Return how many pieces of wrapped material stand in the database's files."""
    content = b"".join(path.read_bytes() for path in sorted(place.settings.database.parent.glob("fuin.db*")))
    return sum(wrapped[at : at + PIECE] in content for at in range(0, len(wrapped) - PIECE + 1, PIECE))


def states(kms: Any, key_id: str) -> dict[str, tuple[str, str]]:
    """Return each material's state and import state."""
    return {one["KeyMaterialId"]: (one["KeyMaterialState"], one["ImportState"]) for one in materials_of(kms, key_id)}


def test_expiry_is_immediate(place: Place, kms: Any, new_key: NewKey) -> None:
    """From its date on material is not used any more, whether the job has come by or not."""
    key_id, same = new_key(**EXTERNAL), fresh()
    bring(kms, key_id, same, **soon())
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    let_expire(place, key_id)
    gone = ("KMSInvalidStateException", f"{arn_of(key_id)} is pending import.")
    assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x") == gone
    assert refusal(kms.decrypt, CiphertextBlob=blob) == gone
    assert kms.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingImport"
    bring(kms, key_id, same)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"
    assert expire_due(place) == []


def test_expired_material_is_destroyed(place: Place, kms: Any, new_key: NewKey) -> None:
    """The job destroys what has expired, in the database's files as well, records it first, and leaves the rest."""
    key_id, other, same = new_key(**EXTERNAL), new_key(**EXTERNAL), fresh()
    material_id = bring(kms, key_id, same, **soon())["KeyMaterialId"]
    bring(kms, other, fresh(), **soon())
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    [wrapped], [living] = sealed(place, key_id), sealed(place, other)
    assert traces(place, wrapped) > 3
    let_expire(place, key_id)
    assert expire_due(place) == [arn_of(key_id)]
    assert traces(place, wrapped) == 0
    assert traces(place, living) > 3
    found = [draft for draft in newest(place, 5) if draft["operation"] == "kms:DeleteExpiredKeyMaterial"]
    record, closing = sorted(found, key=lambda draft: draft.get("commit", 0))
    assert (record["about"], "about" in closing, closing["commit"] > 0) == ("delete", False, True)
    assert record["facts"] == {"kmsKey": arn_of(key_id), "keyMaterial": material_id}
    assert record["principal"] == "kms.amazonaws.com"
    assert states(kms, key_id) == {material_id: ("CURRENT", "PENDING_IMPORT")}
    shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert (shown["KeyState"], "ValidTo" in shown) == ("PendingImport", False)
    assert expire_due(place) == []
    assert bring(kms, key_id, same, **EXISTING)["KeyMaterialId"] == material_id
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"


def test_expired_material_is_not_rotated_to(place: Place, kms: Any, new_key: NewKey) -> None:
    """Material that expires while it waits for its rotation is forgotten, and the key goes on without it."""
    key_id = new_key(**EXTERNAL)
    bring(kms, key_id, fresh())
    bring(kms, key_id, fresh(), **NEW, **soon())
    let_expire(place, key_id)
    code, message = refusal(kms.rotate_key_on_demand, KeyId=key_id)
    assert (code, message.split(":", maxsplit=1)[0]) == (
        "KMSInvalidStateException", "No available key material pending rotation for the key",
    )  # fmt: skip
    assert expire_due(place) == [arn_of(key_id)]
    assert len(materials_of(kms, key_id)) == 1
    kms.encrypt(KeyId=key_id, Plaintext=b"x")


def test_deleted_material_is_in_no_file(place: Place, kms: Any, new_key: NewKey) -> None:
    """When DeleteImportedKeyMaterial returns, no piece of the wrapped material is left in the database's files."""
    keys = [new_key(**EXTERNAL) for _ in range(4)]
    for key_id in keys:
        bring(kms, key_id, fresh())
    before = [sealed(place, key_id)[0] for key_id in keys]
    assert all(traces(place, wrapped) > 3 for wrapped in before)
    for key_id in keys[:2]:
        kms.delete_imported_key_material(KeyId=key_id)
    assert [traces(place, wrapped) for wrapped in before[:2]] == [0, 0]
    assert all(traces(place, wrapped) > 3 for wrapped in before[2:])


def test_deletion_cut_short(place: Place, kms: Any, new_key: NewKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that ends between the deletion and the clearing of the files leaves that to the next request."""
    key_id = new_key(**EXTERNAL)
    bring(kms, key_id, fresh())
    [wrapped] = sealed(place, key_id)

    def crash(point: str) -> None:
        assert point == "delete_material.after_store"
        raise RuntimeError("the process ends here")

    with monkeypatch.context() as patch:
        patch.setattr("fuin.crash.point", crash)
        assert refusal(kms.delete_imported_key_material, KeyId=key_id)[0] == "InternalFailure"
    assert refusal(kms.encrypt, KeyId=key_id, Plaintext=b"x")[0] == "KMSInvalidStateException"
    kms.delete_imported_key_material(KeyId=key_id)
    assert traces(place, wrapped) == 0


def test_two_workers_bring_new_material(place: Place, kms: Any, new_key: NewKey) -> None:
    """Of two workers that both bring new material one is told that the other's waits for its rotation."""
    key_id = new_key(**EXTERNAL)
    bring(kms, key_id, fresh())
    create, change = place.services.keyholder.create_material, place.services.store.change
    one, two = (place.run(create(key_id, "SYMMETRIC_DEFAULT", b"{}")) for _ in range(2))
    place.run(wait(change(imports.import_material, REGION, imports.Brought(one, time.time(), new=True))))
    with pytest.raises(AnotherPending):
        place.run(wait(change(imports.import_material, REGION, imports.Brought(two, time.time(), new=True))))
    place.run(wait(change(imports.rotate_imported, key_id, REGION, time.time())))
    assert material_of(kms, key_id) == one.material_id.hex()


def test_limit_of_rotations(place: Place, kms: Any, new_key: NewKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Imported material is rotated as often as any other."""
    key_id = new_key(**EXTERNAL)
    bring(kms, key_id, fresh())
    monkeypatch.setattr(rotations, "MOST_ON_DEMAND", 1)
    for expected in (None, "LimitExceededException"):
        bring(kms, key_id, fresh(), **NEW)
        if expected is None:
            kms.rotate_key_on_demand(KeyId=key_id)
        else:
            assert refusal(kms.rotate_key_on_demand, KeyId=key_id)[0] == expected
    with pytest.raises(TooManyRotations):
        place.run(wait(place.services.store.change(imports.rotate_imported, key_id, REGION, time.time())))


@pytest.fixture
def related(place: Place, kms: Any, new_key: NewKey) -> tuple[str, bytes, Any]:
    """Give a multi-Region key with imported material, that material, and the client of its replica's Region."""
    key_id, first = new_key(Origin="EXTERNAL", MultiRegion=True), fresh()
    bring(kms, key_id, first)
    kms.replicate_key(KeyId=key_id, ReplicaRegion=ELSEWHERE)
    return key_id, first, place.kms(region=ELSEWHERE)


def test_replicas_wait_for_their_own_import(kms: Any, related: tuple[str, bytes, Any]) -> None:
    """Nothing is copied to a replica: the same material is imported there, with dates and tokens of its own."""
    key_id, first, there = related
    material_id = material_of(kms, key_id)
    assert states(there, key_id) == {material_id: ("CURRENT", "PENDING_IMPORT")}
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    assert refusal(there.decrypt, CiphertextBlob=blob)[0] == "KMSInvalidStateException"
    given = brought(kms, key_id, first)
    assert refusal(there.import_key_material, **given, **soon())[0] == "InvalidImportTokenException"
    assert refusal(bring, kms=there, key_id=key_id, material=fresh())[0] == "IncorrectKeyMaterialException"
    assert bring(there, key_id, first, **soon())["KeyMaterialId"] == material_id
    assert there.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"
    assert "ValidTo" not in kms.describe_key(KeyId=key_id)["KeyMetadata"]
    there.delete_imported_key_material(KeyId=key_id)
    assert states(kms, key_id) == {material_id: ("CURRENT", "IMPORTED")}
    kms.decrypt(CiphertextBlob=blob)


def test_new_material_comes_to_the_primary_first(kms: Any, related: tuple[str, bytes, Any]) -> None:
    """New material is brought to the primary key, then to each replica, and only then can be rotated to."""
    key_id, first, there = related
    bring(there, key_id, first)
    old, new = material_of(kms, key_id), fresh()
    assert refusal(bring, kms=there, key_id=key_id, material=new, **NEW)[0] == "UnsupportedOperationException"
    second = bring(kms, key_id, new, **NEW)["KeyMaterialId"]
    assert states(kms, key_id) == {old: ("CURRENT", "IMPORTED"), second: (WAITS, "IMPORTED")}
    assert states(there, key_id)[second] == (WAITS, "PENDING_IMPORT")
    assert refusal(kms.rotate_key_on_demand, KeyId=key_id)[0] == "KMSInvalidStateException"
    bring(there, key_id, new, **EXISTING, KeyMaterialId=second)
    assert states(kms, key_id)[second] == states(there, key_id)[second] == (READY, "IMPORTED")
    assert refusal(there.rotate_key_on_demand, KeyId=key_id)[0] == "UnsupportedOperationException"
    kms.rotate_key_on_demand(KeyId=key_id)
    assert material_of(kms, key_id) == material_of(there, key_id) == second
    blob = there.encrypt(KeyId=key_id, Plaintext=b"text")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"text"


def test_deletion_of_what_waits(kms: Any, related: tuple[str, bytes, Any]) -> None:
    """Deleted in the primary, waiting material goes everywhere; deleted in a replica, it goes there only."""
    key_id, first, there = related
    bring(there, key_id, first)
    new = fresh()
    second = bring(kms, key_id, new, **NEW)["KeyMaterialId"]
    bring(there, key_id, new)
    kms.delete_imported_key_material(KeyId=key_id, KeyMaterialId=second)
    assert second not in states(kms, key_id)
    assert second not in states(there, key_id)
    bring(kms, key_id, new, **NEW)
    bring(there, key_id, new)
    there.delete_imported_key_material(KeyId=key_id, KeyMaterialId=second)
    assert states(kms, key_id)[second] == (READY, "IMPORTED")
    assert there.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "Enabled"
    kms.rotate_key_on_demand(KeyId=key_id)
    assert there.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingImport"
    bring(there, key_id, new)
    there.encrypt(KeyId=key_id, Plaintext=b"x")


def test_replica_made_while_material_waits(place: Place, kms: Any, related: tuple[str, bytes, Any]) -> None:
    """A replica that is made later waits for all material, and the rotation waits for it."""
    key_id, first, there = related
    bring(there, key_id, first)
    new = fresh()
    second = bring(kms, key_id, new, **NEW)["KeyMaterialId"]
    bring(there, key_id, new)
    kms.replicate_key(KeyId=key_id, ReplicaRegion="ap-northeast-1")
    third = place.kms(region="ap-northeast-1")
    assert states(kms, key_id)[second] == (WAITS, "IMPORTED")
    bring(third, key_id, new)
    assert third.describe_key(KeyId=key_id)["KeyMetadata"]["KeyState"] == "PendingImport"
    assert states(kms, key_id)[second] == (READY, "IMPORTED")
    bring(third, key_id, first)
    kms.rotate_key_on_demand(KeyId=key_id)
    assert material_of(third, key_id) == second
    change = place.services.store.change
    with pytest.raises(NotPrimary):
        place.run(wait(change(imports.rotate_imported, key_id, ELSEWHERE, time.time())))
