"""What every store of blobs does: files, and buckets of a stand-in, of Fuin itself and of real Ceph."""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from fuin.blobs.files.store import FileBlobs
from fuin.blobs.interface import BlobMissing, BlobStore, Marker, ReadInto, ReadSteps, StoredBlob, SweepNote
from fuin.blobs.s3.address import parse_address
from fuin.blobs.s3.store import S3Blobs
from fuin.errors import StoreUnavailable
from tests.blobs.conftest import use_credentials
from tests.support.ceph import Ceph
from tests.support.fake_s3 import BUCKET, FakeS3
from tests.support.place import Place

T = TypeVar("T")
MIB = 1024 * 1024
DATA = os.urandom(20 * MIB)
NOTE = SweepNote("here", 7, 1, 1.8e9, 0)
Run = Callable[[Callable[[BlobStore], Awaitable[Any]]], Any]


@pytest.fixture(params=["files", "stand-in", "fuin", "ceph"])
def store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> BlobStore:
    """Give an empty store; a removal is due at once."""
    if request.param == "files":
        folder: Path = request.getfixturevalue("folder")
        return FileBlobs(folder)
    prefix = secrets.token_hex(8)
    if request.param == "stand-in":
        fake: FakeS3 = request.getfixturevalue("fake")
        return S3Blobs(parse_address(f"s3://{BUCKET}/{prefix}"), endpoint=fake.url, kept=-60)
    if request.param == "fuin":
        place: Place = request.getfixturevalue("other_fuin")
        use_credentials(monkeypatch, place.root)
        return S3Blobs(parse_address(f"s3://{place.bucket()}"), endpoint=place.url, kept=-60)
    cluster: Ceph = request.getfixturevalue("cluster")
    use_credentials(monkeypatch, cluster.user)
    return S3Blobs(parse_address(f"s3://fuin/{prefix}"), endpoint=cluster.url, kept=-60)


def new_id() -> str:
    """Return a blob's id."""
    return secrets.token_hex(32)


async def write(store: BlobStore, *pieces: bytes) -> str:
    """Write a blob, piece by piece, and return its id."""
    new = store.create(new_id())
    for piece in pieces:
        await new.append([piece])
    await new.commit()
    assert new.size == sum(map(len, pieces))
    new.release()
    return new.blob


def read_steps(*spans: tuple[int, int]) -> ReadSteps[list[bytes]]:
    """Read spans, each an offset and a length, of which there may be fewer bytes."""
    found = []
    for offset, length in spans:
        content = bytearray(length)
        count = yield ReadInto(memoryview(content), offset)
        found.append(bytes(content[:count]))
    return found


async def read(store: BlobStore, blob: str, *spans: tuple[int, int]) -> list[bytes]:
    """Open a blob and read spans of it."""
    (opened,) = await store.open([blob])
    try:
        return await opened.read(read_steps(*spans))
    finally:
        opened.close()


async def listed(store: BlobStore, size: int = 100) -> set[str]:
    """Return the names of all that a store lists."""
    found: set[str] = set()
    async for batch in store.list_batches(size):
        assert len(batch) <= size
        found |= {stored.name for stored in batch}
    return found


