"""Real audit logs for tests, signed by a real key."""

import shutil
from pathlib import Path

from fuin.audit.log import Log, RecordedUse
from fuin.audit.segments import SegmentEntry, entries, read, segments
from fuin.formats import record
from fuin.keyholder.sealed.audit_signature import AuditSigner
from fuin.keyholder.sealed.root_key import RootKey

SIGNER = AuditSigner(RootKey(bytearray(range(32))))
STRANGER = AuditSigner(RootKey(bytearray(range(1, 33))))
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"


def opened(folder: Path, signer: AuditSigner = SIGNER) -> Log:
    """Open the log in a folder."""
    folder.mkdir(exist_ok=True)
    return Log.open(folder, signer.public_key, signer.sign, signer.check)


def use(number: int) -> RecordedUse:
    """Return a use whose draft names its own request."""
    draft = b'{"request":"r-%d","operation":"kms:Decrypt"}' % number
    return RecordedUse(record.DECRYPT, record.DONE, KEY_ID, bytes(32), draft)


def written(folder: Path, turns: int = 4, each: int = 3, segment_limit: int | None = None) -> Path:
    """Write a log of some turns with some records each, and close it; returns the folder."""
    log = opened(folder)
    if segment_limit is not None:
        log.segment_limit = segment_limit
    for turn in range(turns):
        log.append([use(turn * each + number) for number in range(each)])
    log.close()
    return folder


def copied(folder: Path, name: str) -> Path:
    """Return a copy of a log that a test may spoil."""
    return Path(shutil.copytree(folder, folder.parent / name))


def only(folder: Path) -> Path:
    """Return the log's one segment."""
    (segment,) = segments(folder)
    return segment.path


def parts(path: Path) -> tuple[bytes, list[SegmentEntry]]:
    """Return a segment's header and entries."""
    data = read(path)
    return data[: record.SEGMENT_HEADER_LENGTH], list(entries(data))


def raw(entry: SegmentEntry) -> bytes:
    """Return an entry as it stands in the file."""
    return record.entry(entry.data, entry.hash)
