"""The last successful cryptographic use of every key, exact and at once. AWS: GetKeyLastUsage.

It follows the log. A use counts if its record is durable, its operation is one that AWS tracks, and it was done and
not a dry run. A snapshot beside the log is written when a segment ends and at an orderly end of the process. A start
reads the snapshot and the records after it, or all records if no snapshot fits. Page: docs/formats/last-uses.md.

Key ids are random, so the id of a single-Region key is its name everywhere. The keys of a multi-Region set share one
id, but each has uses of its own, so their name has the Region too. Purged keys stay here as they stay in the log,
because a replica in another Region may still have the key id that FORGET names.
"""

import contextlib
import hmac
import json
from collections.abc import Sequence
from pathlib import Path

from fuin.audit import segments
from fuin.audit.chain import ChainPosition, sequence_of, use_of
from fuin.audit.log import Log, RecordedUse
from fuin.audit.segments import LogSegment
from fuin.errors import FormatError
from fuin.formats import last_uses, record
from fuin.formats.last_uses import Snapshot, UseEntry
from fuin.keyholder.sealed import sealing
from fuin.keyholder.sealed.memory import wipe
from fuin.keyholder.sealed.root_key import RootKey

SNAPSHOT = "last-uses"

_REQUEST = b'{"request":"'
_REGION = b',"region":"'
_HEAD = 128  # bytes kept of a draft: request ids have 36 characters
_REGION_LIMIT = 64
_TRACKED = frozenset(record.TRACKED_OPERATIONS)
_OUTCOME_AT = 18  # in a record's bytes


class LastUses:
    """The last use of every key; `begun` is the time of the log's first record, in nanoseconds since 1970."""

    def __init__(self, root: RootKey, folder: Path) -> None:
        """Use `LastUses.open`."""
        self._key = bytearray(32)
        sealing.derive_into(root.key, sealing.LABEL_LAST_USES, b"", self._key)
        self._path = folder / SNAPSHOT
        self._last: dict[str, UseEntry] = {}  # with the beginnings of drafts, which hold the request ids
        self.tracking_start = 0

    @classmethod
    def open(cls, root: RootKey, folder: Path, log: Log) -> "LastUses":
        """Return the last uses in the log of `folder`, and follow the log from now on."""
        uses = cls(root, folder)
        found = segments.segments(folder)
        if not uses._catch_up(found, log.position.sequence) and len(found) > 1:
            uses.end_segment(log.position)  # all of a long log is read only once
        log.follower = uses
        return uses

    def last_use(self, key_id: str, region: str) -> UseEntry | None:
        """Return the last use of a key, or None if it was never used since `begun`."""
        found = self._last.get(_use_name(key_id, region))
        return None if found is None else _with_request_id(found)

    def add_uses(self, now: int, done: Sequence[RecordedUse]) -> None:
        """Add uses whose records are now durable; `now` is their time.

        The newest come first: under load most uses of a turn are of few keys, and only one of each is parsed.
        """
        seen: set[str] = set()
        for use, outcome, key_id, _, draft in reversed(done):
            if outcome or key_id in seen or use not in _TRACKED:
                continue
            if draft.rfind(b'"dryRun"') >= 0 and _is_dry_run(draft):
                continue
            name = key_id
            if key_id.startswith("mrk-"):
                name = _use_name(key_id, _region(draft))
                if name in seen:
                    continue
            seen.add(name)
            self._last[name] = (now, use, draft[:_HEAD])

    def end_segment(self, position: ChainPosition) -> None:
        """Write the snapshot of all records up to `position`; a failure only costs time at the next start."""
        last = {name: _with_request_id(used) for name, used in self._last.items()}
        data = last_uses.encode(Snapshot(position.sequence, position.head, self.tracking_start, last))
        with contextlib.suppress(OSError):
            segments.write_durably(self._path, data + self._authentication_code(data))

    def wipe(self) -> None:
        """Overwrite the key that snapshots are authenticated with."""
        wipe(self._key)

    def _authentication_code(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, "sha256")

    def _catch_up(self, found: list[LogSegment], last: int) -> bool:
        """Read the snapshot and the records after it, up to the `last`; returns whether there was a snapshot."""
        snapshot = self._read_snapshot(found)
        if snapshot is not None:
            self._last = {name: _with_draft_beginning(used) for name, used in snapshot.last.items()}
            self.tracking_start = snapshot.tracking_start
        after = 0 if snapshot is None else snapshot.sequence
        for number, segment in enumerate(found):
            if number + 1 == len(found) or found[number + 1].first > after + 1:
                with contextlib.suppress(OSError, FormatError):  # `verify` reports a damaged old segment
                    self._replay(segment, after, last)
        return snapshot is not None

    def _read_snapshot(self, found: list[LogSegment]) -> Snapshot | None:
        """Return the snapshot if it is genuine and belongs to this log; a restored log may be older, or differ."""
        try:
            data = self._path.read_bytes()
            if not hmac.compare_digest(self._authentication_code(data[:-32]), data[-32:]):
                return None
            snapshot = last_uses.parse(data[:-32])
            return snapshot if _chain_hash_at(found, snapshot.sequence) == snapshot.head else None
        except (OSError, FormatError):
            return None

    def _replay(self, segment: LogSegment, after: int, last: int) -> None:
        """Add the uses of a segment's records above `after` and up to `last`; raises OSError or FormatError.

        Anything behind the log's last record is a torn tail that could not be cut off yet because the disk fails.
        """
        for entry in segments.entries(segments.read_whole(segment.path)):
            data = entry.data
            if sequence_of(data) <= after:
                continue
            if sequence_of(data) > last:
                return
            if not self.tracking_start:
                self.tracking_start = record.parse(data).time
            if use_of(data) in _TRACKED and data[_OUTCOME_AT] == record.DONE:
                one = record.parse(data)
                self.add_uses(one.time, (RecordedUse(one.use, one.outcome, one.key_id, one.material_id, one.draft),))


