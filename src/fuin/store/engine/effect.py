"""What a write means for others."""

import enum


class Effect(enum.Enum):
    """The effect of a write on the catalogs of all processes, and on rights."""

    NONE = 0  # nothing that catalogs hold
    ADDS = 1  # adds to what catalogs hold, and takes no right from anybody
    MAY_REVOKE = 2  # may take a right from somebody
