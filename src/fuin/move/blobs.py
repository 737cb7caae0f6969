"""Blobs: the target gets those that its index names and that it lacks; each is read back and compared.

A blob is never changed once it has its id, so one that is there with the right length is there. Orphans stay where
they are: nobody has named them, and their waiting period counts in their own store.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from fuin import crash
from fuin.blobs.interface import BlobMissing, ReadInto
from fuin.errors import FuinError
from fuin.move import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence

    from fuin.blobs.interface import Blob, BlobStore, StoredBlob
    from fuin.move.databases import Database

_AT_ONCE = 8  # blobs that are copied side by side
_LOOKED_AT = 64  # blobs whose lengths are asked for side by side
_CHUNK = 1024 * 1024  # bytes
_LISTED = 1000

_BLOB, _SIZE, _CONTENT = "blob", "stored_size", "content"


class BlobsDiffer(FuinError):
    """A blob of the target is not the source's."""


@dataclass(slots=True)
class BlobChanges:
    """How many blobs were copied, with how many bytes; `missing` are those that the source lacks."""

    copied: int = 0
    bytes: int = 0
    missing: int = 0
    example: str = ""


@dataclass(frozen=True, slots=True)
class IndexedBlob:
    """A blob as a row of the index names it."""

    blob: str
    size: int  # stored bytes


def index_tables(tables: Sequence[sa.Table]) -> list[sa.Table]:
    """Return the tables whose rows name blobs."""
    return [each for each in tables if _BLOB in each.columns and _SIZE in each.columns]


def _has_blob(table: sa.Table) -> list[sa.ColumnElement[bool]]:
    """Return the condition that a row's message is in a blob: small ones move with their rows."""
    return [table.c[_CONTENT].is_(None)] if _CONTENT in table.columns else []


def indexed_blobs(database: Database, tables: Sequence[sa.Table]) -> Iterator[list[IndexedBlob]]:
    """Yield the blobs that the index names, in batches."""
    for table in index_tables(tables):
        for batch in rows.batches(database, table, *_has_blob(table)):
            yield [IndexedBlob(row._mapping[table.c[_BLOB]], row._mapping[table.c[_SIZE]]) for row in batch]


@dataclass(slots=True)
class BlobMover:
    """Copies blobs; `report` is called with the number of bytes gone through."""

    source: BlobStore
    target: BlobStore
    report: Callable[[int], None] = lambda _: None

    async def list_target(self) -> set[bytes]:
        """Return the ids of the whole blobs of the target, 32 bytes each.

        What an ended run has begun is removed from files. On S3 its uploads stay for a sweep, which ends them.
        """
        there: set[bytes] = set()
        async for batch in self.target.list_batches(_LISTED):
            there.update(bytes.fromhex(stored.blob) for stored in batch if stored.blob)
            for stored in batch:
                await self._discard_unfinished(stored)
        return there

    async def _discard_unfinished(self, stored: StoredBlob) -> None:
        if not stored.blob:
            await self.target.create(stored.id).discard()

    async def bring(self, database: Database, tables: Sequence[sa.Table], *, reread: bool = False) -> BlobChanges:
        """Copy what the target lacks, and with `reread` compare also what it has; return the changes."""
        changes, there = BlobChanges(), await self.list_target()
        for batch in indexed_blobs(database, tables):
            known = [one for one in batch if bytes.fromhex(one.blob) in there]
            await self._run_side_by_side([self._compare(one) for one in known] if reread else [])
            self.report(sum(one.size for one in known))
            await self._run_side_by_side([self._bring_one(one, changes) for one in batch if one not in known])
        return changes

    async def _run_side_by_side(self, works: list[Coroutine[Any, Any, None]]) -> None:
        for start in range(0, len(works), _AT_ONCE):
            await asyncio.gather(*works[start : start + _AT_ONCE])

    async def _bring_one(self, one: IndexedBlob, changes: BlobChanges) -> None:
        try:
            [blob] = await self.source.open([one.blob])
        except BlobMissing:
            changes.missing, changes.example = changes.missing + 1, one.blob
            return
        try:
            written = await self._copy(blob, one)
        finally:
            blob.close()
        crash.point("move.blob")
        await self._check(one, written)
        changes.copied, changes.bytes = changes.copied + 1, changes.bytes + one.size

    async def _copy(self, blob: Blob, one: IndexedBlob) -> bytes:
        """Copy a blob, and return the SHA-256 of its bytes."""
        new, hasher = self.target.create(one.blob), hashlib.sha256()
        try:
            for start in range(0, blob.size, _CHUNK):
                chunk = bytearray(min(_CHUNK, blob.size - start))
                await blob.read(_fill(chunk, start, hasher))
                await new.append([chunk])
                self.report(len(chunk))
            await new.commit()
        except BaseException:
            await new.discard()
            raise
        new.release()
        return hasher.digest()

    async def _compare(self, one: IndexedBlob) -> None:
        await self._check(one, await self._digest(self.source, one))

    async def _check(self, one: IndexedBlob, expected: bytes) -> None:
        if await self._digest(self.target, one) != expected:
            raise BlobsDiffer(f"blob {one.blob} in {self.target.place} is not the one of {self.source.place}")

    async def _digest(self, store: BlobStore, one: IndexedBlob) -> bytes:
        [blob] = await store.open([one.blob])
        try:
            if blob.size != one.size:
                raise BlobsDiffer(f"blob {one.blob} in {store.place} has {blob.size} bytes instead of {one.size}")
            hasher, chunk = hashlib.sha256(), bytearray(_CHUNK)
            for start in range(0, blob.size, _CHUNK):
                view = memoryview(chunk)[: min(_CHUNK, blob.size - start)]
                await blob.read(_fill(view, start, hasher))
        finally:
            blob.close()
        return hasher.digest()


def _fill(
    chunk: bytearray | memoryview, offset: int, hasher: hashlib._Hash
) -> Generator[ReadInto, int, None]:  # fmt: skip
    """Fill a buffer from a blob, and add its bytes to a digest; runs in the store's thread."""
    view = memoryview(chunk)
    if (yield ReadInto(view, offset)) != len(view):
        raise BlobsDiffer("a blob ends early")
    hasher.update(view)


async def require_blobs(store: BlobStore, database: Database, tables: Sequence[sa.Table]) -> tuple[int, int]:
    """Return how many blobs the index names, and their bytes; raises BlobsDiffer unless all are there, whole."""
    count = size = 0
    for batch in indexed_blobs(database, tables):
        for start in range(0, len(batch), _LOOKED_AT):
            chosen = batch[start : start + _LOOKED_AT]
            try:
                opened = await store.open([one.blob for one in chosen])
            except BlobMissing:
                raise BlobsDiffer(f"{store.place} lacks a blob that {database.place} names") from None
            for one, blob in zip(chosen, opened, strict=True):
                blob.close()
                if blob.size != one.size:
                    raise BlobsDiffer(f"blob {one.blob} in {store.place} has {blob.size} bytes instead of {one.size}")
        count, size = count + len(batch), size + sum(one.size for one in batch)
    return count, size


def count_bytes(database: Database, tables: Sequence[sa.Table]) -> int:
    """Return how many bytes the blobs have that the index names."""
    sums = (sa.select(sa.func.sum(table.c[_SIZE])).where(*_has_blob(table)) for table in index_tables(tables))
    return sum(int(database.conn.execute(each).scalar() or 0) for each in sums)
