"""The mark in the blobs' folder: whose they are, and how far the database had come when a server last started on them.

So a folder on a disk that is not mounted, another installation's, or one restored from another moment is told.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import msgspec

from fuin.audit.segments import write_durably
from fuin.errors import StoreUnavailable
from fuin.s3 import blobs, orphans

if TYPE_CHECKING:
    from pathlib import Path

NAME = "installation.json"


class Marker(msgspec.Struct, frozen=True):
    """The installation's id, and the database's serial at the last start."""

    installation: str
    serial: Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


def read(root: Path) -> Marker | None:
    """Return the mark, or None when there is none; raises StoreUnavailable when it cannot be read."""
    try:
        return msgspec.json.decode((root / NAME).read_bytes(), type=Marker)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise StoreUnavailable(f"{root / NAME} cannot be read: {error}") from error


def write(root: Path, marker: Marker) -> None:
    """Write the mark, durably; raises StoreUnavailable."""
    try:
        write_durably(root / NAME, msgspec.json.encode(marker))
        blobs.sync_folder(root.parent)
    except OSError as error:
        raise StoreUnavailable(f"{root / NAME} cannot be written: {error}") from error


def holds_any(root: Path) -> bool:
    """Tell whether there is any blob's file, out of the way or not; it ends at the first one."""
    try:
        return next(blobs.stored(root), None) is not None or any(group.names for group in orphans.groups(root))
    except OSError as error:
        raise StoreUnavailable(f"{root} cannot be read: {os.strerror(error.errno or 0)}") from error
