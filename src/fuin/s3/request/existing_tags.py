"""The tags that objects have, for conditions on s3:ExistingObjectTag, and whether they are still the same at a commit.

An object's tags are read when a condition asks for them, and are in no catalog: to tag an object raises no epoch, so a
million objects can be tagged without asking every node. Instead, a commit that rests on such a condition reads the tags
again in its transaction. If they have changed, the rights are asked for anew. A read looks at the object after the
decision: meanwhile another one may have taken its name, whose tags would not have allowed it. Then the client tries
again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.s3.request import tags
from fuin.s3.request.faults import S3Fault
from fuin.store.errors import RightsMoved
from fuin.store.s3 import objects as rows

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.access.facts import Pairs
    from fuin.s3.request.call import S3Call
    from fuin.store.s3.object_name import ObjectName
    from fuin.store.s3.objects import Object

SeenTags = dict["ObjectName", str | None]  # the index's form of the tags that decisions have used


def find(call: S3Call, name: ObjectName) -> Pairs:
    """Return an object's tags, none for a missing object, and remember that a decision has used them.

    `name` is what the request says: without a version it means the newest one, whichever that is at the commit.
    """
    found = call.services.store.look_up(rows.head_object, name)
    kept = None if found is None else found.labels.tags
    call.seen_tags[name] = kept
    return tuple(tags.parse_column(kept).items())


def check_found(call: S3Call, name: ObjectName, found: Object) -> None:
    """Raise SlowDown, which SDKs try again, unless the object of a name has the tags that let its reader in."""
    kept = found.labels.tags
    if call.seen_tags and call.seen_tags.get(name, kept) != kept:
        raise S3Fault("SlowDown")


def check_same(conn: Connection, seen: SeenTags) -> None:
    """Raise RightsMoved if tags that a decision has used are others now."""
    for name, kept in seen.items():
        found = rows.head_object(conn, name)
        if (None if found is None else found.labels.tags) != kept:
            raise RightsMoved
