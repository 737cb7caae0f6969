"""The durable audit log: one write and one fdatasync for all records of a turn, under one signed checkpoint.

The keyholder is its only writer. Page: docs/formats/audit-record.md; for a failing disk see docs/decisions/0008.

The log trusts only its own memory: the number and hash of the last record whose fdatasync succeeded. When a disk
fails, the segment is in doubt: nothing is appended to it until its good part, checked against that hash, has been
written to a new and durable file of the same name. A start begins in doubt, since the process before may have ended so.
"""

import errno
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn, Protocol

from fuin import crash
from fuin.audit import folder as log_folder
from fuin.audit.chain import START, ChainPosition, Check
from fuin.audit.recent import RecentBytes
from fuin.audit.recovery import AuditDamaged, check_whole, recover
from fuin.audit.segments import read_whole, segment_path, segments, sync_folder, write_all, write_durably
from fuin.formats import record

SEGMENT_LIMIT = 64 * 1024 * 1024  # bytes; longer only if a single turn, or the notes that begin one, are longer
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # the disk has no room; its bytes are not in doubt
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0  # seconds between two tries on a disk that fails


class RecordedUse(NamedTuple):
    """One use to be recorded; the log adds sequence and time."""

    use: int
    outcome: int
    key_id: str
    material_id: bytes
    draft: bytes


class StillFailing(OSError):
    """The last failure again: the log waits before it tries a failing disk once more."""


class Follower(Protocol):
    """A reader that follows the log in memory."""

    def add_uses(self, now: int, done: Sequence[RecordedUse]) -> None:
        """Add uses whose records are now durable; `now` is their time in nanoseconds since 1970."""

    def end_segment(self, position: ChainPosition) -> None:
        """End a segment whose last record is at `position`."""


