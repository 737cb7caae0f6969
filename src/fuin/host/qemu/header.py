"""The header of a disk in the format `qemu`: two copies of a JSON object with a checksum, before the LUKS of qemu.

`docs/formats/volume.md` has the layout.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from fuin.host.programs import HostError
from fuin.host.token import Token

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAGIC = b"FUINVOL1"
LUKS_OFFSET = 1024 * 1024  # where the LUKS header of qemu begins
_COPY = 64 * 1024  # bytes of a copy; the second one follows the first
_PREFIX = struct.Struct(">8sQI32s")  # magic, sequence number, length and SHA-256 of number and JSON


class Header(NamedTuple):
    """One valid copy: its sequence number, and its tokens."""

    sequence: int
    tokens: list[Token]


def is_header(disk: Path) -> bool:
    """Return whether one of the copies begins as ours do."""
    with disk.open("rb") as file:
        first = file.read(len(MAGIC))
        file.seek(_COPY)
        return MAGIC in (first, file.read(len(MAGIC)))


def read_header(disk: Path) -> Header:
    """Return the newest valid copy; raises HostError if both are damaged."""
    with disk.open("rb") as file:
        area = file.read(2 * _COPY)
    found = [header for header in (_parse(area[:_COPY]), _parse(area[_COPY:])) if header is not None]
    if not found:
        raise HostError("the header of the disk is damaged, or is not there")
    return max(found, key=lambda header: header.sequence)


def write_header(disk: Path, sequence: int, tokens: Sequence[Token]) -> None:
    """Write both copies, one after the other, so that a crash leaves one of them whole."""
    content = json.dumps({"tokens": [token.to_json() for token in tokens]}).encode()
    area = _PREFIX.pack(MAGIC, sequence, len(content), _checksum(sequence, content)) + content
    if len(area) > _COPY:
        raise HostError("the tokens do not fit into the header")
    with disk.open("r+b") as file:
        for offset in (0, _COPY):
            file.seek(offset)
            file.write(area.ljust(_COPY, b"\0"))
            file.flush()
            os.fsync(file.fileno())


def _checksum(sequence: int, content: bytes) -> bytes:
    return hashlib.sha256(sequence.to_bytes(8, "big") + content).digest()


def _parse(data: bytes) -> Header | None:
    if len(data) < _PREFIX.size:
        return None
    magic, sequence, length, checksum = _PREFIX.unpack_from(data)
    content = data[_PREFIX.size : _PREFIX.size + length]
    if magic != MAGIC or checksum != _checksum(sequence, content):
        return None
    try:
        value: dict[str, Any] = json.loads(content)
        tokens = list(value["tokens"])
    except (ValueError, KeyError, TypeError):
        return None
    return Header(sequence, [Token.from_json(token) for token in tokens])
