"""The names and folders of blobs' files: two levels of folders, 4,096 in all."""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING

from fuin.blobs.interface import StoredBlob

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ID = re.compile(r"[0-9a-f]{64}")
UNFINISHED = ".part"


def blob_path(root: Path, blob: str) -> Path:
    """Return the path of a blob; raises ValueError unless it is an id."""
    if not _ID.fullmatch(blob):
        raise ValueError("not a blob id")
    return root / blob[0] / blob[1:3] / blob


def file_path(root: Path, stored: StoredBlob) -> Path:
    """Return the path of a blob's file, finished or not; raises ValueError unless its name is one."""
    return blob_path(root, stored.name.removesuffix(UNFINISHED)).with_name(stored.name)


def stored_blob(name: str) -> StoredBlob:
    """Return the blob of a file's name; raises ValueError when it is not the name of a blob's file."""
    if not _ID.fullmatch(name.removesuffix(UNFINISHED)):
        raise ValueError("not a blob's file")
    return StoredBlob(name, name if _ID.fullmatch(name) else "")


def list_files(root: Path) -> Iterator[StoredBlob]:
    """Yield the blobs whose files are in their folders; other files are nobody's business here."""
    for upper in _folders(root, 1):
        for folder in _folders(root / upper, 2):
            for entry in _scan(root / upper / folder):
                name = entry.name
                is_blob = _ID.fullmatch(name.removesuffix(UNFINISHED)) and name.startswith(upper + folder)
                if is_blob and entry.is_file(follow_symlinks=False):
                    yield stored_blob(name)


def _folders(folder: Path, digits: int) -> list[str]:
    entries = [entry for entry in _scan(folder) if entry.is_dir(follow_symlinks=False)]
    return [entry.name for entry in entries if re.fullmatch(f"[0-9a-f]{{{digits}}}", entry.name)]


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        return list(entries)
    return []
