"""Standard input, so that a signal ends a command that waits for it."""

from __future__ import annotations

import sys
from typing import Any


def standard_input() -> Any:
    """Return standard input without a buffer, of which each read is one call to the system.

    A read of a buffered one makes several, and Python does not look for signals between them.
    """
    buffer = sys.stdin.buffer
    return getattr(buffer, "raw", buffer)


def read_full(source: Any, size: int) -> bytes:
    """Return so many bytes, or fewer at the end."""
    data = bytearray()
    while len(data) < size and (piece := source.read(size - len(data))):
        data += piece
    return bytes(data)
