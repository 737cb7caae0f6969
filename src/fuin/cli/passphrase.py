"""The root key's passphrase: from a file, standard input, or a question on the terminal."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING

from fuin.errors import FuinError
from fuin.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 4096  # bytes


def read(file: Path | None, *, needed: bool) -> Secret | None:
    """Return the passphrase, or None where none is needed and none was given.

    Raises FuinError when one is needed and there is neither a file nor a terminal to ask at.
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
        raise FuinError("the root key is sealed by a passphrase: give --passphrase-file, or start on a terminal")
    return Secret(getpass.getpass("Passphrase of the root key: ").encode())
