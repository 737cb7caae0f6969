"""PutSnapshotBlock, GetSnapshotBlock and CompleteSnapshot."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from fuin.clock import CLOCK
from fuin.ebs import answers, faults, rights
from fuin.ebs.call import parse_number
from fuin.ebs.faults import invalid
from fuin.envelope import snapshot_key
from fuin.envelope.snapshot_key import SnapshotKey
from fuin.snapshots import completion, reading, tokens, writing
from fuin.snapshots.completion import Claim, ClaimRefused
from fuin.snapshots.pack import BLOCK
from fuin.snapshots.tokens import InvalidTokenError
from fuin.snapshots.writing import Target
from fuin.store.errors import NotFound
from fuin.store.volumes.snapshots import COMPLETED, ERROR, PENDING, WrongSnapshotState

if TYPE_CHECKING:
    from fuin.ebs.call import EbsCall
    from fuin.gate.http import Answer
    from fuin.store.volumes.snapshots import Snapshot

BLOCKS_OF_GIB = 2**30 // BLOCK
_CHANGED_AT_MOST = 2**31 - 1


async def put_snapshot_block(call: EbsCall) -> Answer:
    """Put a block into a pending snapshot, in place of an earlier one with its index."""
    number = call.block
    checksum, progress = _check_body(call), _requested_progress(call)
    found = await call.consult(rights.find_snapshot, call.snapshot_id)
    snapshot = found.snapshot
    check_pending(snapshot)
    if number >= snapshot.size * BLOCKS_OF_GIB:
        raise invalid("INVALID_BLOCK", f"The snapshot has {snapshot.size * BLOCKS_OF_GIB} blocks.")
    call.facts["block"] = number
    data_key = await rights.open_key(call, found)
    try:
        await writing.put_block(
            Target(call.services, snapshot, data_key, call.write, call.now), number, call.body, checksum, progress
        )
    except NotFound:
        raise faults.no_snapshot(snapshot.snapshot_id) from None
    except WrongSnapshotState as error:
        raise _wrong_state(snapshot, error.state) from None
    return answers.stored_block(checksum)


def _check_body(call: EbsCall) -> bytes:
    """Return the checksum of the body; raises ValidationException unless body and headers agree."""
    if call.header(b"x-amz-checksum-algorithm") != "SHA256":
        raise invalid("INVALID_PARAMETER_VALUE", "ChecksumAlgorithm must be SHA256.")
    parse_number(call.header(b"x-amz-data-length"), "DataLength", BLOCK, BLOCK)
    if len(call.body) != BLOCK:
        raise invalid("INVALID_BLOCK", f"A block has {BLOCK} bytes, and {len(call.body)} have come.")
    try:
        claimed = base64.b64decode(call.header(b"x-amz-checksum") or "", validate=True)
    except (binascii.Error, ValueError):
        claimed = b""
    if claimed != call.digest:
        raise invalid("INVALID_BLOCK", "The checksum is not that of the block's data.")
    return call.digest


def _requested_progress(call: EbsCall) -> int | None:
    text = call.header(b"x-amz-progress")
    return None if text is None else parse_number(text, "Progress", 0, 100)


def check_pending(snapshot: Snapshot) -> None:
    """Raise ValidationException unless blocks may still be put into a snapshot."""
    if snapshot.state != PENDING:
        raise _wrong_state(snapshot, snapshot.state)
    if CLOCK.certain_time() > snapshot.is_overdue_at:
        raise _wrong_state(snapshot, ERROR)


def _wrong_state(snapshot: Snapshot, state: str) -> faults.EbsFault:
    if state == ERROR and snapshot.timeout_minutes:
        text = f"The snapshot '{snapshot.snapshot_id}' was not completed in time."
        return invalid("WRITE_REQUEST_TIMEOUT", text)
    return invalid("INVALID_SNAPSHOT_ID", f"The snapshot '{snapshot.snapshot_id}' is in the state {state}.")


async def complete_snapshot(call: EbsCall) -> Answer:
    """Complete a snapshot, if number and checksum of the blocks that were put are the caller's."""
    changed = parse_number(call.header(b"x-amz-changedblockscount"), "ChangedBlocksCount", 0, _CHANGED_AT_MOST)
    checksum = _requested_checksum(call)
    found = await call.consult(rights.find_snapshot, call.snapshot_id)
    snapshot = found.snapshot
    call.facts["changedBlocks"] = changed
    if snapshot.state == COMPLETED and snapshot.timeout_minutes:  # a client tries again that has lost its answer
        return answers.document(202, {"Status": COMPLETED})
    check_pending(snapshot)
    data_key = await rights.open_key(call, found)
    await call.announce("change")
    try:
        target = Target(call.services, snapshot, data_key, call.write, call.now)
        call.removed += await completion.complete(target, Claim(changed, checksum))
    except ClaimRefused as error:
        raise invalid("INVALID_PARAMETER_VALUE", f"The snapshot cannot be completed: {error}.") from None
    except NotFound:
        raise faults.no_snapshot(snapshot.snapshot_id) from None
    except WrongSnapshotState as error:
        raise _wrong_state(snapshot, error.state) from None
    # AWS completes it later, and says so; clients wait for the state that DescribeSnapshots shows.
    return answers.document(202, {"Status": PENDING})


def _requested_checksum(call: EbsCall) -> str | None:
    checksum = call.header(b"x-amz-checksum")
    algorithm = call.header(b"x-amz-checksum-algorithm")
    method = call.header(b"x-amz-checksum-aggregation-method")
    if checksum is None:
        return None
    if algorithm not in (None, "SHA256") or method not in (None, "LINEAR"):
        raise invalid("INVALID_PARAMETER_VALUE", "The checksum must be SHA256, aggregated by LINEAR.")
    return checksum


async def get_snapshot_block(call: EbsCall) -> Answer:
    """Return a block of a completed snapshot, for the token that a listing has given."""
    number = call.block
    token = call.query.get("blockToken")
    if token is None:
        raise invalid("INVALID_BLOCK_TOKEN", "The request must have the parameter blockToken.")
    found = await call.consult(rights.find_snapshot, call.snapshot_id)
    check_completed(found.snapshot)
    call.facts["block"] = number
    data_key = await rights.open_key(call, found)
    name = found.snapshot.snapshot_id
    key = SnapshotKey(data_key, snapshot_key.TOKENS, name)
    try:
        entry = tokens.open_block_token(key, name, call.account, number, token, call.now)
    except InvalidTokenError as error:
        raise invalid("INVALID_BLOCK_TOKEN", f"BlockToken: {error}.") from None
    block = await reading.read_block(call.services, data_key, entry)
    return answers.block_data(entry.checksum, block)


def check_completed(snapshot: Snapshot) -> None:
    """Raise ValidationException unless a snapshot can be read."""
    if snapshot.state != COMPLETED:
        text = f"The snapshot '{snapshot.snapshot_id}' is in the state {snapshot.state}, not completed."
        raise invalid("INVALID_SNAPSHOT_ID", text)
