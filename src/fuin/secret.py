"""A type for bytes that must never be shown, compared naively or written out by accident."""

import hmac
from typing import NoReturn


class Secret:
    """Bytes that only `reveal` gives out.

    It has no `repr` of its content, no `==`, no `hash` and no pickle: those are the ways by which secrets get into
    logs, caches and timing side channels.
    """

    __slots__ = ("_value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: bytes | bytearray) -> None:
        """Keep a private copy of `value`, so that `wipe` can overwrite it."""
        self._value = bytearray(value)

    def reveal(self) -> bytes:
        """Return the bytes; the caller answers for what becomes of this copy."""
        return bytes(self._value)

    def matches(self, other: bytes) -> bool:
        """Compare with `other` in constant time."""
        return hmac.compare_digest(self._value, other)

    def wipe(self) -> None:
        """Overwrite the bytes; copies made by `reveal` are not reached."""
        for index in range(len(self._value)):
            self._value[index] = 0

    def __len__(self) -> int:
        return len(self._value)

    def __repr__(self) -> str:
        return "Secret(...)"

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("a Secret has no ==; use matches()")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")
