"""Which store of blobs a server has, by its settings: the one place that chooses an implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.blobs.files.store import FileBlobs

if TYPE_CHECKING:
    from fuin.blobs.interface import BlobStore
    from fuin.settings import Settings


def configured_store(settings: Settings) -> BlobStore:
    """Return the store of the settings: files in the data folder."""
    return FileBlobs(settings.blobs)
