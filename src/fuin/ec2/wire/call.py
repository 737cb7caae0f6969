"""A call of EC2."""

from __future__ import annotations

import msgspec

from fuin.gate.call import Call


class Ec2Call(Call):
    """A call with the body of its request."""

    body: bytes = b""
    removed: list[str] = msgspec.field(default_factory=list)  # blobs that no snapshot needs any longer
