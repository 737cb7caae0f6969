"""A new data key for a disk in LUKS2: all data is written anew, also while a file system on it is mounted.

The new wrapped key is in the header before the first sector changes, and the old one goes after the last. Until the
end, both volume keys are in keyslots that the new data key opens, so that KMS can open an interrupted re-encryption.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.host.disk import OpenDisk
from fuin.host.luks2.format import MAPPER, ROUNDS, Luks2, remove_keyslot
from fuin.host.luks2.header import read_header
from fuin.host.luks2.layout import is_reencrypting
from fuin.host.programs import run

if TYPE_CHECKING:
    from pathlib import Path

    from fuin.host.token import Token
    from fuin.secret import Secret


def add_next_token(disk: Path, token: Token) -> None:
    """Write the token of the new data key beside that of the old one."""
    Luks2().add_token(disk, token, 1 + max(read_header(disk).tokens, default=-1))


def has_keyslots(disk: Path) -> bool:
    """Return whether the header has keyslots: only a re-encryption makes them."""
    return bool(read_header(disk).keyslots)


def proceed(disk: Path, name: str, new_key: Secret) -> None:
    """Write all data anew, from where an interruption has left it, and then remove the keyslots and the old token.

    An open disk stays open under `name`; a closed one is not opened.
    """
    Luks2().check_layout(disk)
    if not _has_begun(disk) and read_header(disk).has_volume_key(new_key):
        finish(disk, new_key)
        return
    step = ["--resume-only"] if _has_begun(disk) else ["--key-size", "512", "--volume-key-file", "{1}", *ROUNDS]
    run(
        ["cryptsetup", "reencrypt", "--batch-mode", *_place(disk, name), "--key-file", "{0}", *step,
         "--resilience", "checksum", str(disk)],
        [new_key, new_key], patience=None,
    )  # fmt: skip
    finish(disk, new_key)


def _place(disk: Path, name: str) -> list[str]:
    """Return the options that say whether the disk is open: cryptsetup cannot know it of a file."""
    if (MAPPER / name).exists():
        return ["--active-name", name]
    return ["--force-offline-reencrypt"] if disk.is_file() else []


def finish(disk: Path, new_key: Secret) -> None:
    """Remove the old token, and then the keyslots, of a re-encryption that has ended."""
    format_ = Luks2()
    format_.check_key(disk, new_key)
    format_.write_tokens(disk, [token.as_current() for token in format_.read_tokens(disk) if token.is_next])
    remove_keyslots(disk)


def remove_keyslots(disk: Path) -> None:
    """Remove all keyslots: without a re-encryption a disk needs none."""
    for number in read_header(disk).keyslots:
        remove_keyslot(disk, number)


def _has_begun(disk: Path) -> bool:
    return is_reencrypting(read_header(disk).metadata)


def open_interrupted(disk: Path, name: str, new_key: Secret) -> OpenDisk:
    """Open a disk in the middle of a re-encryption: the new data key opens the keyslots of both volume keys."""
    Luks2().check_layout(disk)
    run(["cryptsetup", "open", "--type", "luks2", "--key-file", "{0}", str(disk), name], [new_key])
    return OpenDisk(name, MAPPER / name)
