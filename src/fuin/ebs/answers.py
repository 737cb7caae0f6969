"""Answers of the EBS direct APIs."""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from fuin.gate.http import Answer

_TYPE = (b"Content-Type", b"application/json")
_BYTES = (b"Content-Type", b"application/octet-stream")
_ALGORITHM = (b"x-amz-Checksum-Algorithm", b"SHA256")
_encode = msgspec.json.Encoder().encode


def document(status: int, members: dict[str, Any]) -> Answer:
    """Return an answer in JSON; members that are None are left out."""
    return Answer(status, [_TYPE], _encode({name: value for name, value in members.items() if value is not None}))


def stored_block(checksum: bytes) -> Answer:
    """Return the answer for a block that was put."""
    return Answer(201, [_TYPE, *_checksum_headers(checksum)], b"{}")


def block_data(checksum: bytes, block: bytes) -> Answer:
    """Return the answer with a block."""
    length = (b"x-amz-Data-Length", str(len(block)).encode())
    return Answer(200, [_BYTES, length, *_checksum_headers(checksum)], block)


def _checksum_headers(checksum: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"x-amz-Checksum", base64.b64encode(checksum)), _ALGORITHM]
