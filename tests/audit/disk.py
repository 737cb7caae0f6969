"""A disk beneath real files: what it would hold after a power cut, and failures as Linux's page cache lets them be.

The files are real, and stand for the page cache. What the disk holds is kept beside: pages that were written and whose
fsync succeeded. After a failed fsync the kernel takes the pages for clean: they can be read, and are never written.
"""

import errno
import os
import random
import stat
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PAGE = 4096


class Disk:
    """The disk under the log of one folder; `failing` names the calls that fail, by their names in `os`."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.failing: set[str] = set()
        self.spoils = False  # a failed sync leaves zeros where it should have written, in the cache as well
        self._durable: dict[int, bytearray] = defaultdict(bytearray)
        self._dirty: dict[int, set[int]] = defaultdict(set)
        self._names: dict[str, int] = {}
        self._real: dict[str, Callable[..., Any]] = {}
        for name in ("write", "ftruncate", "fsync", "fdatasync", "replace", "unlink"):
            self._real[name] = getattr(os, name)
            patch.setattr(os, name, getattr(self, f"_{name}"))

    def power_cut(self, target: Path, choice: random.Random | None = None) -> Path:
        """Write what is on the disk now to a new folder; with a `choice` some of what is not synced yet as well."""
        names = self._current_names() if choice is not None and choice.random() < 0.5 else self._names
        target.mkdir()
        for name, inode in names.items():
            content = bytearray(self._durable[inode])
            current = self.folder / name
            if choice is not None and current.exists() and current.stat().st_ino == inode:
                seen = current.read_bytes()
                for page in self._dirty[inode]:
                    if choice.random() < 0.5:
                        _put(content, page, seen)
            (target / name).write_bytes(content)
        return target

    def _current_names(self) -> dict[str, int]:
        return {path.name: path.stat().st_ino for path in self.folder.iterdir() if path.is_file()}

    def _check(self, call: str) -> None:
        if call in self.failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def _touch(self, descriptor: int, start: int, end: int) -> None:
        self._dirty[os.fstat(descriptor).st_ino] |= set(range(start // PAGE, end // PAGE + 1))

    def _write(self, descriptor: int, data: Any) -> int:
        if not _is_file(descriptor):
            return int(self._real["write"](descriptor, data))
        self._check("write")
        start = os.fstat(descriptor).st_size
        if "write half" in self.failing:
            data = data[: len(data) // 2] or data
        count = int(self._real["write"](descriptor, data))
        self._touch(descriptor, start, start + count)
        if "write half" in self.failing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return count

    def _ftruncate(self, descriptor: int, length: int) -> None:
        self._check("ftruncate")
        self._real["ftruncate"](descriptor, length)
        self._touch(descriptor, length, length)

    def _fsync(self, descriptor: int) -> None:
        if _is_file(descriptor):
            self._sync(descriptor, "fsync")
            return
        self._names = self._current_names()  # that a sync failed does not mean that nothing was written
        self._check("sync folder")

    def _fdatasync(self, descriptor: int) -> None:
        self._sync(descriptor, "fdatasync")

    def _sync(self, descriptor: int, call: str) -> None:
        inode = os.fstat(descriptor).st_ino
        dirty, self._dirty[inode] = self._dirty[inode], set()
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if call in self.failing:
            if self.spoils:
                self._spoil(path, inode, dirty)
            self._check(call)
        seen = path.read_bytes()
        durable = self._durable[inode]
        del durable[len(seen) :]
        durable += bytes(len(seen) - len(durable))
        for page in dirty:
            _put(durable, page, seen)

    def _spoil(self, path: Path, inode: int, pages: set[int]) -> None:
        with path.open("r+b") as file:
            size = path.stat().st_size
            for page in pages:
                file.seek(page * PAGE)
                file.write(bytes(max(0, min(PAGE, size - page * PAGE))))
                _put(self._durable[inode], page, bytes(size))

    def _replace(self, source: Any, target: Any) -> None:
        self._check("replace")
        self._real["replace"](source, target)

    def _unlink(self, path: Any, **more: Any) -> None:
        self._check("unlink")
        self._real["unlink"](path, **more)


def _is_file(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _put(content: bytearray, page: int, seen: bytes) -> None:
    start, end = page * PAGE, min((page + 1) * PAGE, len(seen))
    if start < end:
        content += bytes(max(0, end - len(content)))
        content[start:end] = seen[start:end]
