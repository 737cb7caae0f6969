"""The durable audit log: one write and one fdatasync for all records of a turn, under one signed checkpoint.

The keyholder is its only writer. Page: docs/formats/audit-record.md; what a failing disk means: docs/decisions/0008.

What the log believes is its own memory: the number and hash of the last record whose fdatasync succeeded. When a disk
fails, the segment is in doubt: nothing is appended to it until its good part, checked against that hash, stands in a
new and durable file under the same name. A start begins in doubt, since the process before may have ended in it.
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
from fuin.audit.chain import START, Check, Position
from fuin.audit.recent import Recent
from fuin.audit.recovery import AuditDamaged, check_whole, recover
from fuin.audit.segments import read_whole, segment_path, segments, sync_folder, write_all, write_durably
from fuin.formats import record

SEGMENT_LIMIT = 64 * 1024 * 1024  # bytes; a longer one only when a single turn, or what begins one, is longer
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # the disk has no room; what it holds is not in doubt
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0  # seconds between two tries on a disk that fails


class Use(NamedTuple):
    """What a record says; sequence and time are the log's."""

    use: int
    outcome: int
    key_id: str
    material_id: bytes
    draft: bytes


class TryLater(OSError):
    """The last failure once more, of a log that waits before it troubles a failing disk again."""


class Follower(Protocol):
    """Who wants to know what the log holds."""

    def appended(self, now: int, done: Sequence[Use]) -> None:
        """Take note of uses that have become durable under the time `now`, in nanoseconds since 1970."""

    def finished(self, position: Position) -> None:
        """Take note that `position` is the last record of a segment that is finished."""


