"""S3's checksums of an object: the algorithms, running values, and how the values of parts combine.

Source: "Checking object integrity in Amazon S3". All are of the plaintext, in base64 of their big-endian bytes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from awscrt import checksums as crt
from awscrt.checksums import XXHash

from fuin.s3.request.faults import S3Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from typing_extensions import Buffer

PREFIX = b"x-amz-checksum-"
DEFAULT = "CRC64NVME"  # S3 stores it if a request names no algorithm
COMPOSITE, FULL_OBJECT = "COMPOSITE", "FULL_OBJECT"


class Digest(Protocol):
    """A running digest."""

    def update(self, data: Buffer, /) -> None:
        """Take more of the body."""

    def digest(self) -> bytes:
        """Return the value of the bytes so far."""


class _Crc:
    """A running CRC of `size` bytes."""

    __slots__ = ("_function", "_size", "_value")

    def __init__(self, function: Callable[[Buffer, int], int], size: int) -> None:
        self._function = function
        self._size = size
        self._value = 0

    def update(self, data: Buffer, /) -> None:
        self._value = self._function(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(self._size, "big")


class _XxHash:
    """A running XXHash."""

    __slots__ = ("_running",)

    def __init__(self, running: XXHash) -> None:
        self._running = running

    def update(self, data: Buffer, /) -> None:
        self._running.update(bytes(data))  # which takes no memoryview

    def digest(self) -> bytes:
        return bytes(self._running.finalize())


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A checksum algorithm: its size in bytes, a running value, how two values combine, and its types for parts."""

    name: str
    size: int
    start: Callable[[], Digest]
    types: tuple[str, ...]  # the first is the default of a multipart upload
    combine: Callable[[int, int, int], int] | None = None

    @property
    def header(self) -> bytes:
        """Return the header and trailer name."""
        return PREFIX + self.name.lower().encode()

    @property
    def element(self) -> str:
        """Return the XML element's name."""
        return f"Checksum{self.name}"

    def decode(self, text: str) -> bytes:
        """Return the bytes of a base64 value; raises InvalidRequest."""
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != self.size:
            raise S3Fault("InvalidRequest", f"Value for {self.header.decode()} header is invalid.")
        return raw


ALGORITHMS: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm("CRC32", 4, lambda: _Crc(zlib.crc32, 4), (COMPOSITE, FULL_OBJECT), crt.combine_crc32),
        Algorithm("CRC32C", 4, lambda: _Crc(crt.crc32c, 4), (COMPOSITE, FULL_OBJECT), crt.combine_crc32c),
        Algorithm("CRC64NVME", 8, lambda: _Crc(crt.crc64nvme, 8), (FULL_OBJECT,), crt.combine_crc64nvme),
        Algorithm("SHA1", 20, lambda: hashlib.sha1(usedforsecurity=False), (COMPOSITE,)),
        Algorithm("SHA256", 32, hashlib.sha256, (COMPOSITE,)),
        Algorithm("SHA512", 64, hashlib.sha512, (COMPOSITE,)),
        Algorithm("MD5", 16, lambda: hashlib.md5(usedforsecurity=False), (COMPOSITE,)),
        Algorithm("XXHASH64", 8, lambda: _XxHash(XXHash.new_xxhash64()), (COMPOSITE,)),
        Algorithm("XXHASH3", 8, lambda: _XxHash(XXHash.new_xxhash3_64()), (COMPOSITE,)),
        Algorithm("XXHASH128", 16, lambda: _XxHash(XXHash.new_xxhash3_128()), (COMPOSITE,)),
    )
}
_BY_HEADER = {algorithm.header: algorithm for algorithm in ALGORITHMS.values()}
# Not checksums themselves, though their headers start like one.
_OTHERS = {b"x-amz-checksum-algorithm", b"x-amz-checksum-type", b"x-amz-checksum-mode"}


@dataclass(frozen=True, slots=True)
class Checksum:
    """The value of one algorithm, in base64; `kind` is FULL_OBJECT, or COMPOSITE for one of the parts' checksums."""

    algorithm: str
    value: str
    kind: str = FULL_OBJECT


def find_algorithm(text: str, header: str) -> Algorithm:
    """Return the algorithm of that name; raises InvalidRequest."""
    found = ALGORITHMS.get(text.upper())
    if found is None:
        raise S3Fault(
            "InvalidRequest",
            f"Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(ALGORITHMS)}]",
            Header=header,
        )
    return found


def algorithms_of_headers(names: Iterable[bytes]) -> list[Algorithm]:
    """Return the algorithms of which these headers have values; raises NotImplemented for unknown ones."""
    found = []
    for name in names:
        if name.startswith(PREFIX) and name not in _OTHERS:
            algorithm = _BY_HEADER.get(name)
            if algorithm is None:
                raise S3Fault(
                    "NotImplemented", "This checksum algorithm is not implemented by this server.", Header=name.decode()
                )
            found.append(algorithm)
    return found


def encode(raw: bytes) -> str:
    """Return the base64 of a value."""
    return base64.b64encode(raw).decode()


def combine(algorithm: Algorithm, parts: Iterable[tuple[str, int]]) -> str:
    """Return the full-object value from the parts' values and sizes: CRCs combine."""
    if algorithm.combine is None:
        raise ValueError(f"{algorithm.name} values do not combine")
    value = 0
    for text, size in parts:
        value = algorithm.combine(value, int.from_bytes(base64.b64decode(text), "big"), size)
    return encode(value.to_bytes(algorithm.size, "big"))


def composite_value(algorithm: Algorithm, values: list[str]) -> str:
    """Return the composite value: the checksum of the parts' checksums, with the number of parts."""
    running = algorithm.start()
    for value in values:
        running.update(base64.b64decode(value))
    return f"{encode(running.digest())}-{len(values)}"
