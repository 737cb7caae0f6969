"""The hash chain, without I/O: which record may come next, and which records a checkpoint signs."""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from fuin.errors import FormatError, TamperedError
from fuin.formats import record

Check = Callable[[bytes, bytes], None]  # (message, signature); raises TamperedError

_SEQUENCE = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class ChainPosition:
    """A place in the chain: the number of the last record and its hash; the number is 0 before the first."""

    sequence: int
    head: bytes


START = ChainPosition(0, record.ZERO)


def sequence_of(data: bytes) -> int:
    """Return the number in a record's bytes, without reading the rest."""
    return int(_SEQUENCE.unpack_from(data, 1)[0])


def use_of(data: bytes) -> int:
    """Return the use in a record's bytes, without reading the rest."""
    return data[17]


def advance(position: ChainPosition, data: bytes, chain_hash: bytes) -> ChainPosition:
    """Return the position after a record; raises TamperedError unless it is the record that comes next."""
    if sequence_of(data) != position.sequence + 1:
        raise TamperedError(f"record {sequence_of(data)} stands where {position.sequence + 1} should")
    if record.link(position.head, data) != chain_hash:
        raise TamperedError(f"record {position.sequence + 1} does not follow from the one before it")
    return ChainPosition(position.sequence + 1, chain_hash)


def check_checkpoint(before: ChainPosition, data: bytes, check: Check) -> None:
    """Raise TamperedError unless a checkpoint record signs the chain up to `before`."""
    try:
        checkpoint = record.parse_checkpoint(record.parse(data).draft)
    except FormatError:
        raise TamperedError(f"the checkpoint after record {before.sequence} is malformed") from None
    if (checkpoint.sequence, checkpoint.head) != (before.sequence, before.head):
        raise TamperedError(f"the checkpoint after record {before.sequence} speaks of another place")
    check(record.signed_bytes(checkpoint.sequence, checkpoint.head), checkpoint.signature)


def count_signed_checkpoints(sequence: int, data: bytes, check: Check) -> int:
    """Count the checkpoints of records after `sequence` in a damaged tail that the keyholder really signed."""
    later = set()
    for checkpoint in record.checkpoints_in(data):
        if checkpoint.sequence > sequence:
            try:
                check(record.signed_bytes(checkpoint.sequence, checkpoint.head), checkpoint.signature)
            except TamperedError:
                continue
            later.add(checkpoint.sequence)
    return len(later)
