"""Files that no index names, out of the way but not deleted: each sweep's in a folder of their own under `orphans/`.

    blobs/orphans/0000000000001041/note.json    when, by every clock there is
    blobs/orphans/0000000000001041/ID …         the files, under their names

A database that is put back later may name them after all: then reading one, or the next sweep, puts it back in its
place. They are deleted when a waiting period has passed by two clocks and nothing has contradicted the index since.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from fuin.audit.segments import write_durably
from fuin.errors import StoreUnavailable
from fuin.s3 import blobs

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from fuin.store.engine.installation import Standing

FOLDER = "orphans"
_NOTE = "note.json"
_SERVED = "served"  # seconds, for which a server has run while there were orphans

log = logging.getLogger("fuin.s3")


class Note(msgspec.Struct, frozen=True):
    """When files were moved: the log's last record, the database's serial, the wall clock, and the time served."""

    installation: str
    sequence: int
    serial: int
    time: float  # seconds since 1970
    served: float  # seconds


@dataclass(frozen=True, slots=True)
class Group:
    """The files that one sweep has moved; `note` is None where it cannot be read, and then nothing is deleted."""

    folder: Path
    note: Note | None
    names: tuple[str, ...]


def may_delete(note: Note | None, standing: Standing, now: float, served: float, period: float) -> bool:
    """Tell whether what was moved under a note may be deleted: it has waited by both clocks, and witnesses agree.

    The database must be this installation's, not behind where it was then, and nobody may have accepted an older
    database, log or blobs since: then it is not the index that made these files orphans.
    """
    if note is None or note.installation != standing.installation or not note.installation:
        return False
    if not standing.accepted <= note.serial <= standing.serial:
        return False
    return now - note.time >= period and served - note.served >= period


def groups(root: Path) -> list[Group]:
    """Return all that is kept, oldest first."""
    with contextlib.suppress(FileNotFoundError):
        folders = sorted(entry.name for entry in os.scandir(root / FOLDER) if entry.is_dir(follow_symlinks=False))
        return [_group(root / FOLDER / name) for name in folders]
    return []


def _group(folder: Path) -> Group:
    note = None
    with contextlib.suppress(OSError, msgspec.DecodeError, ValueError):
        note = msgspec.json.decode((folder / _NOTE).read_bytes(), type=Note)
    names = []
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:  # deleted, or removed by hand
        for entry in entries:
            with contextlib.suppress(ValueError):
                blobs.blob_of(entry.name)
                names.append(entry.name)
    return Group(folder, note, tuple(sorted(names)))


def begin(root: Path, note: Note) -> Path:
    """Return a new folder for what one sweep moves, durable with its note."""
    folder = root / FOLDER / f"{note.sequence:016d}"
    while folder.exists():
        folder = folder.with_name(f"{folder.name}x")
    folder.mkdir(mode=0o700, parents=True)
    write_durably(folder / _NOTE, msgspec.json.encode(note))
    for above in (root / FOLDER, root):
        blobs.sync_folder(above)
    return folder


def move(folder: Path, paths: Iterable[Path]) -> None:
    """Move files out of the way, durably; raises OSError."""
    touched = {folder}
    for path in paths:
        with contextlib.suppress(FileNotFoundError):  # replaced or deleted a moment ago: its request removes it
            path.rename(folder / path.name)
            touched.add(path.parent)
    for each in touched:
        blobs.sync_folder(each)


def put_back(root: Path, blob: str) -> None:
    """Put a blob back in its place, durably, if it is here and not there. Raises StoreUnavailable."""
    try:
        for group in reversed(groups(root)):
            if blob in group.names:
                place = blobs.place(root, blob)
                if os.path.lexists(place):
                    return  # never over a file that is there: which of the two is whole, nobody has asked
                place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                with contextlib.suppress(FileNotFoundError):  # another reader was faster
                    (group.folder / blob).rename(place)
                for folder in (place.parent, place.parent.parent, root, group.folder):
                    blobs.sync_folder(folder)
                log.warning("put back the blob %s, which the index names, from %s", blob, group.folder)
                return
    except OSError as error:
        raise StoreUnavailable("a blob could not be put back") from error


def open_file(root: Path, blob: str) -> int:
    """Return a file descriptor for reading a blob that the index names, put back first if a sweep has moved it.

    Raises FileNotFoundError when it is nowhere, or StoreUnavailable.
    """
    try:
        return blobs.open_file(root, blob)
    except FileNotFoundError:
        put_back(root, blob)
    # Also when it was not out of the way: another reader, or the sweep, may have put it back a moment ago.
    return blobs.open_file(root, blob)


def delete(group: Group) -> None:
    """Delete the files of a group for good, and the group; raises OSError."""
    for name in group.names:
        (group.folder / name).unlink(missing_ok=True)
    remove_empty(group)


def remove_empty(group: Group) -> None:
    """Remove a group's folder when no file is left in it."""
    if _group(group.folder).names:
        return
    for name in (_NOTE, f".{_NOTE}.new"):
        (group.folder / name).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # somebody keeps something there
        group.folder.rmdir()


def served(root: Path) -> float:
    """Return for how many seconds servers have run while there were orphans; what cannot be read counts as nothing."""
    try:
        seconds = float((root / FOLDER / _SERVED).read_text("ascii"))
    except (OSError, ValueError):
        return 0.0
    return seconds if math.isfinite(seconds) else 0.0


def add_served(root: Path, seconds: float) -> float:
    """Add to the seconds served, and return them; raises OSError."""
    total = served(root) + seconds
    write_durably(root / FOLDER / _SERVED, repr(total).encode())
    return total
