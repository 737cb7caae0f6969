"""The end of multi-Region keys: replicas end as any key, a primary key waits for them."""

import time
from typing import Any

import pytest

from fuin.kms.keys import expiry
from tests.kms.asking import NewKey, arn_of, refusal
from tests.kms.related import IRELAND, SYDNEY, described, related
from tests.support.place import REGION, Place

pytestmark = pytest.mark.usefixtures("nothing_due")


def expire(place: Place, key_id: str, region: str) -> None:
    """Let the deletion date of a key in one Region be past, and the janitor run."""
    place.sql(
        "UPDATE keys SET deletion_date = :past WHERE key_id = :id AND region = :region",
        past=time.time() - 1, id=key_id, region=region,
    )  # fmt: skip


def purge(place: Place) -> list[str]:
    """Run the janitor."""
    return place.run(expiry.purge(place.services, time.time()))


def test_end_of_a_replica(place: Place, kms: Any, ireland: Any, pair: str) -> None:
    """A replica ends like any key; the primary key stays, opens its ciphertext, and can be replicated there again."""
    blob = ireland.encrypt(KeyId=pair, Plaintext=b"x")["CiphertextBlob"]
    answer = ireland.schedule_key_deletion(KeyId=pair, PendingWindowInDays=7)
    assert answer["KeyState"] == "PendingDeletion"
    assert refusal(kms.replicate_key, KeyId=pair, ReplicaRegion=IRELAND)[0] == "AlreadyExistsException"
    expire(place, pair, IRELAND)
    assert related(kms, pair) == ("PRIMARY", REGION, [])
    assert purge(place) == [pair]
    record = place.last_record().draft
    assert (record["region"], record["facts"]["kmsKey"]) == (IRELAND, arn_of(pair, region=IRELAND))
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    kms.replicate_key(KeyId=pair, ReplicaRegion=IRELAND)
    assert ireland.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_end_of_a_primary_key(place: Place, kms: Any, ireland: Any, pair: str) -> None:
    """A primary key waits until its last replica has ended; its own days begin then."""
    kms.replicate_key(KeyId=pair, ReplicaRegion=SYDNEY)
    answer = kms.schedule_key_deletion(KeyId=pair, PendingWindowInDays=9)
    assert "DeletionDate" not in answer
    assert (answer["KeyState"], answer["PendingWindowInDays"]) == ("PendingReplicaDeletion", 9)
    told = described(kms, pair)
    assert (told["KeyState"], told["Enabled"], told["PendingDeletionWindowInDays"]) == (
        "PendingReplicaDeletion", False, 9,
    )  # fmt: skip
    assert "DeletionDate" not in told
    code = "KMSInvalidStateException"
    pending = (code, f"{arn_of(pair)} is pending replica deletion.")
    assert refusal(kms.schedule_key_deletion, KeyId=pair) == pending
    assert refusal(kms.encrypt, KeyId=pair, Plaintext=b"x") == pending
    ireland.encrypt(KeyId=pair, Plaintext=b"x")
    for region in (IRELAND, SYDNEY):
        assert described(kms, pair)["KeyState"] == "PendingReplicaDeletion"
        place.kms(region=region).schedule_key_deletion(KeyId=pair)
        expire(place, pair, region)
        assert purge(place) == [pair]
    told = described(kms, pair)
    assert told["KeyState"] == "PendingDeletion"
    assert "PendingDeletionWindowInDays" not in told
    assert abs(told["DeletionDate"].timestamp() - time.time() - 9 * 86400) < 60
    assert purge(place) == []
    expire(place, pair, REGION)
    assert purge(place) == [pair]
    assert refusal(kms.describe_key, KeyId=pair)[0] == "NotFoundException"


def test_primary_key_without_replicas_ends_as_any(place: Place, kms: Any, ireland: Any, pair: str) -> None:
    """Replicas past their date do not count, whether they are purged yet or not."""
    ireland.schedule_key_deletion(KeyId=pair)
    expire(place, pair, IRELAND)
    answer = kms.schedule_key_deletion(KeyId=pair)
    assert (answer["KeyState"], "DeletionDate" in answer) == ("PendingDeletion", True)
    assert refusal(kms.update_primary_region, KeyId=pair, PrimaryRegion=IRELAND)[0] == "KMSInvalidStateException"


def test_end_of_a_primary_key_taken_back(place: Place, kms: Any, ireland: Any, pair: str) -> None:
    """A deletion that waits for replicas can be taken back: the key is disabled then, and waits for nobody."""
    kms.schedule_key_deletion(KeyId=pair)
    assert kms.cancel_key_deletion(KeyId=pair)["KeyId"] == arn_of(pair)
    told = described(kms, pair)
    assert told["KeyState"] == "Disabled"
    assert not told.keys() & {"PendingDeletionWindowInDays", "DeletionDate"}
    ireland.schedule_key_deletion(KeyId=pair)
    expire(place, pair, IRELAND)
    purge(place)
    assert described(kms, pair)["KeyState"] == "Disabled"


def test_rotation_pauses_until_a_deletion_is_taken_back(kms: Any, new_key: NewKey) -> None:
    """A key that waits for its deletion is told as not rotating; its schedule stands again when it stays."""
    key = new_key()
    kms.enable_key_rotation(KeyId=key)
    kms.schedule_key_deletion(KeyId=key)
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is False
    kms.cancel_key_deletion(KeyId=key)
    assert kms.get_key_rotation_status(KeyId=key)["KeyRotationEnabled"] is True


def test_deletion_taken_back_of_a_key_without_material(kms: Any, new_key: NewKey) -> None:
    """A key that waits for its import may end, and waits on when that is taken back."""
    key = new_key(Origin="EXTERNAL")
    kms.schedule_key_deletion(KeyId=key)
    kms.cancel_key_deletion(KeyId=key)
    assert described(kms, key)["KeyState"] == "PendingImport"
