"""The claim on a target: it is empty, or holds a part of this installation, and then nobody else's data is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.blobs.interface import Marker
from fuin.errors import FuinError
from fuin.store.engine import epoch, installation, migrate

if TYPE_CHECKING:
    from fuin.blobs.interface import BlobStore
    from fuin.move.databases import Database


class FinishedMove(FuinError):
    """The target has been made usable by an earlier run."""


def identify(source: Database, target: Database) -> str:
    """Return the id of the source's installation; raises FuinError unless it is whole, and still there.

    A source that an earlier run has closed is still there for this target, as long as the target is not finished.
    """
    values = installation.find_values(source.conn)
    installation.require_finished_move(installation.MOVING in values, source.place)
    moved, filled = values.get(installation.MOVED, ""), installation.find_values(target.conn).get(installation.MOVING)
    if moved != target.place or filled is None or filled != values.get("installation"):
        installation.require_here(moved, source.place)
    if "account" not in values or "installation" not in values:
        raise FuinError(f"{source.place} holds no installation whose first start has finished")
    return values["installation"]


def claim_database(target: Database, identity: str) -> None:
    """Mark the target as being filled from an installation, durably; raises FuinError when it holds anything else."""
    with target.transaction():
        epoch.lock_epoch(target.conn)  # a `fuin init` at the same moment comes before or after
        values = installation.find_values(target.conn)
        if installation.MOVING in values:
            if values[installation.MOVING] != identity:
                raise FuinError(f"{target.place} holds a part of another installation: move into an empty database")
            return
        if values.get("installation") == identity:
            raise FinishedMove(f"{target.place} holds this installation already: the move has finished")
        if set(values) - {migrate.SERVES_FROM}:
            raise FuinError(f"{target.place} holds another installation: move into an empty database")
        installation.put_values(target.conn, {installation.MOVING: identity})


async def claim_blobs(target: BlobStore, identity: str) -> None:
    """Mark the target's blobs as this installation's; raises FuinError when there are others."""
    mark = await target.read_marker()
    if mark is None:
        if await target.holds_any():
            raise FuinError(f"{target.place} holds blobs of somebody else: move into an empty place")
        await target.write_marker(Marker(identity, 0))
    elif mark.installation != identity:
        raise FuinError(f"{target.place} belongs to another installation, by its {target.marker_place}")
