"""Whoever can write the stored blobs or the rows changes no content unnoticed: nothing false is ever answered."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import Connection, text

from fuin.snapshots.pack import SLOT
from tests.ebs.images import BLOCK, Ebs, block
from tests.support.place import Place, error_of

HEAD = 32  # bytes of a pack before its first slot


def blobs(place: Place, snapshot: str, kind: str) -> list[Path]:
    """Return the files of the blobs that a snapshot has written."""

    def read(conn: Connection) -> list[str]:
        wanted = {"snapshot": snapshot, "kind": kind}
        query = text("SELECT blob FROM snapshot_blobs WHERE snapshot_id = :snapshot AND kind = :kind")
        return list(conn.execute(query, wanted).scalars())

    names = place.run(place.services.store.read(read))
    return [next((place.settings.data / "blobs").rglob(name)) for name in names]


def exchange(one: Path, other: Path) -> None:
    """Give each of two files the other's bytes."""
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def fails(call: Callable[..., object], *arguments: object) -> bool:
    """Return whether a call is refused as one about a damaged snapshot."""
    with pytest.raises(ClientError) as refused:
        call(*arguments)
    return error_of(refused.value)[:2] == (500, "InternalServerException")


def spoil(path: Path, offset: int) -> bytes:
    """Change one bit of a file, and return what it was."""
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[offset] ^= 1
    path.write_bytes(changed)
    return whole


def test_spoilt_and_cut_pack(ebs: Ebs, place: Place) -> None:
    """One bit anywhere in a block's slot, or a byte less, and the block is not given."""
    snapshot = ebs.write({3: block(1)})
    (pack,) = blobs(place, snapshot, "blocks")
    token = ebs.tokens(snapshot)[3]
    for offset in (HEAD, HEAD + 7, HEAD + 8, HEAD + 25, HEAD + 20 + BLOCK, HEAD + SLOT - 1):
        whole = spoil(pack, offset)
        assert fails(ebs.get, snapshot, 3, token), offset
        pack.write_bytes(whole)
    pack.write_bytes(whole[:-1])
    assert fails(ebs.get, snapshot, 3, token)
    pack.unlink()
    assert fails(ebs.get, snapshot, 3, token)
    pack.write_bytes(whole)
    assert ebs.get(snapshot, 3, token) == block(1)


def test_exchanged_packs(ebs: Ebs, place: Place) -> None:
    """The pack of another snapshot, or an older one of the same block, does not open in its place."""
    snapshot, other = ebs.start(), ebs.start()
    ebs.put(snapshot, 0, block(1))
    ebs.put(other, 0, block(2))
    (old,) = blobs(place, snapshot, "blocks")
    ebs.put(snapshot, 0, block(3))
    (new,) = set(blobs(place, snapshot, "blocks")) - {old}
    (foreign,) = blobs(place, other, "blocks")
    earlier = old.read_bytes()
    ebs.complete(snapshot, 1)
    ebs.complete(other, 1)
    token = ebs.tokens(snapshot)[0]
    exchange(new, foreign)
    assert fails(ebs.get, snapshot, 0, token)
    exchange(new, foreign)
    assert ebs.get(snapshot, 0, token) == block(3)
    new.write_bytes(earlier)
    assert fails(ebs.get, snapshot, 0, token)


def test_exchanged_blocks_of_a_pack(ebs: Ebs, place: Place) -> None:
    """Blocks that come at the same time share a pack; two of them in each other's places do not open."""
    snapshot = ebs.start()
    blocks = {index: block(index) for index in range(24)}
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda index: ebs.put(snapshot, index, blocks[index]), blocks))
    ebs.complete(snapshot, 24)
    assert ebs.read(snapshot) == blocks
    packs = blobs(place, snapshot, "blocks")
    assert len(packs) < 24, "no two blocks came into one pack"
    pack = max(packs, key=lambda path: path.stat().st_size)
    whole = pack.read_bytes()
    first, second = whole[HEAD : HEAD + SLOT], whole[HEAD + SLOT : HEAD + 2 * SLOT]
    numbers = [int.from_bytes(slot[:8]) for slot in (first, second)]
    pack.write_bytes(whole[:HEAD] + second + first + whole[HEAD + 2 * SLOT :])
    tokens = ebs.tokens(snapshot)
    assert all(fails(ebs.get, snapshot, number, tokens[number]) for number in numbers)
    swapped = second[:8] + first[8:], first[:8] + second[8:]  # with the number that is looked for
    pack.write_bytes(whole[:HEAD] + swapped[1] + swapped[0] + whole[HEAD + 2 * SLOT :])
    assert all(fails(ebs.get, snapshot, number, tokens[number]) for number in numbers)


def test_spoilt_cut_and_exchanged_index(ebs: Ebs, place: Place) -> None:
    """An index is whole and this snapshot's, or nothing is listed."""
    snapshot = ebs.write({0: block(1)})
    child = ebs.write({1: block(2)}, ParentSnapshotId=snapshot)
    (index,), (other,) = blobs(place, snapshot, "index"), blobs(place, child, "index")
    size = index.stat().st_size
    for offset in (0, 8, 15, 16, 60, size - 1):
        whole = spoil(index, offset)
        assert fails(ebs.tokens, snapshot), offset
        index.write_bytes(whole)
    index.write_bytes(whole[:-1])
    assert fails(ebs.tokens, snapshot)
    index.write_bytes(whole)
    exchange(index, other)
    assert fails(ebs.tokens, snapshot)
    assert fails(ebs.tokens, child)
    exchange(index, other)
    assert list(ebs.tokens(child)) == [0, 1]


def test_exchanged_rows(ebs: Ebs, place: Place) -> None:
    """The rows of pending blocks hold encrypted checksums, each bound to its place: exchanged, nothing completes."""
    snapshot = ebs.start()
    ebs.put(snapshot, 0, block(1))
    ebs.put(snapshot, 1, block(2))
    for column in ("checksum", "blob"):
        exchange_column(place, snapshot, column)
        assert fails(ebs.complete, snapshot, 2)
        exchange_column(place, snapshot, column)
    ebs.complete(snapshot, 2)
    assert ebs.read(snapshot) == {0: block(1), 1: block(2)}


def exchange_column(place: Place, snapshot: str, column: str) -> None:
    """Give the rows of blocks 0 and 1 each other's value."""

    def change(conn: Connection) -> None:
        read = text(f"SELECT {column} FROM snapshot_blocks WHERE snapshot_id = :s ORDER BY block_index")
        values = list(conn.execute(read, {"s": snapshot}).scalars())
        write = text(f"UPDATE snapshot_blocks SET {column} = :v WHERE snapshot_id = :s AND block_index = :i")
        for number, value in enumerate(reversed(values)):
            conn.execute(write, {"v": value, "s": snapshot, "i": number})

    place.run(place.services.store.write(change))
