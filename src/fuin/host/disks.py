"""Disks below volumes: found, made as files, checked to be empty before they are formatted, and grown."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from fuin.host import file_systems
from fuin.host.disk import HEADER_ROOM, measure
from fuin.host.programs import HostError, run

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1024**3
_LOOK = 1024 * 1024  # bytes at the beginning that are zeros on an empty disk


def make_file(disk: Path, size: int) -> None:
    """Make the file of a volume of `size` bytes, unless it is there; it takes space as it is written."""
    disk.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(disk, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.lseek(file, 0, os.SEEK_END) < size + HEADER_ROOM:
            os.ftruncate(file, size + HEADER_ROOM)
        os.fsync(file)
    finally:
        os.close(file)


def check_empty(disk: Path) -> None:
    """Raise HostError unless a disk holds nothing that is known: `format --force` goes past this."""
    found = file_systems.find_type(disk)
    if found:
        raise HostError(f"{disk} is not empty: it has {found}")
    with disk.open("rb") as file:
        if file.read(_LOOK).strip(b"\0"):
            raise HostError(f"{disk} is not empty: it does not begin with zeros")


def check_size(disk: Path, size: int) -> None:
    """Raise HostError unless a volume of `size` bytes and its header fit on a disk."""
    if measure(disk) < size + HEADER_ROOM:
        raise HostError(f"{disk} is too small: a volume of {size // GIB} GiB needs 16 MiB more, for its header")


def grow_file(disk: Path, size: int) -> None:
    """Let the file of a volume be larger; a block device must have grown already."""
    if disk.is_file() and measure(disk) < size + HEADER_ROOM:
        os.truncate(disk, size + HEADER_ROOM)
        for line in run(["losetup", "--associated", str(disk)]).splitlines():
            run(["losetup", "--set-capacity", line.split(":")[0]])
    check_size(disk, size)
