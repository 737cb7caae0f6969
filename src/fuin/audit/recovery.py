"""What is good in the last segment after a crash: everything up to its last signed checkpoint.

An answer leaves only after the checkpoint of its record is durable, so what stands behind the last checkpoint was never
acknowledged. It is cut off; but only one flush can be torn. When more than one checkpoint with a valid signature stands
behind the place where the chain breaks, acknowledged records would go with it, and the keyholder must not start.
"""

import mmap
from dataclasses import dataclass

from fuin.audit.chain import START, Check, Position, advance, check_checkpoint, signed_after, use_of
from fuin.audit.segments import Segment, entries, read
from fuin.errors import FormatError, FuinError, TamperedError
from fuin.formats import record


class AuditDamaged(FuinError):
    """The log is not what a crash leaves behind; a person must look at it (`fuin audit verify`)."""


@dataclass(frozen=True, slots=True)
class Good:
    """The good part of a segment: its length in bytes, the position after it, and the bytes behind it."""

    length: int
    position: Position
    torn: bytes


def recover(found: list[Segment], check: Check) -> Good:
    """Return the good part of the last segment; `check` takes a message and its signature. Raises AuditDamaged."""
    last = found[-1]
    data = read(last.path)
    try:
        first, previous = record.parse_segment_header(data[: record.SEGMENT_HEADER_LENGTH])
    except FormatError:
        raise AuditDamaged(f"{last.path.name} is no audit segment") from None
    start = Position(first - 1, previous)
    if first != last.first:
        raise AuditDamaged(f"{last.path.name} starts with record {first}")
    good = _good_part(data, start, check)
    if good.position == start:  # nothing signed in it yet: its header must follow from the segment before
        before = recover(found[:-1], check) if len(found) > 1 else Good(0, START, b"")
        if before.torn or before.position != start:
            raise AuditDamaged(f"{last.path.name} does not follow from the segment before it")
    if signed_after(good.position.sequence, good.torn, check) > 1:
        raise AuditDamaged(f"{last.path.name} is damaged after record {good.position.sequence}, before its end")
    return good


def _good_part(data: bytes | mmap.mmap, start: Position, check: Check) -> Good:
    length, good, signed = record.SEGMENT_HEADER_LENGTH, start, None
    position = start
    for entry in entries(data):
        try:
            following = advance(position, entry.data, entry.hash)
        except TamperedError:
            break
        if use_of(entry.data) == record.CHECKPOINT:
            length, good, signed = entry.end, following, (position, entry.data)
        position = following
    if signed is not None:
        try:
            check_checkpoint(*signed, check)
        except TamperedError as error:
            raise AuditDamaged(f"the last checkpoint (record {good.sequence}) does not hold: {error}") from None
    return Good(length, good, data[length:])
