"""Disks in the format `qemu`, for machines without device-mapper: a header of ours, then LUKS as qemu writes it."""

from __future__ import annotations

import base64
import os
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fuin.host.disk import KEY_LENGTH, OpenDisk, WrongKeyError
from fuin.host.programs import HostError, ProgramError, find_missing, run
from fuin.host.qemu.daemon import Daemon
from fuin.host.qemu.header import LUKS_OFFSET, is_header, read_header, write_header
from fuin.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuin.host.token import Token

# The passphrase is 64 random bytes, which nobody guesses: more rounds would protect nothing.
_LUKS = ("--type", "luks1", "--cipher", "aes-xts-plain64", "--key-size", "512", "--hash", "sha256",
         "--pbkdf-force-iterations", "1000")  # fmt: skip
_ROOM = 4 * 1024 * 1024  # bytes in which cryptsetup writes a header; its size is in it
_PAYLOAD = slice(104, 108)  # where LUKS1 says at which sector of 512 bytes the data begin
_SECTOR = 512
# Magic, version, cipher and mode of LUKS1, and the bytes of its key.
_CIPHER, _KEY_BYTES = slice(0, 72), slice(108, 112)
_EXPECTED_CIPHER = struct.pack(">6sH32s32s", b"LUKS\xba\xbe", 1, b"aes", b"xts-plain64")
_PROGRAMS = ("qemu-storage-daemon", "qemu-io", "cryptsetup", "losetup")


class Qemu:
    """The format `qemu`."""

    name = "qemu"
    grows_unmounted = True

    def __init__(self, run_folder: Path) -> None:
        """Take the folder for the files of running processes."""
        self._run_folder = run_folder

    def find_obstacle(self) -> str:
        """Return why this machine cannot open such a disk; empty if it can."""
        missing = find_missing(_PROGRAMS)
        if missing:
            return f"{' and '.join(missing)} not installed (Debian: qemu-system-common, qemu-utils, cryptsetup-bin)"
        for device in ("/dev/fuse", "/dev/loop-control"):
            if not os.access(device, os.R_OK | os.W_OK):
                return f"{device} is not there, or may not be used"
        return ""

    def is_on(self, disk: Path) -> bool:
        """Return whether the disk begins with a header of ours."""
        return is_header(disk)

    def read_tokens(self, disk: Path) -> list[Token]:
        """Return the tokens of the header."""
        return read_header(disk).tokens

    def find_data(self, disk: Path) -> int:
        """Return where the data begin, behind both headers."""
        with disk.open("rb") as file:
            file.seek(LUKS_OFFSET)
            return LUKS_OFFSET + _payload_offset(file.read(_SECTOR))

    def write_tokens(self, disk: Path, tokens: Sequence[Token]) -> None:
        """Replace the tokens: each copy of the header has all old or all new ones."""
        write_header(disk, read_header(disk).sequence + 1, tokens)

    def make(self, disk: Path, key: Secret, token: Token) -> None:
        """Write a LUKS1 header, all that qemu knows, and then ours, without which nothing opens the disk."""
        with tempfile.TemporaryDirectory(prefix="fuin-") as folder:
            luks = Path(folder) / "header"
            with luks.open("wb") as file:
                file.truncate(_ROOM)
            command = ["cryptsetup", "luksFormat", "--batch-mode", *_LUKS, "--key-file", "{0}", str(luks)]
            run(command, [_passphrase(key)])
            header = luks.read_bytes()
        header = header[: _payload_offset(header)]
        with disk.open("r+b") as file:
            file.seek(LUKS_OFFSET)
            file.write(header)
            file.flush()
            os.fsync(file.fileno())
        write_header(disk, 1, [token])

    def check_layout(self, disk: Path) -> None:
        """Raise HostError unless the LUKS1 header asks for AES-256-XTS: who writes to the disk could change it."""
        with disk.open("rb") as file:
            file.seek(LUKS_OFFSET)
            header = file.read(_SECTOR)
        if header[_CIPHER] != _EXPECTED_CIPHER or header[_KEY_BYTES] != struct.pack(">I", KEY_LENGTH):
            raise HostError("the header of the disk was changed, and it is not opened: it is not in aes-xts-plain64")

    def check_key(self, disk: Path, key: Secret) -> None:
        """Raise WrongKeyError if no keyslot opens."""
        self.check_layout(disk)
        if len(key) != KEY_LENGTH:
            raise WrongKeyError(disk)
        target = f"driver=luks,key-secret=key,file.driver=raw,file.offset={LUKS_OFFSET},file.file.driver=file"
        name = str(disk).replace(",", ",,")
        command = ["qemu-io", "-r", "-U", "-c", "quit", "--object", "secret,id=key,file={0}", "--image-opts"]
        try:
            run([*command, f"{target},file.file.filename={name}"], [_passphrase(key)])
        except ProgramError:
            raise WrongKeyError(disk) from None

    def open(self, disk: Path, name: str, key: Secret, *, size: int = 0, read_only: bool = False) -> OpenDisk:
        """Start a storage daemon with the key, and put a loop device on the plaintext that it shows."""
        self.check_key(disk, key)
        found = self.find_open(name)
        if found is not None:
            return found
        daemon = self._daemon(name)
        daemon.kill()  # or what a killed one has left
        try:
            area = self.find_data(disk) - LUKS_OFFSET + size if size else 0
            daemon.start(disk, _passphrase(key), area, read_only=read_only)
        except ProgramError:
            self.check_key(disk, key)
            raise
        try:
            return OpenDisk(name, daemon.add_loop(read_only=read_only))
        except HostError:
            daemon.stop()
            raise

    def find_open(self, name: str) -> OpenDisk | None:
        """Return the open disk of this name, if its process runs."""
        return self._daemon(name).find_open(name)

    def close(self, name: str) -> None:
        """Close the disk; the process with the key ends."""
        self._daemon(name).stop()

    def cut_off(self, name: str) -> None:
        """Kill the process with the key. What reads or writes gets errors."""
        self._daemon(name).kill()

    def grow(self, disk: Path, name: str, key: Secret, size: int) -> OpenDisk:
        """Open the disk anew: only a new process sees the new size, so no file system may be mounted."""
        self.close(name)
        return self.open(disk, name, key, size=size)

    def _daemon(self, name: str) -> Daemon:
        return Daemon(self._run_folder / name)


def _passphrase(key: Secret) -> Secret:
    """Return the data key as text, since qemu takes a passphrase in UTF-8 only."""
    return Secret(base64.b64encode(key.reveal()))


def _payload_offset(header: bytes) -> int:
    offset: int = struct.unpack(">I", header[_PAYLOAD])[0] * _SECTOR
    return offset
