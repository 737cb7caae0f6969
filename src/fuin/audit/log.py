"""The durable audit log: one write and one fdatasync for all records of a turn, under one signed checkpoint.

The keyholder is its only writer. Page: docs/formats/audit-record.md.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from fuin import crash
from fuin.audit.chain import START, Check, Position
from fuin.audit.recovery import AuditDamaged, recover
from fuin.audit.segments import PUBLIC_KEY, read_public_key, segment_path, segments, sync_folder, write_durably
from fuin.errors import FormatError, FuinError
from fuin.formats import record

SEGMENT_LIMIT = 64 * 1024 * 1024  # bytes; a longer one only when a single turn is longer
_LOCK_WAIT = 5.0  # seconds for a keyholder that is being killed to let go


class LogBroken(FuinError):
    """The state of the file on disk is unknown; the process must end, and recovery look at it at the next start."""


class Use(NamedTuple):
    """What a record says; sequence and time are the log's."""

    use: int
    outcome: int
    key_id: str
    material_id: bytes
    draft: bytes


class Follower(Protocol):
    """Who wants to know what the log holds."""

    def appended(self, now: int, done: Sequence[Use]) -> None:
        """Take note of uses that have become durable under the time `now`, in nanoseconds since 1970."""

    def finished(self, position: Position) -> None:
        """Take note that `position` is the last record of a segment that is finished."""


class Log:
    """The open log; `position` is the last durable record, `follower` is told of those that follow."""

    def __init__(self, folder: Path, lock: int, sign: Callable[[bytes], bytes]) -> None:
        """Use `Log.open`."""
        self._folder = folder
        self._lock = lock
        self._sign = sign
        self._file = -1
        self._length = 0  # of the good part of the open segment
        self.position = START
        self.segment_limit = SEGMENT_LIMIT
        self.follower: Follower | None = None

    @classmethod
    def open(cls, folder: Path, public_key: bytes, sign: Callable[[bytes], bytes], check: Check) -> "Log":
        """Open or begin the log, recover a torn tail, and append the record that says so.

        Raises AuditDamaged when it is not this root key's log or not what a crash leaves, OSError when it cannot be
        written.
        """
        log = cls(folder, _locked(folder), sign)
        try:
            log._recover(public_key, check)
        except BaseException:
            log.close()
            raise
        return log

    def append(self, uses: Sequence[Use]) -> None:
        """Append records and their checkpoint, durably; there must be at least one.

        Raises OSError when the disk does not take them: the file is as before, nothing was recorded. Raises LogBroken
        when not even that is certain.
        """
        now = time.time_ns()
        batch, position = self._chained(uses, now)
        if self._length + len(batch) > self.segment_limit and self._length > record.SEGMENT_HEADER_LENGTH:
            self._rotate()
        self._write(batch)
        self.position = position
        self._length += len(batch)
        if self.follower is not None:
            self.follower.appended(now, uses)

    def close(self) -> None:
        """Let go of the file and the lock."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

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
        left = memoryview(batch)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            try:
                os.ftruncate(self._file, self._length)
            except OSError as error:
                raise LogBroken(f"the audit log cannot be cut back: {error.strerror}") from None
            raise
        crash.point("audit.after_write")
        try:
            os.fdatasync(self._file)
        except OSError as error:
            # After a failed fsync nobody knows which pages reached the disk, and a second one may lie (fsync(2)).
            raise LogBroken(f"the audit log cannot be made durable: {error.strerror}") from None
        crash.point("audit.after_sync")

    def _rotate(self) -> None:
        first = self.position.sequence + 1
        path = segment_path(self._folder, first)
        try:
            write_durably(path, record.encode_segment_header(first, self.position.head))
            self._open(path, record.SEGMENT_HEADER_LENGTH)
        except OSError:
            try:
                path.unlink(missing_ok=True)  # the log goes on in the old segment, so the new one must not stand there
            except OSError as error:
                raise LogBroken(f"an audit segment cannot be taken back: {error.strerror}") from None
            raise
        if self.follower is not None:
            self.follower.finished(self.position)

    def _open(self, path: Path, length: int) -> None:
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._length = file, length

    def _recover(self, public_key: bytes, check: Check) -> None:
        found = segments(self._folder)
        _check_public_key(self._folder, public_key, begun=bool(found))
        if not found:
            write_durably(segment_path(self._folder, 1), record.encode_segment_header(1, record.ZERO))
            found = segments(self._folder)
            crash.point("audit.after_first_segment")
        good = recover(found, check)
        _keep_public_key(self._folder, public_key, good.position)
        crash.point("audit.after_public_key")
        self._open(found[-1].path, good.length)
        self.position = good.position
        uses = [Use(record.OPENED, record.DONE, "", b"", b"{}")]
        if good.torn:
            os.ftruncate(self._file, good.length)
            lost = {"bytes": len(good.torn), "sha256": hashlib.sha256(good.torn).hexdigest()}
            uses.append(Use(record.RECOVERED, record.DONE, "", b"", json.dumps(lost).encode()))
        self.append(uses)
        sync_folder(self._folder)


def _locked(folder: Path) -> int:
    """Return a descriptor that holds the folder's lock: two writers would fork the chain."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline = time.monotonic() + _LOCK_WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise AuditDamaged("another keyholder writes this audit log") from None
            time.sleep(0.02)
        else:
            return descriptor


def _check_public_key(folder: Path, public_key: bytes, *, begun: bool) -> None:
    """Raise AuditDamaged when the log was signed by another root key, or is gone although it had begun."""
    if not (folder / PUBLIC_KEY).exists():
        return
    try:
        known = read_public_key(folder)
    except FormatError as error:
        raise AuditDamaged(str(error)) from None
    if known != public_key:
        raise AuditDamaged("the audit log belongs to another root key")
    if not begun:
        raise AuditDamaged("the audit log had begun, but its segments are missing")


def _keep_public_key(folder: Path, public_key: bytes, position: Position) -> None:
    """Write the public key beside a log that is new; beside an older one it must not be missing."""
    with contextlib.suppress(FormatError):
        read_public_key(folder)
        return
    if position != START:
        raise AuditDamaged(f"{folder / PUBLIC_KEY} is missing beside an audit log that has records")
    write_durably(folder / PUBLIC_KEY, public_key.hex().encode() + b"\n")
