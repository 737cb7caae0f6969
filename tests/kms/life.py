"""A small model of keys' lives: what the service must say next, told without any of its code.

Times do not pass by themselves here: the machine lets a deletion date, an expiry or a rotation come.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ENABLED, DISABLED, PENDING_IMPORT, PENDING_DELETION = "Enabled", "Disabled", "PendingImport", "PendingDeletion"
PENDING_REPLICAS = "PendingReplicaDeletion"
INVALID, IS_DISABLED, GONE = "KMSInvalidStateException", "DisabledException", "NotFoundException"
UNSUPPORTED, LIMIT = "UnsupportedOperationException", "LimitExceededException"

SYMMETRIC, IMPORTED, SIGNING, SEVERAL = "symmetric", "imported", "signing", "several regions"
ROTATIONS_ON_DEMAND = 25  # by the service model


@dataclass
class Blob:
    """A ciphertext, and what must come out of it for as long as its key can be used."""

    data: bytes
    plaintext: bytes
    context: dict[str, str]
    material: str


@dataclass
class Life:
    """One key in one Region."""

    key_id: str
    kind: str
    region: str
    state: str = ENABLED
    primary: bool = True
    rotating: bool = False
    on_demand: int = 0
    materials: list[str] = field(default_factory=list)  # ids, the current one last
    brought: bytes = b""  # the imported material
    blobs: list[Blob] = field(default_factory=list)
    aliases: set[str] = field(default_factory=set)
    grants: dict[str, str] = field(default_factory=dict)  # grant id -> token

    @property
    def symmetric(self) -> bool:
        """Tell whether it encrypts."""
        return self.kind != SIGNING

    def use(self) -> str | None:
        """Return the error of a use of the key, or None."""
        if self.state == ENABLED:
            return None
        return IS_DISABLED if self.state == DISABLED else INVALID

    def switch(self) -> str | None:
        """Return the error of EnableKey and DisableKey."""
        return None if self.state in (ENABLED, DISABLED) else INVALID

    def schedule(self) -> str | None:
        """Return the error of ScheduleKeyDeletion."""
        return INVALID if self.state in (PENDING_DELETION, PENDING_REPLICAS) else None

    def cancel(self) -> str | None:
        """Return the error of CancelKeyDeletion."""
        return None if self.state in (PENDING_DELETION, PENDING_REPLICAS) else INVALID

    def alias(self) -> str | None:
        """Return the error of CreateAlias."""
        return INVALID if self.state in (PENDING_DELETION, PENDING_REPLICAS) else None

    def stop_rotation(self) -> str | None:
        """Return the error of DisableKeyRotation; a key that never rotates has none for its spec."""
        return self.use() if self.kind == SIGNING else self.configure_rotation()

    def configure_rotation(self) -> str | None:
        """Return the error of EnableKeyRotation."""
        if self.kind == IMPORTED:
            return UNSUPPORTED  # for its origin, whatever its state
        return self.use() or (UNSUPPORTED if self.kind == SIGNING or not self.primary else None)

    def rotate(self) -> str | None:
        """Return the error of RotateKeyOnDemand on a key whose material is made here."""
        return self.configure_rotation() or (LIMIT if self.on_demand >= ROTATIONS_ON_DEMAND else None)
