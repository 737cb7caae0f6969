"""Filling a new disk from a snapshot: its blocks, and zeros where it has none."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from fuin.host.programs import HostError
from fuin.host.wire.clients import BLOCK

if TYPE_CHECKING:
    from pathlib import Path

    from fuin.host.wire.clients import HostBlocks

_PARALLEL = 4
_BATCH = 1024
_ZEROS = bytes(BLOCK)


def fill(blocks: HostBlocks, snapshot_id: str, device: Path) -> int:
    """Write a snapshot to a device, which must be at least as large, and return how many blocks it had.

    A new disk holds noise, and a block that the snapshot does not have is zeros: these are written as well. What an
    interruption has left is written again from the beginning.
    """
    file = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
    try:
        size = os.lseek(file, 0, os.SEEK_END)
        count = -(-size // BLOCK)
        found = dict(blocks.list_blocks(snapshot_id))
        if found and max(found) >= count:
            raise HostError(f"{snapshot_id} does not fit on the disk")

        def copy(index: int) -> None:
            token = found.get(index)
            data = blocks.get_block(snapshot_id, index, token) if token is not None else _ZEROS
            data = data[: size - index * BLOCK]
            if os.pwrite(file, data, index * BLOCK) != len(data):
                raise HostError(f"{device} took only a part of block {index}")

        with ThreadPoolExecutor(_PARALLEL) as pool:
            for first in range(0, count, _BATCH):  # the pool takes all that a call has, at once
                list(pool.map(copy, range(first, min(count, first + _BATCH))))
        os.fsync(file)
    finally:
        os.close(file)
    return len(found)
