"""The removal of blobs that the index no longer names: they stay for an hour, for who reads them.

A file that is open stays readable when it is removed; an object of a bucket does not. So its removal is written down,
as `removed/NUMBER` with the ids, and ends later by the clock of S3, by whichever node does the timed work. (Ceph does
the same within: it keeps a deleted object's bytes for two hours for its readers.) Removals within a second share a
note. One that a crash loses leaves an orphan, which is the sweep's.

A note alone deletes nothing. An older database may have been put back since, and name the blobs again: the index is
asked before they are deleted (`fuin.s3.sweep`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
from typing import TYPE_CHECKING

import msgspec

from fuin.blobs.interface import Removal
from fuin.blobs.s3 import small, threads
from fuin.blobs.s3.address import is_blob_id
from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fuin.blobs.s3.client import Client

FOLDER = "removed/"
KEPT = 3600.0  # seconds
_TOGETHER = 1.0  # seconds

log = logging.getLogger("fuin.blobs")


class Removals:
    """Blobs that were removed and are still there."""

    def __init__(self, client: Client, kept: float = KEPT) -> None:
        self._client = client
        self._kept = kept
        self._gathered: list[str] = []
        self._note: asyncio.Task[None] | None = None
        self._written = -_TOGETHER  # when, by the event loop's clock
        self._lock = threading.Lock()
        self._notes: dict[str, list[str]] = {}  # that were read

    async def add(self, blobs: Iterable[str]) -> None:
        """Write down that blobs are removed; never raises."""
        if chosen := [blob for blob in blobs if is_blob_id(blob)]:
            self._gathered += chosen
            if self._note is None:
                self._note = asyncio.ensure_future(self._write())
            await asyncio.shield(self._note)

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(self._written + _TOGETHER - loop.time(), 0))
        self._written, self._note = loop.time(), None
        gathered, self._gathered = self._gathered, []
        try:
            content = msgspec.json.encode(gathered)
            await threads.start(small.write, self._client, FOLDER + secrets.token_hex(16), content)
        except FuinError as error:
            log.warning("%d removed blobs stay until the next sweep: %s", len(gathered), error)

    def pending(self) -> set[str]:
        """Return the blobs that were removed and are still there; waits, and raises StoreUnavailable."""
        return {blob for _, blobs, _ in self._read() for blob in blobs}

    def list_all(self) -> list[Removal]:
        """Return all removals; waits, and raises StoreUnavailable."""
        return [Removal(name, blobs, age >= self._kept) for name, blobs, age in self._read()]

    def end(self, removal: Removal, unnamed: Sequence[str]) -> None:
        """Delete these blobs of a removal, and its note; waits, and raises StoreUnavailable."""
        address, removed = self._client.address, set(removal.blobs)
        small.delete(self._client, [address.blob_key(blob) for blob in unnamed if blob in removed])
        small.delete(self._client, [address.key(FOLDER + removal.name)])

    def _read(self) -> list[tuple[str, list[str], float]]:
        """Return the name, the blobs and the age of each note; a damaged one names no blob."""
        with self._lock:
            found = []
            for name, age, _ in small.entries(self._client, FOLDER):
                if name not in self._notes:
                    content = small.read(self._client, FOLDER + name)
                    blobs = [] if content is None else small.decode(content, list[str]) or []
                    self._notes[name] = [blob for blob in blobs if is_blob_id(blob)]
                found.append((name, self._notes[name], age))
            self._notes = {name: blobs for name, blobs, _ in found}
            return found
