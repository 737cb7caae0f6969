"""Sending a snapshot: the blocks of a disk that held still, of which only the changed ones travel."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple

from fuin.host.snapshots.device import BlockReader, written_blocks
from fuin.host.wire.clients import BLOCK
from fuin.host.wire.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from fuin.host.wire.clients import HostBlocks

_PARALLEL = 4
_DIGEST = 32
ZERO = hashlib.sha256(bytes(BLOCK)).digest()
_ZEROS = bytes(BLOCK)
_ABSENT = bytes(_DIGEST)  # in the file of checksums: a block of zeros


class Source(NamedTuple):
    """The disk to read: its open device, the disk below it, and where the data begin there."""

    device: Path
    disk: Path
    data_offset: int


class Parent(NamedTuple):
    """What is known of the snapshot before: the checksums of its blocks, or only which ones it has."""

    checksums: bytes = b""
    indexes: frozenset[int] | None = frozenset()

    def has_same(self, index: int, checksum: bytes) -> bool:
        """Return whether the block is known to be in the snapshot before as it is now."""
        before = self.checksums[index * _DIGEST : (index + 1) * _DIGEST]
        if self.checksums:
            return before == checksum or (before in (b"", _ABSENT) and checksum == ZERO)
        return checksum == ZERO and self.indexes is not None and index not in self.indexes


class Sent(NamedTuple):
    """How many blocks were read from the disk, and how many of them were sent."""

    read: int
    sent: int


def find_parent(blocks: HostBlocks, parent_id: str, checksums: Path | None) -> Parent:
    """Return what this host knows of a snapshot's parent: its own file, else the list that the server shows."""
    if checksums is None:
        return Parent()
    try:
        return Parent(checksums.read_bytes())
    except FileNotFoundError:
        pass
    try:
        return Parent(indexes=frozenset(index for index, _ in blocks.list_blocks(parent_id)))
    except Refusal:
        return Parent(indexes=None)


def send_snapshot(blocks: HostBlocks, snapshot_id: str, source: Source, parent: Parent, checksums: Path) -> Sent:
    """Send what has changed since the parent, complete the snapshot, and keep the checksums for the next one."""
    changed = hashlib.sha256()
    all_sums = bytearray()
    read = sent = 0
    with BlockReader(source.device) as reader, _Sender(blocks, snapshot_id) as sender:
        for index, block in enumerate(_read_blocks(reader, source)):
            read += block.is_read
            all_sums += _ABSENT if block.checksum == ZERO else block.checksum
            if not parent.has_same(index, block.checksum):
                sender.put(index, block.data, block.checksum)
                changed.update(block.checksum)
                sent += 1
    blocks.complete(snapshot_id, sent, changed.digest())
    _save(checksums, bytes(all_sums))
    return Sent(read, sent)


class _Block(NamedTuple):
    data: bytes
    checksum: bytes
    is_read: bool


def _read_blocks(reader: BlockReader, source: Source) -> Iterator[_Block]:
    """Yield all blocks in their order, while some that follow are read and hashed already."""
    present = written_blocks(source.disk, source.data_offset, reader.count)
    following = next(present, -1)
    ahead: deque[Future[_Block] | None] = deque()
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for index in range(reader.count):
            if len(ahead) == 2 * _PARALLEL:
                yield _wait_for(ahead.popleft())
            if index == following:
                ahead.append(pool.submit(_read_block, reader, index))
                following = next(present, -1)
            else:
                ahead.append(None)
        while ahead:
            yield _wait_for(ahead.popleft())


def _read_block(reader: BlockReader, index: int) -> _Block:
    data = reader.read(index)
    return _Block(data, ZERO if data == _ZEROS else hashlib.sha256(data).digest(), is_read=True)


def _wait_for(future: Future[_Block] | None) -> _Block:
    return _Block(_ZEROS, ZERO, is_read=False) if future is None else future.result()


def _save(file: Path, content: bytes) -> None:
    temporary = file.with_suffix(".new")
    with temporary.open("wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    temporary.replace(file)


class _Sender:
    """Some blocks on their way at once; leaving waits for all, and raises the first error."""

    def __init__(self, blocks: HostBlocks, snapshot_id: str) -> None:
        self._blocks = blocks
        self._snapshot_id = snapshot_id
        self._pool = ThreadPoolExecutor(_PARALLEL)
        self._under_way: set[Future[None]] = set()

    def __enter__(self) -> _Sender:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, where: object) -> None:
        self._pool.shutdown(cancel_futures=kind is not None)
        for future in self._under_way if kind is None else ():
            future.result()

    def put(self, index: int, data: bytes, checksum: bytes) -> None:
        """Send a block, when fewer than twice the number of threads wait."""
        if len(self._under_way) >= 2 * _PARALLEL:
            ended, self._under_way = wait(self._under_way, return_when=FIRST_COMPLETED)
            for future in ended:
                future.result()
        self._under_way.add(self._pool.submit(self._blocks.put_block, self._snapshot_id, index, data, checksum))
