"""Orphans on S3: an empty object beside a note marks each; the bytes stay where they are until they are deleted.

S3 renames nothing. To copy gigabytes out of the way and back would cost more than it gives: a mark does the same for
the index and for the sweep, and a reader needs nothing put back.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import msgspec

from fuin.blobs.interface import OrphanGroup, StoredBlob, SweepNote
from fuin.blobs.s3 import listing, small, threads

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Sequence

    from fuin.blobs.s3.client import Client

FOLDER = "orphans/"
_NOTE = "note.json"
_SERVED = FOLDER + "served"

log = logging.getLogger("fuin.blobs")


class S3Orphans:
    """`Orphans` of a bucket."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def groups(self) -> Future[list[OrphanGroup]]:
        """Return all groups, oldest first."""
        return threads.start(list_groups, self._client)

    def begin_group(self, note: SweepNote) -> Future[OrphanGroup]:
        """Return a new group, whose note is written."""
        return threads.start(_begin_group, self._client, note)

    def move(self, group: OrphanGroup, blobs: Sequence[StoredBlob]) -> Future[None]:
        """Mark blobs as orphans of the group."""
        return threads.start(_mark, self._client, group, blobs)

    def put_back(self, blob: str) -> Future[None]:
        """Take the mark from a blob."""
        return threads.start(_unmark, self._client, blob)

    def delete(self, group: OrphanGroup, orphans: Sequence[StoredBlob]) -> Future[None]:
        """Delete blobs, and then their marks."""
        return threads.start(_delete, self._client, group, orphans)

    def remove_if_empty(self, group: OrphanGroup) -> Future[None]:
        """Remove the group's note when no mark is left beside it."""
        return threads.start(_remove_if_empty, self._client, group)

    def time_served(self) -> Future[float]:
        """Return the seconds served."""
        return threads.start(_time_served, self._client)

    def add_time_served(self, seconds: float) -> Future[float]:
        """Add to the seconds served, and return them."""
        return threads.start(_add_time_served, self._client, seconds)


def list_groups(client: Client) -> list[OrphanGroup]:
    """Return all groups, oldest first; waits, and raises StoreUnavailable."""
    marked: dict[str, list[StoredBlob]] = {}
    for name, _, _ in small.entries(client, FOLDER):
        group, _, member = name.partition("/")
        if member:
            orphans = marked.setdefault(group, [])
            if (stored := listing.stored_blob(member)) is not None:
                orphans.append(stored)
    return [_group(client, name, orphans) for name, orphans in sorted(marked.items())]


def _group(client: Client, name: str, orphans: Sequence[StoredBlob]) -> OrphanGroup:
    content = small.read(client, _name(name, _NOTE))
    note = None if content is None else small.decode(content, SweepNote)
    place = f"{client.address.place}/{FOLDER}{name}"
    return OrphanGroup(name, place, note, tuple(sorted(orphans, key=lambda orphan: orphan.name)))


def _name(group: str, member: str) -> str:
    return f"{FOLDER}{group}/{member}"


def _begin_group(client: Client, note: SweepNote) -> OrphanGroup:
    name = f"{note.sequence:016d}"
    while small.read(client, _name(name, _NOTE)) is not None:
        name += "x"
    small.write(client, _name(name, _NOTE), msgspec.json.encode(note))
    return _group(client, name, ())


def _mark(client: Client, group: OrphanGroup, blobs: Sequence[StoredBlob]) -> None:
    for stored in blobs:
        if listing.is_there(client, stored):  # else its own request has removed it
            small.write(client, _name(group.name, stored.name), b"")


def _unmark(client: Client, blob: str) -> None:
    for group in list_groups(client):
        if any(orphan.name == blob for orphan in group.orphans):
            small.delete(client, [client.address.key(_name(group.name, blob))])
            log.warning("the blob %s, which the index names, is no orphan of %s any longer", blob, group.place)


def _delete(client: Client, group: OrphanGroup, orphans: Sequence[StoredBlob]) -> None:
    listing.delete(client, orphans)
    small.delete(client, [client.address.key(_name(group.name, orphan.name)) for orphan in orphans])


def _remove_if_empty(client: Client, group: OrphanGroup) -> None:
    names = [name for name, _, _ in small.entries(client, f"{FOLDER}{group.name}/")]
    if not any(listing.stored_blob(name) for name in names):
        small.delete(client, [client.address.key(_name(group.name, _NOTE))])


def _time_served(client: Client) -> float:
    try:
        seconds = float(small.read(client, _SERVED) or b"0")
    except ValueError:
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0


def _add_time_served(client: Client, seconds: float) -> float:
    total = _time_served(client) + seconds
    small.write(client, _SERVED, repr(total).encode())
    return total
