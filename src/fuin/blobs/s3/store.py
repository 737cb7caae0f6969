"""The store of blobs in a bucket: `interface.BlobStore` by S3."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from fuin.blobs.interface import Marker
from fuin.blobs.s3 import listing, small, threads
from fuin.blobs.s3.blob import open_blobs
from fuin.blobs.s3.client import Client, NotFoundError
from fuin.blobs.s3.new_blob import Budget, S3NewBlob
from fuin.blobs.s3.orphans import S3Orphans, list_groups
from fuin.blobs.s3.removals import KEPT, Removals
from fuin.errors import StoreUnavailable

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import AsyncIterator, Iterable, Sequence
    from pathlib import Path

    from fuin.blobs.interface import Blob, Hold, NewBlob, Orphans, Removal, StoredBlob
    from fuin.blobs.s3.address import Address

_MARK = "installation.json"
_MEMORY = 512 * 1024 * 1024  # bytes of unfinished parts in one process: 64 large uploads at least

log = logging.getLogger("fuin.blobs")


@dataclass(slots=True)
class S3Hold:
    """Blobs that are there and were not removed; nobody can begin one of them, since each id is written once."""

    blobs: list[StoredBlob] = field(default_factory=list)

    def release(self) -> None:
        """Do nothing: nothing is locked."""


class S3Blobs:
    """The blobs of one bucket, below one prefix."""

    is_shared = True

    def __init__(
        self, address: Address, *, endpoint: str = "", authority: Path | None = None, kept: float = KEPT
    ) -> None:
        self._address = address
        self._client = Client(address, endpoint, authority)
        self._budget = Budget(_MEMORY)
        self._removals = Removals(self._client, kept)
        self.orphans: Orphans = S3Orphans(self._client)

    @property
    def place(self) -> str:
        """Return the bucket and the prefix."""
        return self._address.place

    @property
    def marker_place(self) -> str:
        """Return the mark's object."""
        return f"{self.place}/{_MARK}"

    def create(self, blob: str) -> NewBlob:
        """Return a new blob; nothing is sent before its first 8 MiB or its end."""
        return S3NewBlob(self._client, self._budget, blob)

    def open(self, blobs: Sequence[str]) -> Future[list[Blob]]:
        """Read the heads of blobs, all or none."""
        return asyncio.ensure_future(open_blobs(self._client, blobs))

    def remove(self, blobs: Iterable[str]) -> Future[None]:
        """Write down that blobs are removed; `end_removal` deletes them later."""
        return asyncio.ensure_future(self._removals.add(blobs))

    def list_removals(self) -> Future[list[Removal]]:
        """Return all removals; those of more than an hour ago are due."""
        return threads.start(self._removals.list_all)

    def end_removal(self, removal: Removal, unnamed: Sequence[str]) -> Future[None]:
        """Delete those of its blobs that the index does not name, and then the note."""
        return threads.start(self._removals.end, removal, unnamed)

    async def list_batches(self, size: int) -> AsyncIterator[list[StoredBlob]]:
        """Yield the blobs, finished or not, without orphans and without those that were removed."""
        passed_over = await threads.start(self._passed_over)
        blobs = (stored for stored in listing.list_blobs(self._client) if stored.name not in passed_over)

        def next_batch() -> list[StoredBlob]:
            return list(islice(blobs, size))

        while batch := await threads.start(next_batch):
            yield batch

    def hold_unused(self, blobs: Sequence[StoredBlob]) -> Future[Hold]:
        """Return the blobs that are still there, and were not removed."""
        return threads.start(self._hold_unused, blobs)

    def holds_any(self) -> Future[bool]:
        """Return whether there is any blob; orphans are among them."""
        return threads.start(lambda: bool(small.page(self._client, listing.FOLDER, 1).get("Contents")))

    def has_room(self, size: int) -> Future[bool]:
        """Return True when the bucket answers; how much room there is, S3 does not say.

        Not in the blobs' own threads, which may all wait for S3.
        """
        return asyncio.get_running_loop().run_in_executor(None, self._answers)

    def read_marker(self) -> Future[Marker | None]:
        """Read the mark."""
        return threads.start(self._read_marker)

    def write_marker(self, marker: Marker) -> Future[None]:
        """Write the mark."""
        return threads.start(small.write, self._client, _MARK, msgspec.json.encode(marker))

    def _passed_over(self) -> set[str]:
        orphans = {orphan.name for group in list_groups(self._client) for orphan in group.orphans}
        return orphans | self._removals.pending()

    def _hold_unused(self, blobs: Sequence[StoredBlob]) -> Hold:
        removed = self._removals.pending()
        hold = S3Hold()
        for stored in blobs:
            try:
                if stored.name not in removed and listing.is_there(self._client, stored):
                    hold.blobs.append(stored)
            except StoreUnavailable as error:  # stays, and hinders neither the others nor their end
                log.warning("%s is not swept: %s", stored.name, error)
        return hold

    def _answers(self) -> bool:
        try:
            self._client.call("head_bucket", patience=1.0, tries=1)
        except NotFoundError as error:
            raise StoreUnavailable(f"{self.place} is not there: {error.code}") from error
        return True

    def _read_marker(self) -> Marker | None:
        content = small.read(self._client, _MARK)
        if content is None:
            return None
        try:
            return msgspec.json.decode(content, type=Marker)
        except msgspec.DecodeError as error:
            raise StoreUnavailable(f"{self.marker_place} cannot be read: {error}") from error
