"""The mark in the blobs' folder, a file of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin.audit.segments import sync_folder, write_durably
from fuin.blobs.interface import Marker
from fuin.errors import StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path

NAME = "installation.json"


def read(root: Path) -> Marker | None:
    """Return the mark, None if the folder has none; raises StoreUnavailable when it cannot be read."""
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
        sync_folder(root.parent)
    except OSError as error:
        raise StoreUnavailable(f"{root / NAME} cannot be written: {error}") from error