class Log:
    """The open log; `position` is the last durable record, `follower` is told of those that follow.

    It is `refusing` while the disk does not take records. It comes back by itself: with an `append`, or a `try_again`.
    There is one keyholder and one log on a server. Several nodes would have a log each: numbers and chain are the log's
    own, and only the commits' serials would be common to them.
    """

    def __init__(self, folder: Path, lock: int, sign: Callable[[bytes], bytes]) -> None:
        """Use `Log.open`."""
        self._folder = folder
        self._lock = lock
        self._sign = sign
        self._path = folder  # of the open segment
        self._file = -1
        self._length = 0  # of the good part of the open segment
        self._recent = Recent()
        self._in_doubt = True
        self._unwanted: Path | None = None  # a segment that must not stand behind the open one
        self._opening: list[Use] = []  # records that the next write begins with: what happened to the log itself
        self._refused = 0  # records that were not taken since the last one that was
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

        When the disk does not take that, the log is open and refuses. Raises AuditDamaged when it is not this root
        key's log or not what a crash leaves, LogInUse, and OSError when it cannot be read or begun.
        """
        log = cls(folder, log_folder.lock(folder), sign)
        try:
            log._begin(public_key, check)
        except BaseException:
            log.close()
            raise
        log.try_again()
        return log

    def append(self, uses: Sequence[Use]) -> None:
        """Append records and their checkpoint, durably; there must be at least one.

        Raises OSError when the disk does not take them: nothing was recorded, and nobody may be told otherwise.
        """
        try:
            now = self._append(uses)
        except OSError as error:
            self._refuse(len(uses), error)
        if self.follower is not None:
            self.follower.appended(now, uses)

    def try_again(self) -> bool:
        """Write what says that the log goes on, if it is time to; returns whether the log takes records."""
        if self._in_doubt or self.refusing:
            try:
                self._make_certain()
                if self.refusing:
                    self._write_next(())
            except OSError as error:
                self._postpone(error)
        return not self.refusing

    def pause(self) -> float | None:
        """Return how many seconds to wait until `try_again`; None while the log takes records."""
        return max(0.0, self._next_try - time.monotonic()) if self.refusing else None

    def failure(self) -> str | None:
        """Return why the disk does not take records; None while it does."""
        return self._failure[1] if self.refusing else None

    def close(self) -> None:
        """Let go of the file and the lock."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    # Appending

    def _append(self, uses: Sequence[Use]) -> int:
        if self._in_doubt or self._unwanted is not None:
            self._make_certain()
        return self._write_next(uses)

    def _write_next(self, uses: Sequence[Use]) -> int:
        """Write a batch behind the last one; returns its time."""
        now = time.time_ns()
        batch, position = self._chained((*self._opening_records(), *uses) if self.refusing else uses, now)
        if self._length + len(batch) > self.segment_limit and self._length > record.SEGMENT_HEADER_LENGTH:
            self._rotate()
        self._write(batch)
        self._recent.add(batch)
        self.position = position
        self._length += len(batch)
        if self.refusing:
            self._go_on()
        return now

    def _chained(self, uses: Sequence[Use], now: int) -> tuple[bytes, Position]:
        sequence, head = self.position.sequence, self.position.head
        parts: list[bytes] = []
        for use, outcome, key_id, material_id, draft in uses:
            sequence += 1
            entry = record.chained(head, sequence, now, use, outcome, key_id, material_id, draft)
            head = entry[2]
            parts += entry
        signature = self._sign(record.signed_bytes(sequence, head))
        signed = record.encode_checkpoint(record.Checkpoint(sequence, head, signature))
        last = record.chained(head, sequence + 1, now, record.CHECKPOINT, record.DONE, "", b"", signed)
        return b"".join((*parts, *last)), Position(sequence + 1, last[2])

    def _write(self, batch: bytes) -> None:
        crash.point("audit.before_write")
        try:
            write_all(self._file, batch)
        except OSError as error:
            if error.errno not in _FULL or not self._cut():
                self._doubt(batch)
            raise
        crash.point("audit.after_write")
        try:
            os.fdatasync(self._file)
        except OSError:
            self._doubt(batch)
            raise
        crash.point("audit.after_sync")

    def _cut(self) -> bool:
        """Cut off what a full disk took of a batch; returns whether that worked."""
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
            self._unwanted = path  # the log goes on in the old segment, so the new one must not stand there
            raise
        self._recent.begin(header)
        if self.follower is not None:
            self.follower.finished(self.position)

    def _open(self, path: Path, length: int) -> None:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        if self._file >= 0:
            os.close(self._file)
        self._path, self._file, self._length = path, file, length

    # A disk that fails

    def _refuse(self, records: int, error: OSError) -> NoReturn:
        self._refused += records
        self._postpone(error)
        raise error

    def _postpone(self, error: OSError) -> None:
        """Note a failure, and when to try again: later and later, since a try may write a whole segment."""
        if isinstance(error, TryLater):
            return
        self.refusing = True
        self._failure = (error.errno or errno.EIO, error.strerror or str(error))
        self._next_try = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _go_on(self) -> None:
        self.refusing = False
        self._refused = 0
        self._pause = _FIRST_PAUSE
        self._opening.clear()

    def _doubt(self, batch: bytes) -> None:
        """Note that of a batch, which nobody was told of, anything or nothing may stand on the disk.

        After a failed fsync the kernel takes the pages for clean (fsync(2), ERRORS): they may be read and never be
        written, and a second fsync says nothing. So the file is not used any more.
        """
        self._in_doubt = True
        self._opening.append(_recovered(batch))

    def _make_certain(self) -> None:
        """Bring the folder into a state that is known to be on the disk; raises OSError."""
        if self._unwanted is not None:
            self._unwanted.unlink(missing_ok=True)
            sync_folder(self._folder)
            self._unwanted = None
        if self._in_doubt:
            if time.monotonic() < self._next_try:
                raise TryLater(*self._failure)
            self._write_anew()

    def _write_anew(self) -> None:
        """Put a new file in the open segment's place: its good part, and the records that say what happened."""
        good = self._good_part()
        batch, position = self._chained(self._opening_records(), time.time_ns())
        crash.point("audit.before_anew")
        write_durably(self._path, good, batch)
        crash.point("audit.after_anew")
        self._open(self._path, len(good) + len(batch))
        self._recent.begin(good)
        self._recent.add(batch)
        self.position = position
        self._in_doubt = False
        self._go_on()

    def _good_part(self) -> bytes:
        """Return the open segment up to the last durable record: its end from memory, and all checked by the chain."""
        if self._recent.length == self._length:
            return self._recent.bytes()
        good = read_whole(self._path)[: self._length - self._recent.length] + self._recent.bytes()
        try:
            check_whole(good, self.position)
        except AuditDamaged as error:
            raise OSError(errno.EIO, str(error)) from None
        return good

    def _opening_records(self) -> list[Use]:
        records = list(self._opening)
        if self._refused:
            records.append(_note(record.RECOVERED, refused=self._refused))
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
        self._opening = [_note(record.OPENED)]
        if good.torn:
            self._opening.append(_recovered(good.torn))


def _recovered(dropped: bytes) -> Use:
    return _note(record.RECOVERED, bytes=len(dropped), sha256=hashlib.sha256(dropped).hexdigest())


def _note(use: int, **members: object) -> Use:
    return Use(use, record.DONE, "", b"", json.dumps(members).encode())