@pytest.mark.parametrize("size", [0, 1, 100_000, 8 * MIB, 8 * MIB + 1, 20 * MIB])
def test_blob_comes_back(store: BlobStore, size: int) -> None:
    """What was written comes back: whole, in spans in any order, and not beyond its end."""

    async def check() -> None:
        data = DATA[:size]
        blob = await write(store, data[: size // 3], data[size // 3 :])
        whole = [(at, MIB) for at in range(0, size, MIB)]
        assert b"".join(await read(store, blob, *whole)) == data
        spans = [(size // 2, 100), (0, 10), (max(size - 5, 0), 100), (size, 10), (size + 5, 10), (size // 4, MIB)]
        assert await read(store, blob, *spans) == [data[at : at + length] for at, length in spans]
        (opened,) = await store.open([blob])
        assert opened.size == size
        opened.close()
        opened.close()
        assert await listed(store) == {blob}

    asyncio.run(check())


def test_blob_appears_whole(store: BlobStore) -> None:
    """Until the commit nobody can open it; an unfinished one is listed without an id, or not at all."""

    async def check() -> None:
        new = store.create(new_id())
        await new.append([DATA])
        with pytest.raises(BlobMissing):
            await store.open([new.blob])
        assert [stored async for batch in store.list_batches(9) for stored in batch if stored.blob] == []
        await new.commit([b"end"])
        assert await read(store, new.blob, (len(DATA) - 3, 10)) == [DATA[-3:] + b"end"]
        new.release()
        new.release()

    asyncio.run(check())


@pytest.mark.parametrize("size", [10, 20 * MIB])
def test_discarded_blob_leaves_nothing(store: BlobStore, size: int) -> None:
    """Discarding removes it, unfinished or whole, and may be repeated."""

    async def check() -> None:
        for commits in (False, True):
            new = store.create(new_id())
            await new.append([DATA[:size]])
            if commits:
                await new.commit()
            await new.discard()
            await new.discard()
            with pytest.raises(BlobMissing):
                await store.open([new.blob])
        assert await listed(store) == set()
        assert not await store.holds_any()

    asyncio.run(check())


def test_error_of_the_pieces_passes_through(store: BlobStore) -> None:
    """What the iterator raises is raised, and the blob can be discarded."""

    async def check() -> None:
        def pieces() -> Any:
            yield DATA[: 9 * MIB]
            raise ZeroDivisionError

        new = store.create(new_id())
        with pytest.raises(ZeroDivisionError):
            await new.append(pieces())
        await new.discard()
        assert await listed(store) == set()

    asyncio.run(check())


def test_only_ids_are_names(store: BlobStore) -> None:
    """Nothing but 64 hexadecimal digits names a blob."""

    async def check() -> None:
        for name in ("../../etc/passwd", "", "a" * 63, "A" * 64, f"{new_id()}/x", f"{new_id()}\n"):
            with pytest.raises(ValueError, match="blob id"):
                store.create(name)

    asyncio.run(check())


def test_open_is_all_or_none(store: BlobStore) -> None:
    """One missing blob among many is BlobMissing."""

    async def check() -> None:
        blobs = [await write(store, bytes([number])) for number in range(20)]
        opened = await store.open(blobs)
        assert [blob.size for blob in opened] == [1] * 20
        assert await opened[7].read(read_steps((0, 5))) == [b"\x07"]
        for each in opened:
            each.close()
        with pytest.raises(BlobMissing):
            await store.open([*blobs, new_id()])

    asyncio.run(check())


def test_removed_blob_stays_readable_where_it_is_open(store: BlobStore) -> None:
    """Whoever has a blob open reads it to its end; nobody lists it any longer, and then it is gone."""

    async def check() -> None:
        blob, other = await write(store, DATA), await write(store, b"other")
        (opened,) = await store.open([blob])
        assert await opened.read(read_steps((0, 10))) == [DATA[:10]]
        await store.remove([blob])
        assert await listed(store) == {other}
        hold = await store.hold_unused([StoredBlob(blob, blob), StoredBlob(other, other)])
        assert [stored.name for stored in hold.blobs] == [other]
        hold.release()
        assert await opened.read(read_steps((5 * MIB, MIB))) == [DATA[5 * MIB : 6 * MIB]]
        opened.close()
        for removal in await store.list_removals():
            assert removal.is_due
            await store.end_removal(removal, removal.blobs)
        with pytest.raises(BlobMissing):
            await store.open([blob])
        assert await read(store, other, (0, 9)) == [b"other"]
        await store.remove([blob, new_id()])  # never raises

    asyncio.run(check())


def test_list_comes_in_batches(store: BlobStore) -> None:
    """All blobs are listed, some at a time."""

    async def check() -> None:
        blobs = {await write(store, b"x") for _ in range(7)}
        await store.write_marker(Marker("here", 3))
        assert await listed(store, 2) == blobs

    asyncio.run(check())


def test_orphans(store: BlobStore) -> None:
    """Orphans are in groups, no longer listed; one that is opened is in its place again; the others can be deleted."""

    async def check() -> None:
        one, two, three, unfinished = [await write(store, b"x%d" % number) for number in range(3)] + [new_id()]
        left = store.create(unfinished)
        await left.append([DATA])
        left.release()
        names = await listed(store)
        assert names == {one, two, three, f"{unfinished}.part"}
        group = await store.orphans.begin_group(NOTE)
        found = [stored async for batch in store.list_batches(9) for stored in batch]
        assert {stored.id for stored in found} == {one, two, three, unfinished}
        hold = await store.hold_unused([stored for stored in found if stored.name != three])
        gone = StoredBlob("f" * 64, "f" * 64)
        await store.orphans.move(group, [*hold.blobs, gone])
        hold.release()
        assert await listed(store) == {three}
        (group,) = await store.orphans.groups()
        assert group.note == NOTE
        assert {orphan.name for orphan in group.orphans} == {one, two, f"{unfinished}.part"}
        assert await store.holds_any()

        assert await read(store, one, (0, 9)) == [b"x0"]
        await store.orphans.put_back(one)
        (group,) = await store.orphans.groups()
        assert {orphan.name for orphan in group.orphans} == {two, f"{unfinished}.part"}
        await store.orphans.remove_if_empty(group)
        assert len(await store.orphans.groups()) == 1
        await store.orphans.delete(group, group.orphans)
        (group,) = await store.orphans.groups()
        assert group.orphans == ()
        await store.orphans.remove_if_empty(group)
        assert await store.orphans.groups() == []
        assert await listed(store) == {one, three}
        with pytest.raises(BlobMissing):
            await store.open([two])

    asyncio.run(check())


def test_groups_do_not_mix(store: BlobStore) -> None:
    """Two groups of one moment have names of their own, and time served is counted beside them."""

    async def check() -> None:
        first, second = await store.orphans.begin_group(NOTE), await store.orphans.begin_group(NOTE)
        assert first.name != second.name
        assert await store.orphans.time_served() == 0
        assert await store.orphans.add_time_served(5) == 5
        assert await store.orphans.add_time_served(0.5) == 5.5
        assert len(await store.orphans.groups()) == 2

    asyncio.run(check())


def test_mark_and_room(store: BlobStore) -> None:
    """A new store has no mark; one that was written is read, and the next replaces it."""

    async def check() -> None:
        assert await store.read_marker() is None
        await store.write_marker(Marker("here", 3))
        await store.write_marker(Marker("here", 4))
        assert await store.read_marker() == Marker("here", 4)
        assert await store.has_room(1)
        assert not await store.holds_any()

    asyncio.run(check())


def test_bucket_that_is_missing(other_fuin: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that is not there is a failure, and no empty store."""
    use_credentials(monkeypatch, other_fuin.root)

    async def check() -> None:
        blobs = S3Blobs(parse_address("s3://there-is-none"), endpoint=other_fuin.url)
        works: list[Callable[[], Awaitable[Any]]] = [
            blobs.read_marker, blobs.holds_any, lambda: blobs.has_room(1), lambda: blobs.open([new_id()]),
            lambda: blobs.write_marker(Marker("x", 1)), lambda: write(blobs, b"x"), lambda: write(blobs, DATA),
        ]  # fmt: skip
        for work in works:
            with pytest.raises(StoreUnavailable):
                await work()

    asyncio.run(check())
