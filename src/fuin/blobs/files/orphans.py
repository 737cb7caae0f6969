"""Files that no index names, out of the way but not deleted: each sweep's in a folder of their own under `orphans/`.

    blobs/orphans/0000000000001041/note.json    when, by every clock there is
    blobs/orphans/0000000000001041/ID …         the files, under their names

A database that is put back later may name them after all: then opening one, or the next sweep, puts it back in its
place.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
from typing import TYPE_CHECKING

import msgspec

from fuin.audit.segments import sync_folder, write_durably
from fuin.blobs.files import threads
from fuin.blobs.files.names import blob_path, file_path, stored_blob
from fuin.blobs.interface import OrphanGroup, SweepNote
from fuin.errors import StoreUnavailable

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fuin.blobs.interface import StoredBlob

FOLDER = "orphans"
_NOTE = "note.json"
_SERVED = "served"  # seconds, for which a server has run while there were orphans

log = logging.getLogger("fuin.blobs")


@contextlib.contextmanager
def refuse_failures() -> Iterator[None]:
    """Raise StoreUnavailable for what the file system refuses to a sweep."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(f"the blobs cannot be swept: {error}") from error


class FileOrphans:
    """`Orphans` below a folder of blobs."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def groups(self) -> Future[list[OrphanGroup]]:
        """Return all groups, oldest first."""
        return threads.start(refuse_failures()(list_groups), self._root)

    def begin_group(self, note: SweepNote) -> Future[OrphanGroup]:
        """Return a new group in a new folder."""
        return threads.start(refuse_failures()(begin_group), self._root, note)

    def move(self, group: OrphanGroup, blobs: Sequence[StoredBlob]) -> Future[None]:
        """Move files to the group's folder."""
        return threads.start(refuse_failures()(move), self._root, group, blobs)

    def put_back(self, blob: str) -> Future[None]:
        """Put a file back in its place."""
        return threads.start(put_back, self._root, blob)

    def delete(self, group: OrphanGroup, orphans: Sequence[StoredBlob]) -> Future[None]:
        """Delete files of the group's folder."""
        return threads.start(refuse_failures()(delete), self._root, group, orphans)

    def remove_if_empty(self, group: OrphanGroup) -> Future[None]:
        """Remove the group's folder when no file is left in it."""
        return threads.start(refuse_failures()(remove_if_empty), self._root, group)

    def time_served(self) -> Future[float]:
        """Return the seconds served."""
        return threads.start(time_served, self._root)

    def add_time_served(self, seconds: float) -> Future[float]:
        """Add to the seconds served, and return them."""
        return threads.start(refuse_failures()(add_time_served), self._root, seconds)


def list_groups(root: Path) -> list[OrphanGroup]:
    """Return all groups, oldest first."""
    with contextlib.suppress(FileNotFoundError):
        folders = sorted(entry.name for entry in os.scandir(root / FOLDER) if entry.is_dir(follow_symlinks=False))
        return [_group(root / FOLDER / name) for name in folders]
    return []


def _group(folder: Path) -> OrphanGroup:
    note = None
    with contextlib.suppress(OSError, msgspec.DecodeError, ValueError):
        note = msgspec.json.decode((folder / _NOTE).read_bytes(), type=SweepNote)
    orphans = []
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:  # deleted, or removed by hand
        for entry in entries:
            with contextlib.suppress(ValueError):
                orphans.append(stored_blob(entry.name))
    return OrphanGroup(folder.name, str(folder), note, tuple(sorted(orphans, key=lambda orphan: orphan.name)))


def begin_group(root: Path, note: SweepNote) -> OrphanGroup:
    """Return a new group, whose folder is durable with its note; raises OSError."""
    folder = root / FOLDER / f"{note.sequence:016d}"
    while folder.exists():
        folder = folder.with_name(f"{folder.name}x")
    folder.mkdir(mode=0o700, parents=True)
    write_durably(folder / _NOTE, msgspec.json.encode(note))
    for above in (root / FOLDER, root):
        sync_folder(above)
    return OrphanGroup(folder.name, str(folder), note, ())


def move(root: Path, group: OrphanGroup, blobs: Sequence[StoredBlob]) -> None:
    """Move files out of the way, durably; raises OSError."""
    folder = root / FOLDER / group.name
    touched = {folder}
    for stored in blobs:
        path = file_path(root, stored)
        with contextlib.suppress(FileNotFoundError):  # replaced or deleted a moment ago: its request removes it
            path.rename(folder / path.name)
            touched.add(path.parent)
    for each in touched:
        sync_folder(each)


def put_back(root: Path, blob: str) -> None:
    """Put a blob back in its place, durably, if it is here and not there. Raises StoreUnavailable."""
    try:
        for group in reversed(list_groups(root)):
            if any(orphan.name == blob for orphan in group.orphans):
                folder, path = root / FOLDER / group.name, blob_path(root, blob)
                if os.path.lexists(path):
                    return  # never over a file that is there: which of the two is whole, nobody has asked
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with contextlib.suppress(FileNotFoundError):  # another reader was faster
                    (folder / blob).rename(path)
                for each in (path.parent, path.parent.parent, root, folder):
                    sync_folder(each)
                log.warning("put back the blob %s, which the index names, from %s", blob, folder)
                return
    except OSError as error:
        raise StoreUnavailable("a blob could not be put back") from error


def delete(root: Path, group: OrphanGroup, orphans: Sequence[StoredBlob]) -> None:
    """Delete files of a group for good; raises OSError."""
    for orphan in orphans:
        (root / FOLDER / group.name / orphan.name).unlink(missing_ok=True)


def remove_if_empty(root: Path, group: OrphanGroup) -> None:
    """Remove a group's folder when no blob is left in it; raises OSError."""
    folder = root / FOLDER / group.name
    if _group(folder).orphans:
        return
    for name in (_NOTE, f".{_NOTE}.new"):
        (folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody keeps something there
        folder.rmdir()


def time_served(root: Path) -> float:
    """Return for how many seconds servers have run while there were orphans; an unreadable count is 0."""
    try:
        seconds = float((root / FOLDER / _SERVED).read_text("ascii"))
    except (OSError, ValueError):
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0


def add_time_served(root: Path, seconds: float) -> float:
    """Add to the seconds served, and return them; raises OSError."""
    total = time_served(root) + seconds
    write_durably(root / FOLDER / _SERVED, repr(total).encode())
    return total
