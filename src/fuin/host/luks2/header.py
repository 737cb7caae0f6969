"""The header of LUKS2, read without cryptsetup: two copies, each with a checksum, and a JSON area with tokens.

"LUKS2 On-Disk Format Specification", version 1.1.3.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from fuin.host.programs import HostError
from fuin.host.token import TYPE, Token

if TYPE_CHECKING:
    from pathlib import Path

    from fuin.secret import Secret

_FIRST, _SECOND = b"LUKS\xba\xbe", b"SKUL\xba\xbe"
_VERSION = 2
# Where a second copy may be: the first one is followed by it, and a header has one of these sizes.
_SIZES = (16384, 32768, 65536, 131072, 262144, 524288, 1048576, 2097152, 4194304)
_BINARY = 4096  # bytes before the JSON area
_CHECKSUM = slice(448, 512)


class Header(NamedTuple):
    """One valid copy: its sequence number, and its JSON."""

    sequence: int
    metadata: dict[str, Any]

    @property
    def tokens(self) -> dict[int, Token]:
        """Return our tokens by their numbers."""
        found = self.metadata.get("tokens", {})
        return {int(number): Token.from_json(value) for number, value in found.items() if value.get("type") == TYPE}

    @property
    def keyslots(self) -> list[int]:
        """Return the numbers of the keyslots, which a disk of ours has only during a re-encryption."""
        return sorted(int(number) for number in self.metadata.get("keyslots", {}))

    @property
    def data_offset(self) -> int:
        """Return where the data begin, in bytes."""
        return min(int(segment["offset"]) for segment in self.metadata["segments"].values())

    def has_volume_key(self, key: Secret) -> bool:
        """Return whether this is the volume key of data: a re-encryption has a digest before its first sector."""
        digests = self.metadata.get("digests", {}).values()
        return any(digest.get("segments") and _is_digest(digest, key) for digest in digests)


def _is_digest(digest: dict[str, Any], key: Secret) -> bool:
    expected = base64.b64decode(digest["digest"])
    salt = base64.b64decode(digest["salt"])
    made = hashlib.pbkdf2_hmac(digest["hash"], key.reveal(), salt, digest["iterations"], len(expected))
    return digest["type"] == "pbkdf2" and hmac.compare_digest(made, expected)


def is_luks2(disk: Path) -> bool:
    """Return whether a disk begins with a header of LUKS2, which may be damaged."""
    with disk.open("rb") as file:
        start = file.read(8)
    return start[:6] == _FIRST and start[6:] == struct.pack(">H", _VERSION)


def read_header(disk: Path) -> Header:
    """Return the newest valid copy of the header, as cryptsetup chooses it; raises HostError if both are damaged.

    A second copy at another place than behind a valid first one does not count: cryptsetup does not see it.
    """
    with disk.open("rb") as file:
        found = [_read_copy(file, 0, size, _FIRST) for size in _SIZES]
        first = next((header for header in found if header is not None), None)
        places = [size for size, header in zip(_SIZES, found, strict=True) if first is None or header is not None]
        others = (_read_copy(file, size, size, _SECOND) for size in places)
        second = next((header for header in others if header is not None), None)
    if first is None and second is None:
        raise HostError("the header of LUKS2 is damaged, or is not there")
    return max((header for header in (first, second) if header), key=lambda header: header.sequence)


def _read_copy(file: BinaryIO, offset: int, size: int, magic: bytes) -> Header | None:
    """Return the copy of this size at a place, if it is valid."""
    file.seek(offset)
    return _parse(file.read(size), magic, size)


def _parse(data: bytes, magic: bytes, expected: int) -> Header | None:
    if data[:6] != magic or data[6:8] != struct.pack(">H", _VERSION) or len(data) < _BINARY:
        return None
    size, sequence = struct.unpack(">QQ", data[8:24])
    algorithm = data[72:104].rstrip(b"\0").decode("ascii", "replace")
    if size != expected or len(data) < size or algorithm not in hashlib.algorithms_guaranteed:
        return None
    content = bytearray(data[:size])
    checksum = bytes(content[_CHECKSUM])
    content[_CHECKSUM] = bytes(64)
    digest = hashlib.new(algorithm, content, usedforsecurity=False).digest()
    if checksum[: len(digest)] != digest:
        return None
    try:
        metadata = json.loads(bytes(content[_BINARY:]).split(b"\0", 1)[0])
    except ValueError:
        return None
    return Header(sequence, metadata) if _is_sound(metadata) else None


def _is_sound(metadata: object) -> bool:
    """Return whether the JSON has the parts of a header, each an object of objects."""
    if not isinstance(metadata, dict) or not metadata.get("segments"):
        return False
    parts = [metadata.get(name, {}) for name in ("tokens", "segments", "digests", "keyslots")]
    if not all(isinstance(part, dict) for part in parts):
        return False
    return all(key.isdecimal() and isinstance(value, dict) for part in parts for key, value in part.items())
