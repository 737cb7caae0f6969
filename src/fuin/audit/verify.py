"""Verifying the whole audit log: every record in its place, every segment there, every last checkpoint signed.

The chain hash covers everything before it, so one good signature vouches for all earlier records. Only the last
checkpoint of each segment is checked, so a log of gigabytes can be verified, and the report still says in which segment
a forgery begins. The log may grow meanwhile: records after the last complete checkpoint do not count yet.
"""

import mmap
from dataclasses import dataclass, field
from pathlib import Path

from fuin.audit import segments
from fuin.audit.chain import (
    START,
    ChainPosition,
    Check,
    check_checkpoint,
    count_signed_checkpoints,
    sequence_of,
    use_of,
)
from fuin.audit.segments import LogSegment, SegmentSource
from fuin.errors import FormatError, TamperedError
from fuin.formats import record

_PROBLEM_LIMIT = 100


class LogTampered(TamperedError):
    """The log is not as the keyholder wrote it; `problems` are its faults, in the order of the log."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Report:
    """The result: `sequence` and `head` of the last signed record, to be noted outside this machine.

    `records` counts them all, `checkpoints` those that sign; `unsigned` is the number of bytes after the last
    checkpoint, which a running keyholder is about to sign or a crash has left.
    """

    segments: int
    records: int
    checkpoints: int
    sequence: int
    head: bytes
    unsigned: int


@dataclass(slots=True)
class _Verification:
    check: Check
    expected: tuple[int, bytes] | None
    position: ChainPosition = START  # the last record read
    signed: ChainPosition = START  # the last checkpoint
    last: tuple[ChainPosition, bytes] | None = (
        None  # of the segment: the position before its last checkpoint, its bytes
    )
    checkpoints: int = 0
    unsigned: int = 0
    is_expected_seen: bool = False  # the expected record was seen
    problems: list[str] = field(default_factory=list)

    def problem(self, *texts: str) -> None:
        """Add problems; more than a hundred say nothing new."""
        self.problems += texts[: max(0, _PROBLEM_LIMIT - len(self.problems))]


def verify(log: Path | SegmentSource, check_signature: Check, expected_head: tuple[int, bytes] | None = None) -> Report:
    """Verify a log, in a folder or copied; raises LogTampered with all problems.

    `check_signature` takes a message and a signature and raises TamperedError (`keyholder.offline.audit_checker`).
    `expected_head` is the number and chain hash of a record noted earlier: only such a note can show
    that the end of the log was cut off.
    """
    state = _Verification(check_signature, expected_head)
    source = segments.source_of(log)
    found = source.segments()
    if not found:
        state.problem("there are no segments")
    for number, segment in enumerate(found):
        _verify_segment(state, segment, source.read(segment), final=number + 1 == len(found))
    _check_expected(state)
    if state.problems:
        raise LogTampered(tuple(state.problems))
    return Report(
        len(found), state.signed.sequence, state.checkpoints, state.signed.sequence, state.signed.head, state.unsigned
    )  # fmt: skip


def _verify_segment(state: _Verification, segment: LogSegment, data: bytes | mmap.mmap, *, final: bool) -> None:
    name = segment.path.name
    try:
        first, previous = record.parse_segment_header(data[: record.SEGMENT_HEADER_LENGTH])
    except FormatError:
        state.problem(f"{name} is no audit segment")
        return
    if segment.first != first:
        state.problem(f"{name} starts with record {first}")
    if first != state.position.sequence + 1:
        state.problem(f"{name}: a segment is missing, records {state.position.sequence + 1} to {first - 1}")
    elif previous != state.position.head:
        state.problem(f"{name} does not follow from the segment before it")
    state.position = ChainPosition(first - 1, previous)
    state.last = None
    _verify_entries(state, data, name, final=final)
    if state.last is not None:
        try:
            check_checkpoint(*state.last, state.check)
        except TamperedError as error:
            state.problem(f"{name}: the last checkpoint: {error}")


def _verify_entries(state: _Verification, data: bytes | mmap.mmap, name: str, *, final: bool) -> None:
    signed_end = record.SEGMENT_HEADER_LENGTH
    pending: list[str] = []  # what is wrong behind the last checkpoint: a crash may leave it, recovery cuts it off
    for entry in segments.entries(data):
        following = ChainPosition(sequence_of(entry.data), entry.hash)
        if following.sequence != state.position.sequence + 1:
            pending.append(f"{name}: record {following.sequence} stands where {state.position.sequence + 1} should")
        elif record.link(state.position.head, entry.data) != entry.hash:
            pending.append(f"{name}: record {following.sequence} was changed, or what stood before it")
        _compare_expected(state, following, name)
        if use_of(entry.data) == record.CHECKPOINT:
            state.last = (state.position, entry.data)
            state.signed, signed_end = following, entry.end
            state.checkpoints += 1
            state.problem(*pending)
            pending.clear()
        state.position = following
    state.unsigned = len(data) - signed_end
    if state.unsigned and not final:
        state.problem(f"{name} ends with {state.unsigned} bytes that no checkpoint signs")
    elif state.unsigned and count_signed_checkpoints(state.signed.sequence, data[signed_end:], state.check):
        state.problem(
            f"{name} is damaged after record {state.signed.sequence}: signed records behind it are unreadable"
        )


def _compare_expected(state: _Verification, position: ChainPosition, name: str) -> None:
    if state.expected is not None and position.sequence == state.expected[0]:
        state.is_expected_seen = True
        if position.head != state.expected[1]:
            state.problem(f"{name}: record {position.sequence} is not the one that was noted")


def _check_expected(state: _Verification) -> None:
    if state.expected is None:
        return
    sequence = state.expected[0]
    if sequence > state.signed.sequence or not state.is_expected_seen:
        state.problem(f"the log was cut off: it ends with record {state.signed.sequence}, {sequence} was noted")
