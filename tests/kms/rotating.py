"""How the tests of rotation look at a key's material, and turn the clock of its schedule."""

import datetime
import time
from typing import Any

from fuin.audit import reader
from fuin.kms.material import rotation
from tests.support.place import Place

DAY = 86400.0


def material_of(kms: Any, key_id: str) -> str:
    """Return the id of the material that encrypts."""
    found: str = kms.describe_key(KeyId=key_id)["KeyMetadata"]["CurrentKeyMaterialId"]
    return found


def materials_of(kms: Any, key_id: str) -> list[dict[str, Any]]:
    """Return all materials of a key as they are listed."""
    listed: list[dict[str, Any]] = kms.list_key_rotations(KeyId=key_id, IncludeKeyMaterial="ALL_KEY_MATERIAL")[
        "Rotations"
    ]
    return listed


def let_be_due(place: Place, key_id: str, ago: float = 1.0) -> None:
    """Let a key's rotation have been due some seconds ago."""
    place.sql("UPDATE keys SET rotation_due = :due WHERE key_id = :id", due=time.time() - ago, id=key_id)


def rotate_due(place: Place) -> list[str]:
    """Run the timed job; return the ARNs of what it has rotated."""
    return place.run(rotation.rotate_due(place.services, time.time()))


def newest(place: Place, count: int) -> list[dict[str, Any]]:
    """Return the drafts of the newest audit records, oldest of them first."""
    return [entry.draft for entry in reader.last(place.settings.audit, count)]


def days_to_rotation(kms: Any, key_id: str) -> float:
    """Return in how many days the next rotation is."""
    date: datetime.datetime = kms.get_key_rotation_status(KeyId=key_id)["NextRotationDate"]
    return (date - datetime.datetime.now(datetime.UTC)).total_seconds() / DAY
