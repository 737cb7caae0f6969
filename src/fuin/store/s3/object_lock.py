"""The lock of a version: a retention with its mode and end, and a legal hold. The column `object_lock` has it as JSON.

A locked version is not deleted: the transaction of each deletion looks at the column, no matter who asks. Without
retention and hold the column is NULL.
"""

from __future__ import annotations

import msgspec

GOVERNANCE, COMPLIANCE = "GOVERNANCE", "COMPLIANCE"
MODES = (GOVERNANCE, COMPLIANCE)


class ObjectLock(msgspec.Struct, frozen=True, omit_defaults=True):
    """A lock; `until` is in seconds since 1970, `hold` is ON or OFF, None as long as it was never set."""

    mode: str | None = None
    until: float | None = None
    hold: str | None = None

    def column(self) -> str | None:
        """Return the lock in the index's form."""
        return None if self == UNLOCKED else _encode(self).decode()

    def retains(self, now: float) -> bool:
        """Return whether the retention lasts; `now` is a time that has certainly come."""
        return self.until is not None and self.until > now

    def forbids_deletion(self, now: float, *, bypass: bool) -> bool:
        """Return whether the version has to stay; `bypass` passes over a retention in governance mode."""
        return self.hold == "ON" or (self.retains(now) and not (bypass and self.mode == GOVERNANCE))


UNLOCKED = ObjectLock()
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ObjectLock).decode


def parse_column(kept: str | None) -> ObjectLock:
    """Return the lock that `column` has written."""
    return UNLOCKED if kept is None else _decode(kept)
