"""The two formats, and which of them is used: that of a disk with a header, else the best that this machine can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.host.luks2.format import Luks2
from fuin.host.programs import HostError
from fuin.host.qemu.format import Qemu

if TYPE_CHECKING:
    from pathlib import Path

    from fuin.host.disk import DiskFormat


class Formats:
    """The formats that this program knows, the preferred one first."""

    def __init__(self, run_folder: Path, *, discard: bool = False) -> None:
        """Take the folder for the files of running processes."""
        self.all: tuple[DiskFormat, ...] = (Luks2(discard=discard), Qemu(run_folder))

    def find_format(self, disk: Path) -> DiskFormat | None:
        """Return the format of a disk; None if it has no header of ours."""
        return next((each for each in self.all if each.is_on(disk)), None)

    def get_format(self, name: str) -> DiskFormat:
        """Return the format of a name; raises HostError if this machine cannot open such a disk."""
        for each in self.all:
            if each.name == name:
                obstacle = each.find_obstacle()
                if obstacle:
                    raise HostError(f"this machine cannot use the format {name}: {obstacle}")
                return each
        raise HostError(f"no format is called {name}: it is luks2 or qemu")

    def choose(self, name: str = "") -> DiskFormat:
        """Return the format for a new disk: the one of this name, or the first that this machine can open."""
        if name:
            return self.get_format(name)
        obstacles = []
        for each in self.all:
            obstacle = each.find_obstacle()
            if not obstacle:
                return each
            obstacles.append(f"{each.name}: {obstacle}")
        raise HostError(f"this machine can open no encrypted disk: {'; '.join(obstacles)}")
