"""The root key's passphrase: read from a file, standard input or the terminal."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from fuin.errors import FuinError
from fuin.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 4096  # bytes


def read(file: Path | None, *, needed: bool, new: bool = False) -> Secret | None:
    """Return the passphrase, or None if no file was given and no passphrase is needed.

    A new one is asked for twice. Raises FuinError when a passphrase is needed, but there is neither a file nor a
    terminal.
    """
    if file is not None:
        raw = sys.stdin.buffer.readline(LONGEST) if str(file) == "-" else file.read_bytes()[:LONGEST]
        text = raw.rstrip(b"\r\n")
        if not text:
            raise FuinError("the passphrase is empty")
        return Secret(text)
    if not needed:
        return None
    if not sys.stdin.isatty():
        raise FuinError("a passphrase seals the root key: give --passphrase-file, or start on a terminal")
    given = getpass.getpass("Passphrase of the root key: ")
    if new and getpass.getpass("The same once more: ") != given:
        raise FuinError("the two are not the same")
    if not given:
        raise FuinError("the passphrase is empty")
    return Secret(given.encode())
