"""Copies of logs in a folder beside the blobs; it is a second place only if the folder is on another disk."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from fuin.audit.copies import AlreadyThere, CopyMissing
from fuin.audit.segments import sync_folder, write_all
from fuin.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


class FileLogCopies:
    """`audit.copies.Copies` in a folder; names become paths."""

    def __init__(self, folder: Path) -> None:
        self.place = str(folder)
        self._folder = folder

    def put(self, name: str, content: memoryview) -> None:
        """Make a file that appears whole or not at all; raises AlreadyThere or StoreUnavailable."""
        path = self._folder / name
        draft = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            self._make_folders(path.parent)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                with contextlib.closing(os.fdopen(descriptor, "wb", buffering=0)):
                    write_all(descriptor, content)  # type: ignore[arg-type]  # any buffer can be written
                    os.fsync(descriptor)
                os.link(draft, path)  # unlike a rename, it replaces nothing
            finally:
                draft.unlink(missing_ok=True)
            sync_folder(path.parent)
        except FileExistsError:
            raise AlreadyThere(name) from None
        except OSError as error:
            raise StoreUnavailable(f"{path} cannot be written: {error.strerror}") from error

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of a file, or some of them; raises CopyMissing or StoreUnavailable."""
        try:
            with (self._folder / name).open("rb") as file:
                file.seek(start)
                return file.read(-1 if length is None else length)
        except FileNotFoundError:
            raise CopyMissing(name) from None
        except OSError as error:
            raise StoreUnavailable(f"{self._folder / name} cannot be read: {error.strerror}") from error

    def names(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield the files below a folder and their lengths; a draft is none of them."""
        root = self._folder / folder
        try:
            for path in sorted(root.rglob("*")):
                if path.is_file() and not path.name.startswith("."):
                    yield path.relative_to(root).as_posix(), path.stat().st_size
        except OSError as error:
            raise StoreUnavailable(f"{root} cannot be read: {error.strerror}") from error

    def remove(self, names: Iterable[str]) -> None:
        """Remove files."""
        try:
            for name in names:
                (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"{self.place} cannot be written: {error.strerror}") from error

    def _make_folders(self, folder: Path) -> None:
        if not folder.is_dir():
            if folder != self._folder:
                self._make_folders(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True, parents=True)
            sync_folder(folder.parent)
