"""What a host remembers of its volumes: where each one's disk is, and where it is mounted. Nothing of it is secret."""

from __future__ import annotations

import fcntl
import json
import os
import re
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fuin.host.programs import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fuin.host.token import Token

_ID = re.compile(r"(?:vol|disk)-[0-9a-f]{8,32}")
_SNAPSHOT_ID = re.compile(r"snap-[0-9a-f]{8,32}")


@dataclass(frozen=True, slots=True)
class Record:
    """One volume on this host.

    `mount` is empty for a volume that is not mounted. `size` is that of the volume in bytes, 0 for a local disk, which
    takes all of its disk. `is_unfilled` marks a disk that is to be filled from a snapshot, until all of it is there.
    `key_arn` and `context_id` say under which KMS key the data key is: the header of the disk must say the same.
    `next_key_arn` is the other key while a re-wrap or a re-encryption is under way.
    """

    volume_id: str
    disk: str
    format: str
    mount: str = ""
    size: int = 0
    is_unfilled: bool = False
    key_arn: str = ""
    next_key_arn: str = ""
    context_id: str = ""

    def with_mount(self, folder: Path | None) -> Record:
        """Return the record with another place of its mount; None leaves it."""
        return self if folder is None else replace(self, mount=str(folder))


def require_filled(record: Record) -> None:
    """Raise HostError for a disk that was not filled to its end: it is no copy of anything."""
    if record.is_unfilled:
        raise HostError(f"{record.volume_id} is not filled from its snapshot yet: attach it again")


def require_same_key(record: Record, token: Token) -> None:
    """Raise HostError unless the header of a disk names the KMS key and the context that this host remembers."""
    if not record.key_arn:
        raise HostError(
            f"this host has no record of the KMS key of {record.volume_id}: attach the volume again, or open the local "
            f"disk by its path with --key"
        )
    if token.context_id != record.context_id or token.key_arn not in {record.key_arn, record.next_key_arn}:
        raise HostError(
            f"{record.disk} names the KMS key {token.key_arn} for {token.context_id}, and this host remembers "
            f"{record.key_arn} for {record.context_id}: its header was exchanged"
        )


def check_id(volume_id: str) -> None:
    """Raise HostError unless this is the id of a volume: it becomes the name of files."""
    if not _ID.fullmatch(volume_id):
        raise HostError(f"{volume_id!r} is not the id of a volume")


class Records:
    """The records in the host's folder, one file for each volume."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, volume_id: str) -> Record | None:
        """Return the record of a volume, if this host has one."""
        check_id(volume_id)
        try:
            value: dict[str, Any] = json.loads(self._file(volume_id).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Record(**value)

    def list_all(self) -> list[Record]:
        """Return all records, by volume."""
        names = sorted(file.stem for file in self._folder.glob("*.json"))
        found = [self.find(name) for name in names if _ID.fullmatch(name)]
        return [record for record in found if record is not None]

    def save(self, record: Record) -> None:
        """Write a record, whole or not at all."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._file(record.volume_id)
        temporary = file.with_suffix(".new")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            os.fchmod(out.fileno(), 0o600)
            json.dump(asdict(record), out)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(file)

    def remove(self, volume_id: str) -> None:
        """Forget a volume; its disk stays."""
        self._file(volume_id).unlink(missing_ok=True)

    def default_disk(self, volume_id: str) -> Path:
        """Return the file in which a volume is, unless a disk was named for it."""
        return self._folder / f"{volume_id}.disk"

    def checksums(self, volume_id: str, snapshot_id: str) -> Path:
        """Return the file with the checksums of the blocks of a snapshot that this host has sent."""
        if not _SNAPSHOT_ID.fullmatch(snapshot_id):
            raise HostError(f"{snapshot_id!r} is not the id of a snapshot")
        return self._folder / f"{volume_id}.{snapshot_id}.checksums"

    @contextmanager
    def lock(self, volume_id: str) -> Iterator[None]:
        """Let one process at a time work on a volume; the next one waits."""
        check_id(volume_id)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self._folder / f"{volume_id}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _file(self, volume_id: str) -> Path:
        return self._folder / f"{volume_id}.json"
