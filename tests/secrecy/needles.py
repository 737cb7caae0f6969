"""What is searched for, and how: each secret in all the forms in which it could have been written out."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Needle:
    """A secret under a name; only the name is ever printed."""

    name: str
    forms: tuple[bytes, ...]

    def __repr__(self) -> str:
        return f"Needle({self.name})"

    @property
    def longest(self) -> int:
        """Return the length of its longest form."""
        return max(map(len, self.forms))


def needle(name: str, secret: bytes) -> Needle:
    """Return the needle of a secret of at least 32 bytes.

    The raw bytes are searched for in halves: a freed block of memory loses its first bytes to the allocator, and a half
    of a key is far too much as well.
    """
    assert len(secret) >= 32
    middle = len(secret) // 2
    hexadecimal = secret.hex().encode()
    forms = {secret[:middle], secret[middle:], hexadecimal, hexadecimal.upper(), *_as_python(secret)}
    for shift in range(3):
        stable = _base64_at(secret, shift)
        forms |= {stable, stable.replace(b"+", b"-").replace(b"/", b"_")}
    return Needle(name, tuple(sorted(forms)))


def _as_python(secret: bytes) -> tuple[bytes, bytes]:
    """Return how Python writes bytes; it escapes a single quote or not, as the bytes around it want it."""
    plain = "".join("'" if byte == ord("'") else repr(bytes([byte]))[2:-1] for byte in secret).encode()
    return plain, plain.replace(b"'", b"\\'")


def _base64_at(secret: bytes, shift: int) -> bytes:
    """Return the base 64 characters that depend on `secret` alone, `shift` bytes after a multiple of 3."""
    encoded = base64.b64encode(bytes(shift) + secret)
    first = (shift * 8 + 5) // 6
    last = (shift + len(secret)) * 8 // 6
    return encoded[first:last]


def found(haystack: bytes | memoryview, needles: Iterable[Needle]) -> list[str]:
    """Return the names of the needles that are in a haystack."""
    data = haystack if isinstance(haystack, bytes) else bytes(haystack)
    return [one.name for one in needles if any(form in data for form in one.forms)]


def found_in_files(files: Iterable[tuple[str, bytes]], needles: Sequence[Needle]) -> list[str]:
    """Return `name holds needle` for each file, given as its name and content, that holds one."""
    return [f"{name} holds {hit}" for name, content in files for hit in found(content, needles)]
