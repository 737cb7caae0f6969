"""The blobs that an installation's database names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.blobs.configuration import configured_store
from fuin.errors import FuinError
from fuin.store.engine import installation

if TYPE_CHECKING:
    from fuin.blobs.interface import BlobStore
    from fuin.settings import Settings
    from fuin.store.store import Store


async def open_blobs(settings: Settings, store: Store) -> BlobStore:
    """Return the store of blobs of these settings; raises FuinError if its mark is not that of the database."""
    blobs = configured_store(settings)
    mark = await blobs.read_marker()
    if mark is None:
        raise FuinError(f"{blobs.marker_place} does not exist: are these the blobs of this server?")
    if mark.installation != (await store.read(installation.find_standing)).installation:
        raise FuinError(f"{blobs.place} belongs to another installation, by its mark {blobs.marker_place}")
    return blobs
