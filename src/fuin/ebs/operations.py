"""The operations of the EBS direct APIs: AWS has six, and all are built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.ebs import blocks, listing, starting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from fuin.ebs.call import EbsCall
    from fuin.gate.http import Answer

OPERATIONS: Mapping[str, Callable[[EbsCall], Awaitable[Answer]]] = {
    "CompleteSnapshot": blocks.complete_snapshot,
    "GetSnapshotBlock": blocks.get_snapshot_block,
    "ListChangedBlocks": listing.list_changed_blocks,
    "ListSnapshotBlocks": listing.list_snapshot_blocks,
    "PutSnapshotBlock": blocks.put_snapshot_block,
    "StartSnapshot": starting.start_snapshot,
}
