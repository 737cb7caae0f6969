"""Facts about the database that only the log proves: that a server existed, and its last commit.

Every change that was acknowledged has a record with the serial of its commit, so a database whose serial is lower than
the highest in the log has lost something. Records are trusted unverified, also after the last checkpoint: a change is
committed to the database before its record is written. `verify` is for doubt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin.audit.chain import sequence_of, use_of
from fuin.audit.segments import entries, read, segments
from fuin.errors import FormatError
from fuin.formats import record

if TYPE_CHECKING:
    from pathlib import Path

FIRST_ACCOUNT = "fuin:CreateAccount"  # the note of a first start; a start that was interrupted leaves it again
_MEMBER = b'"commit":'

# Requests are recorded after their commit, but not in the order of their commits. So many more records are read than
# requests can be under way at once.
ENOUGH = 20_000


class _Draft(msgspec.Struct):
    operation: str = ""
    commit: int = 0


_decode = msgspec.json.Decoder(_Draft).decode


def highest_commit(folder: Path) -> int:
    """Return the highest serial of a commit in the log's newer part, 0 when no record has one.

    It reads whole segments, newest first, until it has seen ENOUGH commits: two for nearly every log.
    """
    highest = seen = 0
    for segment in reversed(segments(folder)):
        for raw in entries(read(segment.path)):
            if _MEMBER in raw.data:
                commit = _draft(raw.data).commit
                highest = max(highest, commit)
                seen += commit > 0
        if seen >= ENOUGH:
            break
    return highest


def has_history(folder: Path) -> bool:
    """Return whether the log holds more than the notes of a first start that was interrupted."""
    found = segments(folder)
    if found and found[0].first != 1:
        return True
    for segment in found:
        for raw in entries(read(segment.path)):
            use = use_of(raw.data)
            if use in {record.OPENED, record.RECOVERED, record.CHECKPOINT}:
                continue
            draft = _draft(raw.data)
            if use != record.NOTE or draft.operation != FIRST_ACCOUNT or draft.commit:
                return True
    return False


def chain_hash_at(folder: Path, sequence: int) -> bytes | None:
    """Return the chain hash of the record of a number, or None if the log does not hold it."""
    older = [segment for segment in segments(folder) if segment.first <= sequence]
    if not older:
        return None
    for raw in entries(read(older[-1].path)):
        if sequence_of(raw.data) == sequence:
            return raw.hash
    return None


def _draft(data: bytes) -> _Draft:
    try:
        return _decode(record.parse(data).draft)
    except (FormatError, msgspec.DecodeError):
        return _Draft()  # the keyholder does not look into drafts, so a draft may hold anything