class Log:
    """The open log; `position` is the last durable record, and `follower` gets each later one.

    It is `refusing` while the disk does not take records. It recovers by itself in an `append` or a `try_again`.
    There is one keyholder and one log on a server. Several nodes would have a log each: numbers and chain belong to one
    log, and only the commits' serials would be common to all logs.
    """

    def __init__(self, folder: Path, lock: int, sign: Callable[[bytes], bytes]) -> None:
        """Use `Log.open`."""
        self._folder = folder
        self._lock = lock
        self._sign = sign
        self._path = folder  # of the open segment
        self._file = -1
        self._length = 0  # of the good part of the open segment
        self._recent = RecentBytes()
        self._is_in_doubt = True
        self._unwanted_segment: Path | None = None  # a segment that must not come after the open one
        self._pending_notes: list[RecordedUse] = []  # about the log itself; the next write begins with them
        self._refused_count = 0  # records refused since the last one that was written
        self._pause = _FIRST_PAUSE
        self._next_try = 0.0  # on the monotonic clock
        self._failure = (errno.EIO, os.strerror(errno.EIO))  # the last one
        self.position = START
        self.segment_limit = SEGMENT_LIMIT
        self.follower: Follower | None = None
        self.refusing = False

    @classmethod
    def open(cls, folder: Path, public_key: bytes, sign: Callable[[bytes], bytes], check: Check) -> "Log":
        """Open or begin the log, and write its last segment anew, without a torn tail, with the record that says so.

        If the disk does not take that, the log is open and refuses. Raises AuditDamaged if the log belongs to another
        root key, or is damaged more than a crash can explain; LogInUse; and OSError if it cannot be read or begun.
        """
        log = cls(folder, log_folder.lock(folder), sign)
        try:
            log._begin(public_key, check)
        except BaseException:
            log.close()
            raise
        log.try_again()
        return log

    def append(self, uses: Sequence[RecordedUse]) -> None:
        """Append records and their checkpoint, durably; there must be at least one.

        Raises OSError if the disk does not take them: then nothing is recorded, and no answer may leave.
        """
        try:
            now = self._append(uses)
        except OSError as error:
            self._refuse(len(uses), error)
        if self.follower is not None:
            self.follower.add_uses(now, uses)

    def try_again(self) -> bool:
        """Write the notes that say that the log continues, if it is time to; returns whether the log takes records."""
        if self._is_in_doubt or self.refusing:
            try:
                self._make_certain()
                if self.refusing:
                    self._write_next(())
            except OSError as error:
                self._postpone(error)
        return not self.refusing

    def retry_delay(self) -> float | None:
        """Return the seconds to wait before `try_again`; None while the log takes records."""
        return max(0.0, self._next_try - time.monotonic()) if self.refusing else None

    def failure(self) -> str | None:
        """Return why the disk does not take records; None while it does."""
        return self._failure[1] if self.refusing else None

    def close(self) -> None:
        """Close the file and release the lock."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    # Appending

    def _append(self, uses: Sequence[RecordedUse]) -> int:
        if self._is_in_doubt or self._unwanted_segment is not None:
            self._make_certain()
        return self._write_next(uses)

    def _write_next(self, uses: Sequence[RecordedUse]) -> int:
        """Write a batch after the last one; returns its time."""
        now = time.time_ns()
        batch, position = self._chain((*self._notes_to_write(), *uses) if self.refusing else uses, now)
        if self._length + len(batch) > self.segment_limit and self._length > record.SEGMENT_HEADER_LENGTH:
            self._rotate()
        self._write(batch)
        self._recent.add(batch)
        self.position = position
        self._length += len(batch)
        if self.refusing:
            self._resume()
        return now

    def _chain(self, uses: Sequence[RecordedUse], now: int) -> tuple[bytes, ChainPosition]:
        sequence, head = self.position.sequence, self.position.head
        parts: list[bytes] = []
        for use, outcome, key_id, material_id, draft in uses:
            sequence += 1
            entry = record.chain_entry(head, sequence, now, use, outcome, key_id, material_id, draft)
            head = entry[2]
            parts += entry
        signature = self._sign(record.signed_bytes(sequence, head))
        signed = record.encode_checkpoint(record.Checkpoint(sequence, head, signature))
        last = record.chain_entry(head, sequence + 1, now, record.CHECKPOINT, record.DONE, "", b"", signed)
        return b"".join((*parts, *last)), ChainPosition(sequence + 1, last[2])

    def _write(self, batch: bytes) -> None:
        crash.point("audit.before_write")
        try:
            write_all(self._file, batch)
        except OSError as error:
            if error.errno not in _FULL or not self._cut_back():
                self._mark_in_doubt(batch)
            raise
        crash.point("audit.after_write")
        try:
            os.fdatasync(self._file)
        except OSError:
            self._mark_in_doubt(batch)
            raise
        crash.point("audit.after_sync")

    def _cut_back(self) -> bool:
        """Cut off the part of a batch that a full disk took; returns whether that worked."""
        try:
            os.ftruncate(self._file, self._length)
        except OSError:
            return False
        return True

    def _rotate(self) -> None:
        first = self.position.sequence + 1
        path = segment_path(self._folder, first)
        header = record.encode_segment_header(first, self.position.head)
        try:
            write_durably(path, header)
            self._open(path, len(header))
        except OSError:
            self._unwanted_segment = path  # the log goes on in the old segment, so the new one must go
            raise
        self._recent.begin(header)
        if self.follower is not None:
            self.follower.end_segment(self.position)

    def _open(self, path: Path, length: int) -> None:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        if self._file >= 0:
            os.close(self._file)
        self._path, self._file, self._length = path, file, length

    # A disk that fails

    def _refuse(self, records: int, error: OSError) -> NoReturn:
        self._refused_count += records
        self._postpone(error)
        raise error

    def _postpone(self, error: OSError) -> None:
        """Remember a failure and when to try again: later each time, since a try may write a whole segment."""
        if isinstance(error, StillFailing):
            return
        self.refusing = True
        self._failure = (error.errno or errno.EIO, error.strerror or str(error))
        self._next_try = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _resume(self) -> None:
        self.refusing = False
        self._refused_count = 0
        self._pause = _FIRST_PAUSE
        self._pending_notes.clear()

    def _mark_in_doubt(self, batch: bytes) -> None:
        """Mark the segment: any part of a batch, which was never acknowledged, may be on the disk.

        After a failed fsync the kernel treats the pages as clean (fsync(2), ERRORS): they can be read but may never be
        written, and a second fsync proves nothing. So the file is no longer used.
        """
        self._is_in_doubt = True
        self._pending_notes.append(_recovery_note(batch))

    def _make_certain(self) -> None:
        """Bring the folder into a state that is known to be on the disk; raises OSError."""
        if self._unwanted_segment is not None:
            self._unwanted_segment.unlink(missing_ok=True)
            sync_folder(self._folder)
            self._unwanted_segment = None
        if self._is_in_doubt:
            if time.monotonic() < self._next_try:
                raise StillFailing(*self._failure)
            self._write_anew()

    def _write_anew(self) -> None:
        """Replace the open segment by a new file: its good part, and the notes that say what happened."""
        good = self._good_part()
        batch, position = self._chain(self._notes_to_write(), time.time_ns())
        crash.point("audit.before_anew")
        write_durably(self._path, good, batch)
        crash.point("audit.after_anew")
        self._open(self._path, len(good) + len(batch))
        self._recent.begin(good)
        self._recent.add(batch)
        self.position = position
        self._is_in_doubt = False
        self._resume()

    def _good_part(self) -> bytes:
        """Return the open segment up to the last durable record, with its end from memory, checked by the chain."""
        if self._recent.length == self._length:
            return self._recent.bytes()
        good = read_whole(self._path)[: self._length - self._recent.length] + self._recent.bytes()
        try:
            check_whole(good, self.position)
        except AuditDamaged as error:
            raise OSError(errno.EIO, str(error)) from None
        return good

    def _notes_to_write(self) -> list[RecordedUse]:
        records = list(self._pending_notes)
        if self._refused_count:
            records.append(_note(record.RECOVERED, refused=self._refused_count))
        return records

    def _begin(self, public_key: bytes, check: Check) -> None:
        found = segments(self._folder)
        log_folder.check_public_key(self._folder, public_key, begun=bool(found))
        if not found:
            write_durably(segment_path(self._folder, 1), record.encode_segment_header(1, record.ZERO))
            found = segments(self._folder)
            crash.point("audit.after_first_segment")
        good = recover(found, check)
        log_folder.keep_public_key(self._folder, public_key, good.position)
        crash.point("audit.after_public_key")
        self._path, self._length, self.position = found[-1].path, len(good.data), good.position
        self._recent.begin(good.data, whole=True)
        self._pending_notes = [_note(record.OPENED)]
        if good.torn:
            self._pending_notes.append(_recovery_note(good.torn))


def _recovery_note(dropped: bytes) -> RecordedUse:
    return _note(record.RECOVERED, bytes=len(dropped), sha256=hashlib.sha256(dropped).hexdigest())


def _note(use: int, **members: object) -> RecordedUse:
    return RecordedUse(use, record.DONE, "", b"", json.dumps(members).encode())
