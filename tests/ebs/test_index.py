"""The index of a snapshot by itself: its leaves, its order, and what its parts are bound to."""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.blobs.interface import ReadSteps, run_steps
from fuin.envelope.snapshot_key import INDEX, SnapshotKey
from fuin.errors import TamperedError
from fuin.snapshots import index
from fuin.snapshots.index import LEAF, Entry, NewIndex, Pack, Place

T = TypeVar("T")
KEY = SnapshotKey(bytes(64), INDEX, "snap-1")
HERE = Place(KEY, "snap-1", "aa" * 32)


def entry(block: int, pack: int = 0, content: int = 0) -> Entry:
    """Return an entry of a block in one of some packs."""
    return Entry(block, Pack(f"{pack:064x}", "snap-1"), block % 16, hashlib.sha256(bytes([content])).digest())


def write(entries: Sequence[Entry], place: Place = HERE) -> bytes:
    """Return the bytes of an index."""
    return b"".join(NewIndex(entries).pieces(place))


def read(content: bytes, steps: ReadSteps[T]) -> T:
    """Return what reading steps give for the bytes of a blob."""

    def fill(view: memoryview, offset: int) -> int:
        piece = content[offset : offset + len(view)]
        view[: len(piece)] = piece
        return len(piece)

    return run_steps(steps, fill)


def test_pages_of_many_leaves() -> None:
    """Every page from any block on is the one that a plain list gives, across the borders of leaves."""
    entries = [entry(2 * number, number // 16) for number in range(2 * LEAF + 5)]
    content = write(entries)
    assert read(content, index.read_all(HERE)) == entries
    for start in (0, 1, 2 * LEAF - 2, 2 * LEAF - 1, 2 * LEAF, 4 * LEAF + 7, 4 * LEAF + 8, 4 * LEAF + 9, 10**6):
        expected = [one for one in entries if one.block >= start][:100]
        assert read(content, index.read_from(HERE, start, 100)) == expected, start
    assert NewIndex(entries).uses[entries[0].pack] == 16


@pytest.mark.parametrize(
    "place",
    [Place(KEY, "snap-1", "ab" * 32), Place(KEY, "snap-2", "aa" * 32),
     Place(SnapshotKey(bytes(64), INDEX, "snap-2"), "snap-1", "aa" * 32)],
)  # fmt: skip
def test_index_is_bound_to_its_place(place: Place) -> None:
    """It opens neither in another blob nor as another snapshot's; nor does a leaf in another leaf's place."""
    content = write([entry(number) for number in range(LEAF + 3)])
    with pytest.raises(TamperedError):
        read(content, index.read_head(place))
    head = read(content, index.read_head(HERE))
    with pytest.raises(TamperedError):
        read(content, index.read_leaf(place, head, 0))


_CONTENTS = st.dictionaries(st.integers(0, 40), st.integers(0, 3), max_size=20)


@given(_CONTENTS, _CONTENTS)
def test_merge_and_changes(parent: dict[int, int], written: dict[int, int]) -> None:
    """A child has the parent's blocks but for those that were written; what differs in content is what has changed."""
    old = [entry(block, 1, parent[block]) for block in sorted(parent)]
    new = [entry(block, 2, written[block]) for block in sorted(written)]
    child = list(index.merge(old, new))
    assert {one.block: one.checksum for one in child} == {one.block: one.checksum for one in (*old, *new)}
    assert [one.block for one in child] == sorted({*parent, *written})
    changed = {block for block, content in written.items() if parent.get(block) != content}
    found = {(second or first).block for first, second in index.changes(old, child)}  # type: ignore[union-attr]
    assert found == changed
