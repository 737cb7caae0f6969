"""A call of the EBS direct APIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin.ebs.faults import invalid
from fuin.gate.call import Call

if TYPE_CHECKING:
    from fuin.ebs.routes import Target

NUMBERS = 19  # digits that a number of a request may have


class EbsCall(Call, kw_only=True):
    """A call with the body of its request, and what its target names."""

    body: bytes = b""
    digest: bytes = b""  # SHA-256 of the body
    target: Target
    query: dict[str, str] = msgspec.field(default_factory=dict)
    removed: list[str] = msgspec.field(default_factory=list)  # blobs that no snapshot needs any longer

    @property
    def snapshot_id(self) -> str:
        """Return the snapshot that the request names."""
        return self.target.snapshot

    @property
    def block(self) -> int:
        """Return the index of the block that the request names."""
        return parse_number(self.target.block, "BlockIndex", 0, 2**31 - 1, "INVALID_BLOCK")

    def header(self, name: bytes) -> str | None:
        """Return a request header's value, by lower-case name."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def parameter(self, name: str, member: str, least: int, most: int, default: int) -> int:
        """Return a number of the query; raises ValidationException."""
        text = self.query.get(name)
        return default if text is None else parse_number(text, member, least, most)


def parse_number(text: str | None, member: str, least: int, most: int, reason: str = "INVALID_PARAMETER_VALUE") -> int:
    """Return a number in a range; raises ValidationException."""
    if text is not None and text.isascii() and text.isdigit() and len(text) <= NUMBERS and least <= int(text) <= most:
        return int(text)
    raise invalid(reason, f"{member} must be a number from {least} to {most}.")