def _use_name(key_id: str, region: str) -> str:
    return f"{key_id}/{region}" if key_id.startswith("mrk-") else key_id


def _with_request_id(used: UseEntry) -> UseEntry:
    """Return a use with its request id, which the gate writes as the draft's first member; empty if it is missing."""
    time, use, head = used
    if not head.startswith(_REQUEST):
        return time, use, b""
    end = head.find(b'"', len(_REQUEST))
    return time, use, head[len(_REQUEST) : end] if end > 0 else b""


def _with_draft_beginning(used: UseEntry) -> UseEntry:
    """Return a use as memory keeps it, with the beginning of a draft; the opposite of `_with_request_id`."""
    time, use, request = used
    return time, use, _REQUEST + request + b'"'


def _region(draft: bytes) -> str:
    """Return the Region of a draft; the gate writes it before any member whose names the caller chooses.

    A quotation mark inside a text has a backslash before it, so no text can be mistaken for the member.
    """
    at = draft.find(_REGION) + len(_REGION)
    end = draft.find(b'"', at, at + _REGION_LIMIT)
    return draft[at:end].decode(errors="replace") if at >= len(_REGION) and end > 0 else ""


def _is_dry_run(draft: bytes) -> bool:
    try:
        members = json.loads(draft)
    except (ValueError, RecursionError):
        return False
    return isinstance(members, dict) and members.get("dryRun") is True


def _chain_hash_at(found: list[LogSegment], sequence: int) -> bytes | None:
    """Return the chain hash of record number `sequence`, or None if the log does not have it."""
    before = [segment for segment in found if segment.first <= sequence + 1]
    if not before:
        return None
    data = segments.read_whole(before[-1].path)
    first, previous = record.parse_segment_header(data[: record.SEGMENT_HEADER_LENGTH])
    if first == sequence + 1:
        return previous
    return next((entry.hash for entry in segments.entries(data) if sequence_of(entry.data) == sequence), None)
