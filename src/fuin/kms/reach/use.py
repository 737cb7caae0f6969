"""A use of a key, as an operation asks for it."""

from __future__ import annotations

from typing import NamedTuple

from fuin.kms.model.specs import ENCRYPT_DECRYPT, SYMMETRIC_DEFAULT


class Use(NamedTuple):
    """A use of a key: the IAM action, and what the key and its policy must allow for it.

    `usage` and `algorithm` are None for an action of keys of every kind; `algorithm` alone is None where the
    request does not name one. `more` holds further condition keys, in lower case, as pairs so that a use can be looked
    up.
    """

    action: str
    usage: str | None = ENCRYPT_DECRYPT
    algorithm: str | None = SYMMETRIC_DEFAULT
    more: tuple[tuple[str, str], ...] = ()
