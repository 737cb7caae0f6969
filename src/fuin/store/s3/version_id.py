"""Version ids: 32 characters that say where a version is in the order of its key.

A page of a list goes on after a version that may have been deleted meanwhile: clients delete page by page. So the id
itself has the version's place in the order, and no row has to be asked. The rest is random.

| bytes | what |
| --- | --- |
| 1 | the form of the id: 1 |
| 7 | microseconds since 1970 of the version, big-endian; at least one more than those of the version before |
| 16 | random |

They are written in base64 for URLs. The column `version_order` has the microseconds with a minus: so the newest version
of a key is the first one in ascending order. A version without an id, which AWS names null, has a place in the order
too; it is 0, after all others, if it is from before versioning was enabled.
"""

from __future__ import annotations

import base64
import binascii
import os

_FORM = b"\x01"
_TIME_BYTES, _RANDOM_BYTES = 7, 16
_LENGTH = 32  # characters
_MICROSECONDS = 1_000_000


def next_order(now: float, newest: int | None) -> int:
    """Return the place of a new version; `newest` is that of the newest one, None for a key without versions."""
    return min(-int(now * _MICROSECONDS), (newest or 0) - 1)


def new_version_id(order: int) -> str:
    """Return an id for a version at this place."""
    raw = _FORM + (-order).to_bytes(_TIME_BYTES) + os.urandom(_RANDOM_BYTES)
    return base64.urlsafe_b64encode(raw).decode()


def parse_order(version_id: str) -> int | None:
    """Return the place of the version with this id, or None if no version has such an id."""
    if len(version_id) != _LENGTH:
        return None
    try:
        raw = base64.b64decode(version_id, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return -int.from_bytes(raw[1 : 1 + _TIME_BYTES]) if raw[:1] == _FORM else None
