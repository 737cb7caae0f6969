"""The snapshot of all keys' last uses, beside the audit log, without the code that authenticates it.

Page: docs/formats/last-uses.md. Numbers are big-endian.
"""

import struct
from dataclasses import dataclass

from fuin.errors import FormatError

# Nanoseconds since 1970, the use (formats/record.py), request id. A bare tuple: one is made for every use of a key.
UseEntry = tuple[int, int, bytes]

_MAGIC = b"fuin last uses v1\n"
_HEADER = struct.Struct(f">{len(_MAGIC)}sQ32sQI")  # magic, sequence, head, begun, count
_TIME_AND_USE = struct.Struct(">QB")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The last uses by all records up to number `sequence`, whose chain hash is `head`.

    `begun` is the time of the log's first record. `last` has a key's id as its name, with a slash and the Region behind
    it for a multi-Region key.
    """

    sequence: int
    head: bytes
    tracking_start: int
    last: dict[str, UseEntry]


def encode(snapshot: Snapshot) -> bytes:
    """Return the bytes of a snapshot; names and request ids have at most 255 bytes."""
    parts = [_HEADER.pack(_MAGIC, snapshot.sequence, snapshot.head, snapshot.tracking_start, len(snapshot.last))]
    for name, (time, use, request) in snapshot.last.items():
        raw = name.encode()
        parts += (bytes((len(raw),)), raw, _TIME_AND_USE.pack(time, use), bytes((len(request),)), request)
    return b"".join(parts)


def parse(data: bytes) -> Snapshot:
    """Return the snapshot of its bytes; raises FormatError on any other bytes."""
    try:
        magic, sequence, head, begun, count = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise FormatError("not a snapshot of last uses")
        last: dict[str, UseEntry] = {}
        at = _HEADER.size
        for _ in range(count):
            end = at + 1 + data[at]
            name = data[at + 1 : end].decode()
            time, use = _TIME_AND_USE.unpack_from(data, end)
            at = end + _TIME_AND_USE.size
            end = at + 1 + data[at]
            last[name] = (time, use, data[at + 1 : end])
            at = end
    except (struct.error, IndexError, UnicodeDecodeError):
        raise FormatError("a snapshot of last uses that ends early") from None
    if at != len(data) or len(last) != count:
        raise FormatError("a snapshot of last uses of a wrong length")
    return Snapshot(sequence, head, begun, last)
