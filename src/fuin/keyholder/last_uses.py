"""The last successful cryptographic use of every key, exact and at once. AWS: GetKeyLastUsage.

It follows the log: what counts is a durable record of one of the operations that AWS tracks, done and no dry run. A
snapshot stands beside the log, written when a segment is finished and at an orderly end; a start reads it and the
records after it, or, when there is none that fits the log, all records. Page: docs/formats/last-uses.md.

Key ids are random, so a single-Region key's id is its name everywhere; the keys of a multi-Region set share one, and
each has uses of its own, so there the Region belongs to the name. What was purged stays here as it stays in the log:
FORGET names a key id that a replica in another Region may still have.
"""

import contextlib
import hmac
import json
from collections.abc import Sequence
from pathlib import Path

from fuin.audit import segments
from fuin.audit.chain import Position, sequence_of, use_of
from fuin.audit.log import Log, Use
from fuin.audit.segments import Segment
from fuin.errors import FormatError
from fuin.formats import last_uses, record
from fuin.formats.last_uses import Snapshot, Used
from fuin.keyholder.sealed import sealing
from fuin.keyholder.sealed.memory import wipe
from fuin.keyholder.sealed.root_key import RootKey

SNAPSHOT = "last-uses"

_REQUEST = b'{"request":"'
_REGION = b',"region":"'
_HEAD = 128  # bytes kept of a draft: request ids have 36 characters
_REGION_AT_MOST = 64
_TRACKED = frozenset(record.TRACKED_OPERATIONS)
_OUTCOME_AT = 18  # in a record's bytes


class LastUses:
    """The last use of every key; `begun` is the time of the log's first record, in nanoseconds since 1970."""

    def __init__(self, root: RootKey, folder: Path) -> None:
        """Use `LastUses.open`."""
        self._key = bytearray(32)
        sealing.derive_into(root.key, sealing.LABEL_LAST_USES, b"", self._key)
        self._path = folder / SNAPSHOT
        self._last: dict[str, Used] = {}  # with the beginnings of drafts; `_read` finds the request ids in them
        self.begun = 0

    @classmethod
    def open(cls, root: RootKey, folder: Path, log: Log) -> "LastUses":
        """Return what the log of `folder` says, and follow it from here on."""
        uses = cls(root, folder)
        found = segments.segments(folder)
        if not uses._catch_up(found, log.position.sequence) and len(found) > 1:
            uses.finished(log.position)  # reading all of a long log is for once
        log.follower = uses
        return uses

    def of(self, key_id: str, region: str) -> Used | None:
        """Return the last use of a key, or None if it was never used since `begun`."""
        found = self._last.get(_index(key_id, region))
        return None if found is None else _read(found)

    def appended(self, now: int, done: Sequence[Use]) -> None:
        """Take note of uses whose records have become durable; `now` is their time.

        The newest come first: under load most uses of a turn are of few keys, and only one of each is looked into.
        """
        seen: set[str] = set()
        for use, outcome, key_id, _, draft in reversed(done):
            if outcome or key_id in seen or use not in _TRACKED:
                continue
            if draft.rfind(b'"dryRun"') >= 0 and _is_dry_run(draft):
                continue
            name = key_id
            if key_id.startswith("mrk-"):
                name = _index(key_id, _region(draft))
                if name in seen:
                    continue
            seen.add(name)
            self._last[name] = (now, use, draft[:_HEAD])

    def finished(self, position: Position) -> None:
        """Write the snapshot of all records up to `position`; one that cannot be written only costs time later."""
        last = {name: _read(used) for name, used in self._last.items()}
        data = last_uses.encode(Snapshot(position.sequence, position.head, self.begun, last))
        with contextlib.suppress(OSError):
            segments.write_durably(self._path, data + self._code(data))

    def wipe(self) -> None:
        """Overwrite the key that snapshots are authenticated with."""
        wipe(self._key)

    def _code(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, "sha256")

    def _catch_up(self, found: list[Segment], last: int) -> bool:
        """Read the snapshot and the records after it, or all up to the `last`; tells whether there was a snapshot."""
        snapshot = self._snapshot(found)
        if snapshot is not None:
            self._last = {name: _kept(used) for name, used in snapshot.last.items()}
            self.begun = snapshot.begun
        after = 0 if snapshot is None else snapshot.sequence
        for number, segment in enumerate(found):
            if number + 1 == len(found) or found[number + 1].first > after + 1:
                with contextlib.suppress(OSError, FormatError):  # a damaged old segment is the verifier's matter
                    self._replay(segment, after, last)
        return snapshot is not None

    def _snapshot(self, found: list[Segment]) -> Snapshot | None:
        """Return the snapshot if it is genuine and of this log; a restored log may be older, or differ."""
        try:
            data = self._path.read_bytes()
            if not hmac.compare_digest(self._code(data[:-32]), data[-32:]):
                return None
            snapshot = last_uses.parse(data[:-32])
            return snapshot if _head(found, snapshot.sequence) == snapshot.head else None
        except (OSError, FormatError):
            return None

    def _replay(self, segment: Segment, after: int, last: int) -> None:
        """Note the uses of a segment's records above `after` and up to `last`; raises OSError or FormatError.

        What stands behind the log's last record is a torn tail, which a disk that fails has not let go yet.
        """
        for entry in segments.entries(segments.read_whole(segment.path)):
            data = entry.data
            if sequence_of(data) <= after:
                continue
            if sequence_of(data) > last:
                return
            if not self.begun:
                self.begun = record.parse(data).time
            if use_of(data) in _TRACKED and data[_OUTCOME_AT] == record.DONE:
                one = record.parse(data)
                self.appended(one.time, (Use(one.use, one.outcome, one.key_id, one.material_id, one.draft),))


def _index(key_id: str, region: str) -> str:
    return f"{key_id}/{region}" if key_id.startswith("mrk-") else key_id


def _read(used: Used) -> Used:
    """Return a use with its request id: the draft's first member, as the gate writes it; empty if there is none."""
    time, use, head = used
    if not head.startswith(_REQUEST):
        return time, use, b""
    end = head.find(b'"', len(_REQUEST))
    return time, use, head[len(_REQUEST) : end] if end > 0 else b""


def _kept(used: Used) -> Used:
    """Return a use as it is kept in memory; the opposite of `_read`."""
    time, use, request = used
    return time, use, _REQUEST + request + b'"'


def _region(draft: bytes) -> str:
    """Return the Region of a draft, which the gate writes before any member with texts of the caller's as names.

    Inside of a text a quotation mark has a backslash before it, so no text can pass for the member.
    """
    at = draft.find(_REGION) + len(_REGION)
    end = draft.find(b'"', at, at + _REGION_AT_MOST)
    return draft[at:end].decode(errors="replace") if at >= len(_REGION) and end > 0 else ""


def _is_dry_run(draft: bytes) -> bool:
    try:
        members = json.loads(draft)
    except (ValueError, RecursionError):
        return False
    return isinstance(members, dict) and members.get("dryRun") is True


def _head(found: list[Segment], sequence: int) -> bytes | None:
    """Return the chain hash of record number `sequence`, or None when the log does not have it."""
    before = [segment for segment in found if segment.first <= sequence + 1]
    if not before:
        return None
    data = segments.read_whole(before[-1].path)
    first, previous = record.parse_segment_header(data[: record.SEGMENT_HEADER_LENGTH])
    if first == sequence + 1:
        return previous
    return next((entry.hash for entry in segments.entries(data) if sequence_of(entry.data) == sequence), None)
