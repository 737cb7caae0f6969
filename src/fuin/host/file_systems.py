"""File systems on open disks: found, made, mounted, frozen and grown by the programs of the system."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fuin.host.disk import BusyError
from fuin.host.programs import ENVIRONMENT, HostError, ProgramError, run

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAKERS = {"ext4": ["mkfs.ext4", "-q", "-E", "lazy_itable_init=1"], "xfs": ["mkfs.xfs", "-q"]}
_LOOK = 128 * 1024  # bytes in which the names of file systems are
_NOT_FOUND = 2  # blkid(8)
_BUSY = 32  # mount(8), "EXIT STATUS": the mount or its end failed
# Freezes, and thaws when its input ends: also when the process that asked for it is killed.
_FREEZE = 'fsfreeze --freeze "$1" && echo frozen && { read -r _; fsfreeze --unfreeze "$1"; }'


def find_type(device: Path) -> str:
    """Return the type of the file system on a device; empty if it has none.

    blkid finds nothing on a device that cannot be read, either: it is read first.
    """
    with device.open("rb") as file:
        file.read(_LOOK)
    try:
        return run(["blkid", "--probe", "--output", "value", "--match-tag", "TYPE", str(device)]).strip()
    except ProgramError as error:
        if error.status == _NOT_FOUND:
            return ""
        raise


def check_type(file_system: str) -> None:
    """Raise HostError unless a file system of this type can be made."""
    if file_system not in _MAKERS:
        raise HostError(f"no file system is called {file_system}: it is {' or '.join(_MAKERS)}")


def check_folder(folder: Path) -> None:
    """Raise HostError unless a file system can be mounted at a folder without hiding anything."""
    if os.path.ismount(folder):
        raise HostError(f"a file system is mounted at {folder} already: unmount it, or give another folder")
    try:
        if any(folder.iterdir()):
            raise HostError(f"{folder} is not empty: what is in it would be hidden")
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        raise HostError(f"{folder} is not a folder") from None


def make(device: Path, file_system: str) -> None:
    """Make a file system, unless the device has that one already; raises HostError if it has another one."""
    check_type(file_system)
    found = find_type(device)
    if found and found != file_system:
        raise HostError(f"the volume has a file system already: {found}")
    if not found and not find_mounts(device):
        run([*_MAKERS[file_system], str(device)])


def find_mounts(device: Path) -> list[Path]:
    """Return where the file system of a device is mounted."""
    number = device.stat().st_rdev
    name = f"{os.major(number)}:{os.minor(number)}"
    lines = [line.split() for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
    return [Path(words[4].encode().decode("unicode_escape")) for words in lines if words[2] == name]


def mount(device: Path, folder: Path) -> None:
    """Mount the file system of a device, unless it is mounted there."""
    if folder in find_mounts(device):
        return
    if not find_type(device):
        raise HostError("the volume has no file system: --mkfs ext4 makes one")
    folder.mkdir(parents=True, exist_ok=True)
    run(["mount", str(device), str(folder)])


def unmount(device: Path) -> None:
    """Unmount the file system of a device everywhere; raises BusyError while a process uses it."""
    for folder in reversed(find_mounts(device)):
        try:
            run(["umount", str(folder)])
        except ProgramError as error:
            if error.status == _BUSY:
                raise BusyError(f"{folder} is in use") from None
            raise


def grow(device: Path) -> None:
    """Let the file system of a device have all of it."""
    found, mounts = find_type(device), find_mounts(device)
    if found == "ext4":
        if not mounts:
            run(["e2fsck", "-f", "-p", str(device)])
        run(["resize2fs", str(device)])
    elif found == "xfs":
        if not mounts:
            raise HostError("xfs grows while it is mounted: mount it, and ask again")
        run(["xfs_growfs", str(mounts[0])])
    elif found:
        raise HostError(f"the volume has grown, but its file system {found} has to be grown by its own program")


@contextmanager
def freeze(folder: Path) -> Iterator[None]:
    """Hold a file system still: all that was written is on the device, and writers wait."""
    process = subprocess.Popen(
        ["sh", "-c", _FREEZE, "sh", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT,
        start_new_session=True,
    )  # fmt: skip
    with process:
        if process.stdout is None or process.stdout.readline() != b"frozen\n":
            raise HostError(f"{folder} cannot be frozen")
        yield
