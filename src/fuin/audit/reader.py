"""Reading the audit log for people and tools: all entries in order, the newest ones, or one request's.

Nothing is verified here, and a record may be seen a moment before it is durable; `verify` is for certainty.
"""

import json
import mmap
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fuin.audit import segments
from fuin.audit.chain import use_of
from fuin.audit.segments import SegmentSource
from fuin.errors import FormatError
from fuin.formats import notes, record


@dataclass(frozen=True, slots=True)
class Entry:
    """One record: `time` is seconds since 1970, `material_id` 64 hex digits or empty, `draft` the caller's JSON.

    `use` and `outcome` are the texts of `formats/record.py`; a successful use has the outcome ok. `node` is the name of
    the node among many whose log holds the record; numbers belong to one log.
    """

    sequence: int
    time: float
    use: str
    outcome: str
    key_id: str
    material_id: str
    draft: dict[str, Any]
    node: str = ""

    @property
    def decisions(self) -> list[dict[str, Any]]:
        """Return the decisions in this record."""
        return list(notes.held_part(self.draft.get("decisions") or ()))


def resources_of(decision: Mapping[str, Any]) -> list[Any]:
    """Return all resources that a decision is about; a name that was too long is a note (`formats/notes.py`)."""
    return list(decision.get("resources") or [decision["resource"]])


def entries(log: Path | SegmentSource, after: int = 0, *, checkpoints: bool = False) -> Iterator[Entry]:
    """Yield the records with a number above `after`, oldest first; checkpoints only when asked for.

    To follow a growing log, call it again with the number of the last entry seen. Raises FormatError when a record
    cannot be read.
    """
    source = segments.source_of(log)
    found = source.segments()
    for number, segment in enumerate(found):
        if number + 1 < len(found) and found[number + 1].first <= after + 1:
            continue
        for raw in segments.entries(source.read(segment)):
            if checkpoints or use_of(raw.data) != record.CHECKPOINT:
                entry = _entry(raw.data)
                if entry.sequence > after:
                    yield entry


def last(log: Path | SegmentSource, count: int) -> list[Entry]:
    """Return the newest `count` records, oldest of them first, without checkpoints."""
    newest: list[bytes] = []
    source = segments.source_of(log)
    for segment in reversed(source.segments()):
        if len(newest) >= count:
            break
        raws = segments.entries(source.read(segment))
        kept = deque((raw.data for raw in raws if use_of(raw.data) != record.CHECKPOINT), count - len(newest))
        newest = [*kept, *newest]
    return [_entry(data) for data in newest]


def find(log: Path | SegmentSource, request_id: str) -> list[Entry]:
    """Return the records of one request, oldest first; empty if it has no record.

    It searches the bytes first and parses only the hits. The records of one request are close together, so the search
    goes from the newest segment to the oldest and ends at the first one without a hit after one with a hit.
    """
    text = b'"request":' + json.dumps(request_id).encode()
    hits: list[Entry] = []
    source = segments.source_of(log)
    for segment in reversed(source.segments()):
        found = _find_in(source.read(segment), text, request_id)
        if hits and not found:
            break
        hits = found + hits
    return hits


def _find_in(data: bytes | mmap.mmap, text: bytes, request_id: str) -> list[Entry]:
    hits: list[Entry] = []
    at = data.find(text)
    position = record.SEGMENT_HEADER_LENGTH
    while at >= 0:
        start = segments.entry_start(data, at, position)
        raw = None if start is None else next(segments.entries(data, start), None)
        if raw is None:
            break
        entry = _entry(raw.data)
        if entry.draft.get("request") == request_id:
            hits.append(entry)
        position = raw.end
        at = data.find(text, position)
    return hits


def _entry(data: bytes) -> Entry:
    parsed = record.parse(data)
    use = record.USES.get(parsed.use, f"use-{parsed.use}")
    outcome = record.OUTCOMES.get(parsed.outcome, f"outcome-{parsed.outcome}")
    return Entry(
        parsed.sequence, parsed.time / 1e9, use, outcome, parsed.key_id, parsed.material_id.hex(), _draft(parsed)
    )  # fmt: skip


def _draft(parsed: record.Record) -> dict[str, Any]:
    """Return the draft as an object; the keyholder does not check drafts, so they may be anything."""
    if parsed.use == record.CHECKPOINT:
        try:
            checkpoint = record.parse_checkpoint(parsed.draft)
        except FormatError:
            return {"unreadable": parsed.draft.hex()}
        return {"sequence": checkpoint.sequence, "head": checkpoint.head.hex(), "signature": checkpoint.signature.hex()}
    try:
        value = json.loads(parsed.draft)
    except (ValueError, RecursionError):
        return {"unreadable": parsed.draft.hex()}
    return value if isinstance(value, dict) else {"unreadable": parsed.draft.hex()}
