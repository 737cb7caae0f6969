"""The interface of a format: how a disk is made, opened by its data key, grown and closed."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple, Protocol

from fuin.host.programs import HostError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from fuin.host.token import Token
    from fuin.secret import Secret

KEY_LENGTH = 64  # bytes: two keys for AES-256-XTS
# A disk is larger than its volume by this: room for the header of either format.
HEADER_ROOM = 16 * 1024 * 1024


class WrongKeyError(HostError):
    """The key is not the key of this disk: its digest differs, or no keyslot opens."""

    def __init__(self, disk: Path) -> None:
        super().__init__(f"the data key is not the key of {disk}: its token or its header was exchanged")


class BusyError(HostError):
    """Somebody uses the disk, so that it cannot be closed."""


class OpenDisk(NamedTuple):
    """A disk that is open: the block device with its plaintext."""

    name: str
    device: Path


class DiskFormat(Protocol):
    """One way in which a volume is on a disk. A *disk* is a block device, a partition or a file."""

    name: str
    grows_unmounted: bool  # whether an open disk can grow only while no file system on it is mounted

    def find_obstacle(self) -> str:
        """Return why this machine cannot open such a disk; empty if it can."""
        ...

    def is_on(self, disk: Path) -> bool:
        """Return whether the disk begins with a header of this format."""
        ...

    def read_tokens(self, disk: Path) -> list[Token]:
        """Return the tokens of the header; raises HostError if it is damaged."""
        ...

    def find_data(self, disk: Path) -> int:
        """Return where the data begin on the disk, in bytes."""
        ...

    def write_tokens(self, disk: Path, tokens: Sequence[Token]) -> None:
        """Replace the tokens of the header; new ones are there before old ones are gone."""
        ...

    def make(self, disk: Path, key: Secret, token: Token) -> None:
        """Write a header for this key, with the token; what was on the disk is lost."""
        ...

    def check_layout(self, disk: Path) -> None:
        """Raise HostError unless the header asks for the encryption that `make` writes."""
        ...

    def check_key(self, disk: Path, key: Secret) -> None:
        """Raise WrongKeyError if the key is not that of the disk."""
        ...

    def open(self, disk: Path, name: str, key: Secret, *, size: int = 0, read_only: bool = False) -> OpenDisk:
        """Open the disk; raises WrongKeyError. What a killed process has left of `name` is cleared first.

        The device has `size` bytes, also where the disk has room for more; 0 takes all of it.
        """
        ...

    def find_open(self, name: str) -> OpenDisk | None:
        """Return the open disk of this name, if it is open and works."""
        ...

    def close(self, name: str) -> None:
        """Close the disk; raises BusyError while it is used."""
        ...

    def cut_off(self, name: str) -> None:
        """Take the key away from an open disk at once, also when it is used: what uses it gets errors or waits."""
        ...

    def grow(self, disk: Path, name: str, key: Secret, size: int) -> OpenDisk:
        """Let the device of an open disk have `size` bytes; the disk below it has room for them."""
        ...


def measure(disk: Path) -> int:
    """Return the size of a disk in bytes."""
    if stat.S_ISREG(disk.stat().st_mode):
        return disk.stat().st_size
    with disk.open("rb") as file:
        return file.seek(0, os.SEEK_END)
