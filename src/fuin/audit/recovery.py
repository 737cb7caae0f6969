"""The good part of the last segment after a crash: everything up to its last signed checkpoint.

An answer leaves only after the checkpoint of its record is durable, so records after the last checkpoint were never
acknowledged. They are cut off; but a crash can tear one flush only. If more than one checkpoint with a valid signature
follows the place where the chain breaks, acknowledged records would be lost, and the keyholder must not start.

The bytes that are read here may be in the kernel's cache only, so they do not count until they are written anew
(`log.py`).
"""

from dataclasses import dataclass

from fuin.audit.chain import START, ChainPosition, Check, advance, check_checkpoint, count_signed_checkpoints, use_of
from fuin.audit.segments import LogSegment, entries, read_whole
from fuin.errors import FormatError, FuinError, TamperedError
from fuin.formats import record


class AuditDamaged(FuinError):
    """The log is damaged more than a crash can explain; a person must look at it (`fuin audit verify`)."""


@dataclass(frozen=True, slots=True)
class GoodPart:
    """The good part of a segment, the position after it, and the bytes after it."""

    data: bytes
    position: ChainPosition
    torn: bytes


def recover(found: list[LogSegment], check: Check) -> GoodPart:
    """Return the good part of the last segment; `check` takes a message and its signature. Raises AuditDamaged."""
    last = found[-1]
    data = read_whole(last.path)
    try:
        first, previous = record.parse_segment_header(data[: record.SEGMENT_HEADER_LENGTH])
    except FormatError:
        raise AuditDamaged(f"{last.path.name} is no audit segment") from None
    start = ChainPosition(first - 1, previous)
    if first != last.first:
        raise AuditDamaged(f"{last.path.name} starts with record {first}")
    good = _good_part(data, start, check)
    if good.position == start:  # nothing signed in it yet: its header must follow from the segment before
        before = recover(found[:-1], check) if len(found) > 1 else GoodPart(b"", START, b"")
        if before.torn or before.position != start:
            raise AuditDamaged(f"{last.path.name} does not follow from the segment before it")
    if count_signed_checkpoints(good.position.sequence, good.torn, check) > 1:
        raise AuditDamaged(f"{last.path.name} is damaged after record {good.position.sequence}, before its end")
    return good


def check_whole(data: bytes, end: ChainPosition) -> None:
    """Raise AuditDamaged unless a segment's bytes are a whole chain that ends exactly at a position."""
    try:
        first, previous = record.parse_segment_header(data[: record.SEGMENT_HEADER_LENGTH])
        position, length = ChainPosition(first - 1, previous), record.SEGMENT_HEADER_LENGTH
        for entry in entries(data):
            position, length = advance(position, entry.data, entry.hash), entry.end
    except (FormatError, TamperedError) as error:
        raise AuditDamaged(f"records that were written cannot be read back: {error}") from None
    if position != end or length != len(data):
        raise AuditDamaged(f"records that were written cannot be read back: it ends after record {position.sequence}")


def _good_part(data: bytes, start: ChainPosition, check: Check) -> GoodPart:
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
    return GoodPart(data[:length], good, data[length:])
