"""The digests of a body, which are computed while it passes, and their check against the request's declaration."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import TYPE_CHECKING

from fuin.s3.payload import checksums
from fuin.s3.request.faults import S3Fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import Buffer

    from fuin.s3.payload.checksums import Algorithm, Digest
    from fuin.s3.payload.declaration import Declaration

MD5, SHA256 = "MD5", "SHA256"


class Digests:
    """The running digests of one body. Only digests that somebody needs are computed: they cost more than encryption.

    `algorithms` are the checksums to store; `etag` is True if the ETag is the MD5.
    """

    def __init__(self, declaration: Declaration | None, algorithms: Iterable[Algorithm], *, etag: bool) -> None:
        self._promise = declaration
        self._kept = tuple(dict.fromkeys(algorithms))
        self._running: dict[str, Digest] = {algorithm.name: algorithm.start() for algorithm in self._kept}
        if declaration is not None and declaration.checksum is not None:
            self._running.setdefault(declaration.checksum.name, declaration.checksum.start())
        if etag or (declaration is not None and declaration.md5 is not None):
            self._running[MD5] = hashlib.md5(usedforsecurity=False)
        if declaration is not None and declaration.sha256 is not None:
            self._running.setdefault(SHA256, hashlib.sha256())
        self._all = tuple(self._running.values())

    def update(self, data: Buffer) -> None:
        """Take more of the body."""
        for running in self._all:
            running.update(data)

    def md5(self) -> str:
        """Return the MD5 in hex, where the ETag needs it."""
        return self._running[MD5].digest().hex()

    def values(self) -> dict[str, str]:
        """Return the checksums to store, in base64, by algorithm."""
        return {algorithm.name: checksums.encode(self._running[algorithm.name].digest()) for algorithm in self._kept}

    def check(self, trailers: Mapping[str, str]) -> None:
        """Compare with the declaration; raises XAmzContentSHA256Mismatch or BadDigest."""
        declaration = self._promise
        if declaration is None:
            return
        if declaration.sha256 is not None:
            found = self._running[SHA256].digest()
            if not hmac.compare_digest(found, declaration.sha256):
                raise S3Fault(
                    "XAmzContentSHA256Mismatch",
                    ClientComputedContentSHA256=declaration.sha256.hex(),
                    S3ComputedContentSHA256=found.hex(),
                )
        if declaration.md5 is not None and self._running[MD5].digest() != declaration.md5:
            calculated = checksums.encode(self._running[MD5].digest())
            raise S3Fault("BadDigest", ExpectedDigest=checksums.encode(declaration.md5), CalculatedDigest=calculated)
        if declaration.checksum is not None:
            self._check_checksum(declaration.checksum, declaration.value, trailers)

    def _check_checksum(self, algorithm: Algorithm, value: bytes | None, trailers: Mapping[str, str]) -> None:
        if value is None:
            value = _trailer_value(algorithm, trailers)
        if self._running[algorithm.name].digest() != value:
            raise S3Fault("BadDigest", f"The {algorithm.name} you specified did not match the calculated checksum.")


def _trailer_value(algorithm: Algorithm, trailers: Mapping[str, str]) -> bytes:
    text = trailers.get(algorithm.header.decode())
    if text is None:
        raise S3Fault("MalformedTrailerError")
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != algorithm.size:
        raise S3Fault("InvalidRequest", f"Value for {algorithm.header.decode()} trailing header is invalid.")
    return raw
