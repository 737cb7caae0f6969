"""Re-wraps: a version of an object gets another encrypted data key, and the columns about keys that go with it.

It is one change of one row, so after a crash the version has the old one or the new one. Nothing else of the version
changes, and no blob. The encrypted data key is random, so it says which version it belongs to: a row that has another
one than the caller has seen was replaced, or re-wrapped by somebody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from fuin.store.engine import schema
from fuin.store.errors import ObjectLocked, ObjectReplaced
from fuin.store.s3 import object_lock
from fuin.store.s3.key_use import object_key_use
from fuin.store.s3.version_select import VersionSelect

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.store.s3.object_name import ObjectName

_o = schema.objects
# Locked, since the write that follows rests on it; SQLite has one writer, and no such clause.
_LOCK = VersionSelect(select(_o.c.id, _o.c.version_id, _o.c.encryption, _o.c.object_lock).with_for_update())
_SET = (
    update(_o)
    .where(_o.c.id == schema.parameter("p_id", schema.LONG))
    .values(
        encryption=schema.parameter("p_encryption"), scheme=schema.parameter("p_scheme"),
        kms_key_arn=schema.parameter("p_arn"), kms_material_id=schema.parameter("p_material", schema.BYTES),
    )
)  # fmt: skip


def rewrap(conn: Connection, name: ObjectName, old: str, new: str, unlocked_at: float | None) -> str:
    """Exchange the encryption `old` of a version, as the index has it, for `new`; returns the version.

    `unlocked_at` is a time that has certainly come, at which no lock may hold; None: locks do not matter.
    Raises ObjectReplaced, ObjectLocked.
    """
    row = _LOCK.first(conn, name)
    if row is None or row.encryption != old:
        raise ObjectReplaced
    lock = object_lock.parse_column(row.object_lock)
    if unlocked_at is not None and lock.forbids_deletion(unlocked_at, bypass=False):
        raise ObjectLocked(row.version_id)
    use = object_key_use(new)
    conn.execute(
        _SET,
        {
            "p_id": row.id, "p_encryption": new, "p_scheme": use.scheme, "p_arn": use.key_arn,
            "p_material": use.material_id,
        },
    )  # fmt: skip
    version: str = row.version_id
    return version
