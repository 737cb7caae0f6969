"""Blobs that move: those that the index names, once, and compared."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from fuin.blobs.files.names import blob_path
from fuin.blobs.files.store import FileBlobs
from fuin.move.blobs import BlobChanges, BlobMover, BlobsDiffer, count_bytes, require_blobs
from fuin.move.databases import Database, open_sqlite
from fuin.store.engine import schema

TABLES = schema.tables_to_move()
NAMES = ["1" * 64, "2" * 64, "3" * 64]
MIB = 1024 * 1024


class Sides:
    """A database whose index names three blobs, the store that has them, and an empty one."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.source, self.target = folder / "source", folder / "target"
        self.contents = {name: os.urandom(size) for name, size in zip(NAMES, (1, 0, 2 * MIB + 5), strict=True)}
        for name, content in self.contents.items():
            self.put(self.source, name, content)
        rows = [
            {"object": 1, "number": number, "blob": name, "size": 1, "stored_size": len(content), "etag": "",
             "message_id": b"", "modified": 1.0}
            for number, (name, content) in enumerate(self.contents.items())
        ]  # fmt: skip
        database.run("PRAGMA foreign_keys = OFF")
        with database.transaction():
            database.conn.execute(sa.insert(schema.object_parts), rows)

    def put(self, folder: Path, name: str, content: bytes) -> None:
        """Make a blob's file."""
        path = blob_path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def move(self, *, reread: bool = False) -> BlobChanges:
        """Move the blobs."""
        mover = BlobMover(FileBlobs(self.source), FileBlobs(self.target))
        return asyncio.run(_run(mover, self.database, reread=reread))

    def require(self) -> tuple[int, int]:
        """Return the number and the bytes of the target's blobs, all of them whole."""
        return asyncio.run(_require(self.target, self.database))


async def _run(mover: BlobMover, database: Database, *, reread: bool) -> BlobChanges:
    return await mover.bring(database, TABLES, reread=reread)


async def _require(folder: Path, database: Database) -> tuple[int, int]:
    return await require_blobs(FileBlobs(folder), database, TABLES)


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[Sides]:
    """Give both sides."""
    with open_sqlite(tmp_path / "source.db", create=True) as database:
        yield Sides(database, tmp_path)


def test_named_blobs_are_copied_once(sides: Sides) -> None:
    """A blob that no row names stays behind; a second run copies nothing."""
    sides.put(sides.source, "f" * 64, b"an orphan")
    changes = sides.move()
    assert (changes.copied, changes.bytes) == (3, 2 * MIB + 6)
    for name, content in sides.contents.items():
        assert blob_path(sides.target, name).read_bytes() == content
    assert not blob_path(sides.target, "f" * 64).exists()
    assert sides.move().copied == 0
    assert sides.require() == (3, 2 * MIB + 6)


def test_small_object_is_not_looked_for(sides: Sides) -> None:
    """Its message moves with its row: no blob is missed on either side, and none is counted."""
    row = {"object": 2, "number": 1, "blob": "4" * 64, "size": 5, "stored_size": 700, "etag": "", "message_id": b"",
           "modified": 1.0, "content": b"message"}  # fmt: skip
    with sides.database.transaction():
        sides.database.conn.execute(sa.insert(schema.object_parts), [row])
    assert count_bytes(sides.database, TABLES) == 2 * MIB + 6
    changes = sides.move()
    assert (changes.copied, changes.missing) == (3, 0)
    assert sides.require() == (3, 2 * MIB + 6)


def test_packs_of_snapshots_are_copied(sides: Sides) -> None:
    """The table of snapshots' blobs names blobs too, with their stored bytes."""
    sides.put(sides.source, "5" * 64, b"a pack")
    row = {"blob": "5" * 64, "snapshot_id": "snap-1", "kind": "blocks", "stored_size": 6, "created_at": 1.0}
    with sides.database.transaction():
        sides.database.conn.execute(sa.insert(schema.snapshot_blobs), [row])
    assert sides.move().copied == 4
    assert blob_path(sides.target, "5" * 64).read_bytes() == b"a pack"
    assert sides.require() == (4, 2 * MIB + 12)


def test_blob_that_a_killed_run_has_begun_is_copied_anew(sides: Sides) -> None:
    """Its unfinished file would be in the way."""
    part = blob_path(sides.target, NAMES[2]).with_name(f"{NAMES[2]}.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"a beginning")
    assert sides.move().copied == 3
    assert not part.exists()


def test_missing_blob_is_counted_and_refused_in_the_end(sides: Sides) -> None:
    """A running server may remove a blob at any time; the witness of the finish misses it."""
    blob_path(sides.source, NAMES[0]).unlink()
    changes = sides.move()
    assert (changes.copied, changes.missing, changes.example) == (2, 1, NAMES[0])
    with pytest.raises(BlobsDiffer, match="lacks a blob"):
        sides.require()


def test_shorter_blob_is_refused(sides: Sides) -> None:
    """A blob of another length in the target is found without reading it; one in the source when it is copied."""
    sides.move()
    sides.put(sides.target, NAMES[2], b"short")
    with pytest.raises(BlobsDiffer, match="has 5 bytes instead of"):
        sides.require()
    blob_path(sides.target, NAMES[2]).unlink()
    sides.put(sides.source, NAMES[2], b"short")
    with pytest.raises(BlobsDiffer, match="has 5 bytes instead of"):
        sides.move()


def test_reread_compares_what_an_earlier_run_has_copied(sides: Sides) -> None:
    """A changed byte is found by `--reread` alone: without it only the length is looked at."""
    sides.move()
    content = bytearray(sides.contents[NAMES[2]])
    content[MIB + 1] ^= 1
    sides.put(sides.target, NAMES[2], bytes(content))
    assert sides.move().copied == 0
    with pytest.raises(BlobsDiffer, match="is not the one of"):
        sides.move(reread=True)
