"""Disks in LUKS2: made, opened and grown by cryptsetup, in a header without keyslots."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from fuin.host.disk import KEY_LENGTH, BusyError, OpenDisk, WrongKeyError, measure
from fuin.host.luks2.header import is_luks2, read_header
from fuin.host.luks2.layout import CIPHER, DATA_OFFSET, check_layout, is_reencrypting
from fuin.host.programs import HostError, ProgramError, find_missing, run, succeeds
from fuin.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuin.host.token import Token

MAPPER = Path("/dev/mapper")
VOLUME_KEY = ("--key-size", "512", "--volume-key-file", "{0}")
# The digest is of 64 random bytes, which nobody guesses: more rounds would protect nothing.
ROUNDS = ("--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000")
_WRONG_KEY, _BUSY = 2, 5  # cryptsetup(8), "RETURN CODES"
_DISCARD = "--allow-discards"


class Luks2:
    """The format `luks2`."""

    name = "luks2"
    grows_unmounted = False

    def __init__(self, *, discard: bool = False) -> None:
        """Choose whether free blocks are given back to the disk, which shows anybody who reads it which they are."""
        self._discard = discard

    def find_obstacle(self) -> str:
        """Return why this machine cannot open such a disk; empty if it can."""
        missing = find_missing(["cryptsetup"])
        if missing:
            return "cryptsetup is not installed (Debian: cryptsetup-bin)"
        if not _has_device_mapper() and not (succeeds(["modprobe", "dm_crypt"]) and _has_device_mapper()):
            return "the kernel has no device-mapper (modules dm_mod and dm_crypt)"
        return ""

    def is_on(self, disk: Path) -> bool:
        """Return whether the disk begins with a header of LUKS2."""
        return is_luks2(disk)

    def read_tokens(self, disk: Path) -> list[Token]:
        """Return our tokens, by their numbers."""
        return [token for _, token in sorted(read_header(disk).tokens.items())]

    def find_data(self, disk: Path) -> int:
        """Return where the data segment begins."""
        return read_header(disk).data_offset

    def write_tokens(self, disk: Path, tokens: Sequence[Token]) -> None:
        """Add the new tokens to free places, and then remove the old ones."""
        old = read_header(disk).tokens
        free = [number for number in range(32) if number not in old]
        for number, token in zip(free, tokens, strict=False):
            self.add_token(disk, token, number)
        for number in old:
            run(["cryptsetup", "token", "remove", "--token-id", str(number), str(disk)])

    def add_token(self, disk: Path, token: Token, number: int = 0) -> None:
        """Add one token at a free place."""
        command = ["cryptsetup", "token", "import", "--token-id", str(number), "--json-file", "-", str(disk)]
        run(command, text=json.dumps(token.to_json()))

    def make(self, disk: Path, key: Secret, token: Token) -> None:
        """Write a header for this volume key. cryptsetup insists on a first keyslot, which is removed again."""
        passphrase = Secret(secrets.token_bytes(32))
        run(
            ["cryptsetup", "luksFormat", "--batch-mode", "--type", "luks2", "--cipher", CIPHER,
             "--sector-size", "4096", "--offset", str(DATA_OFFSET // 512), *ROUNDS, *VOLUME_KEY,
             "--key-file", "{1}", str(disk)],
            [key, passphrase],
        )  # fmt: skip
        remove_keyslot(disk, 0)
        self.add_token(disk, token)

    def check_key(self, disk: Path, key: Secret) -> None:
        """Raise WrongKeyError if no digest of the header is that of the key."""
        self.check_layout(disk)
        if len(key) != KEY_LENGTH or not read_header(disk).has_volume_key(key):
            raise WrongKeyError(disk)

    def check_layout(self, disk: Path) -> None:
        """Raise HostError unless the header says what we write; both cryptsetup and our reader are asked what it says.

        A header is judged as cryptsetup reads it, since it is cryptsetup that opens the disk.
        """
        check_layout(read_header(disk).metadata)
        check_layout(json.loads(run(["cryptsetup", "luksDump", "--dump-json-metadata", str(disk)])))

    def open(self, disk: Path, name: str, key: Secret, *, size: int = 0, read_only: bool = False) -> OpenDisk:
        """Let the kernel have the key and show the plaintext at /dev/mapper/NAME."""
        self.check_key(disk, key)
        found = self.find_open(name)
        if found is not None:
            return found
        if is_reencrypting(read_header(disk).metadata):
            raise HostError(f"{disk} is in a re-encryption that its tokens do not name: its header was changed")
        for number in read_header(disk).keyslots:  # what a killed process has left
            remove_keyslot(disk, number)
        command = ["cryptsetup", "open", "--type", "luks2", *VOLUME_KEY, str(disk), name]
        if read_only:
            command.insert(2, "--readonly")
        if self._discard:
            command.insert(2, _DISCARD)
        try:
            run(command, [key])
        except ProgramError as error:
            if error.status == _WRONG_KEY:
                raise WrongKeyError(disk) from None
            raise
        opened = OpenDisk(name, MAPPER / name)
        if size and not read_only and measure(opened.device) > size:
            self._set_size(disk, name, key, size)
        return opened

    def find_open(self, name: str) -> OpenDisk | None:
        """Return the open disk of this name."""
        return OpenDisk(name, MAPPER / name) if (MAPPER / name).exists() else None

    def close(self, name: str) -> None:
        """Close the disk, after which the kernel has forgotten its key."""
        if self.find_open(name) is None:
            return
        try:
            run(["cryptsetup", "close", name])
        except ProgramError as error:
            if error.status == _BUSY:
                raise BusyError(f"{MAPPER / name} is in use") from None
            raise

    def cut_off(self, name: str) -> None:
        """Let the kernel forget the key. What reads or writes waits until the machine restarts."""
        if self.find_open(name) is None:
            return
        try:
            self.close(name)
        except HostError:
            run(["cryptsetup", "luksSuspend", name])

    def grow(self, disk: Path, name: str, key: Secret, size: int) -> OpenDisk:
        """Let the mapping be larger; a file system on it may stay mounted."""
        found = self.find_open(name)
        if found is None:
            return self.open(disk, name, key, size=size)
        self._set_size(disk, name, key, size)
        return found

    def _set_size(self, disk: Path, name: str, key: Secret, size: int) -> None:
        """Resize the mapping. The kernel does not give the key back, and cryptsetup takes it from a keyslot only."""
        self.check_key(disk, key)
        passphrase = Secret(secrets.token_bytes(32))
        before = read_header(disk).keyslots
        add_keyslot(disk, key, passphrase)
        try:
            run(["cryptsetup", "resize", "--size", str(size // 512), "--key-file", "{0}", name], [passphrase])
        finally:
            for number in set(read_header(disk).keyslots).difference(before):
                remove_keyslot(disk, number)


def add_keyslot(disk: Path, key: Secret, passphrase: Secret) -> None:
    """Add a keyslot with the volume key that a passphrase opens, for as long as cryptsetup needs one."""
    run(["cryptsetup", "luksAddKey", "--batch-mode", *ROUNDS, *VOLUME_KEY, str(disk), "{1}"], [key, passphrase])


def remove_keyslot(disk: Path, number: int) -> None:
    """Remove a keyslot; what was in it is overwritten."""
    run(["cryptsetup", "luksKillSlot", "--batch-mode", str(disk), str(number)])


def _has_device_mapper() -> bool:
    """Return whether the driver is there; its device node can exist without it."""
    return " device-mapper" in Path("/proc/misc").read_text()
