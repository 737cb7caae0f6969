"""ListSnapshotBlocks and ListChangedBlocks: pages of blocks, each with a token for reading it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fuin.ebs import answers, rights
from fuin.ebs.blocks import check_completed
from fuin.ebs.faults import invalid
from fuin.envelope import snapshot_key
from fuin.envelope.snapshot_key import SnapshotKey
from fuin.snapshots import reading, tokens
from fuin.snapshots.pack import BLOCK
from fuin.snapshots.reading import OpenSnapshot
from fuin.snapshots.tokens import InvalidTokenError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuin.ebs.call import EbsCall
    from fuin.gate.http import Answer
    from fuin.snapshots.index import Entry
    from fuin.store.volumes.snapshots import Snapshot

_LEAST, _MOST = 100, 10_000  # blocks of a page
_LAST = 2**31 - 1  # the highest index


async def list_snapshot_blocks(call: EbsCall) -> Answer:
    """Return a page of the blocks that a snapshot has."""
    limit = call.parameter("maxResults", "MaxResults", _LEAST, _MOST, _MOST)
    opened = await _open(call, call.snapshot_id)
    listing = _Listing(call, opened, f"blocks {call.snapshot_id}")
    entries = await reading.read_page(call.services, opened, listing.start(), limit + 1)
    shown, rest = entries[:limit], entries[limit:]
    blocks = await call.services.store.run_beside(listing.blocks, shown)
    next_token = listing.next_token(rest[0].block) if rest else None
    call.facts["blocks"] = len(shown)
    return listing.answer("Blocks", blocks, next_token)


async def list_changed_blocks(call: EbsCall) -> Answer:
    """Return a page of the blocks that differ between two snapshots of one lineage."""
    limit = call.parameter("maxResults", "MaxResults", _LEAST, _MOST, _MOST)
    second = await _open(call, call.snapshot_id)
    first_id = call.query.get("firstSnapshotId")
    first = None if first_id is None else await _open(call, first_id)
    if first is not None:
        _check_related(first.snapshot, second.snapshot)
    listing = _Listing(call, second, f"changes {first_id or ''} {call.snapshot_id}")
    page = await reading.read_changes(call.services, first, second, listing.start(), limit)
    changed = await call.services.store.run_beside(listing.changed_blocks, first, page.changes)
    next_token = None if page.next_block is None else listing.next_token(page.next_block)
    call.facts["blocks"] = len(changed)
    return listing.answer("ChangedBlocks", changed, next_token)


async def _open(call: EbsCall, snapshot_id: str) -> OpenSnapshot:
    found = await call.consult(rights.find_snapshot, snapshot_id)
    check_completed(found.snapshot)
    return OpenSnapshot(found.snapshot, await rights.open_key(call, found))


def _check_related(first: Snapshot, second: Snapshot) -> None:
    """Refuse snapshots that are not of one volume: the id in the context of their data keys names it."""
    if first.context_id != second.context_id:
        raise invalid("UNRELATED_SNAPSHOTS", "The snapshots are not of one volume.")


class _Listing:
    """A listing, with the tokens that it gives out."""

    def __init__(self, call: EbsCall, opened: OpenSnapshot, name: str) -> None:
        self._call, self._snapshot, self._name = call, opened.snapshot, name
        self._key = SnapshotKey(opened.data_key, snapshot_key.TOKENS, opened.snapshot.snapshot_id)
        self._ends = call.now + tokens.LIFETIME

    def start(self) -> int:
        """Return the block with which the page begins."""
        token = self._call.query.get("pageToken")
        if token is None:
            return self._call.parameter("startingBlockIndex", "StartingBlockIndex", 0, _LAST, 0)
        try:
            return tokens.open_page_token(self._key, self._name, self._call.account, token, self._call.now)
        except InvalidTokenError as error:
            raise invalid("INVALID_PAGE_TOKEN", f"NextToken: {error}.") from None

    def next_token(self, block: int) -> str:
        """Return the token of the page that begins with a block."""
        return tokens.page_token(self._key, self._name, self._call.account, block, self._ends)

    def blocks(self, entries: Sequence[Entry]) -> list[dict[str, Any]]:
        """Return blocks as the answer has them."""
        token = partial(tokens.block_token, self._key, self._snapshot.snapshot_id, self._call.account)
        return [{"BlockIndex": entry.block, "BlockToken": token(entry, self._ends)} for entry in entries]

    def changed_blocks(
        self, first: OpenSnapshot | None, changes: Sequence[tuple[Entry | None, Entry | None]]
    ) -> list[dict[str, Any]]:
        """Return changed blocks as the answer has them; a token of the first snapshot is for reading from that one."""
        account = self._call.account
        second = partial(tokens.block_token, self._key, self._snapshot.snapshot_id, account)
        before = second
        if first is not None:
            key = SnapshotKey(first.data_key, snapshot_key.TOKENS, first.snapshot.snapshot_id)
            before = partial(tokens.block_token, key, first.snapshot.snapshot_id, account)
        found = []
        for old, new in changes:
            members: dict[str, Any] = {"BlockIndex": (new or old).block}  # type: ignore[union-attr]
            if old is not None:
                members["FirstBlockToken"] = before(old, self._ends)
            if new is not None:
                members["SecondBlockToken"] = second(new, self._ends)
            found.append(members)
        return found

    def answer(self, name: str, blocks: list[dict[str, Any]], next_token: str | None) -> Answer:
        """Return the answer with a page."""
        return answers.document(200, {
            name: blocks, "ExpiryTime": self._ends, "VolumeSize": self._snapshot.size, "BlockSize": BLOCK,
            "NextToken": next_token,
        })  # fmt: skip
