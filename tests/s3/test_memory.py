"""Large objects pass through the real server in constant memory."""

import hashlib
import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.support.server import Server

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MIB = 1024 * 1024
GROWTH_AT_MOST = 64 * MIB
_PIECE = os.urandom(MIB)


class Endless(io.RawIOBase):
    """A seekable file of one repeated piece, as long as the test wants and never in memory."""

    def __init__(self, size: int) -> None:
        self._size, self._at = size, 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be sought: boto3 reads it once for the signature and once to send it."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move."""
        self._at = {0: 0, 1: self._at, 2: self._size}[whence] + offset
        return self._at

    def tell(self) -> int:
        """Tell where it stands."""
        return self._at

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill the buffer with at most the rest of one piece."""
        view = memoryview(buffer).cast("B")
        start = self._at % MIB
        count = min(len(view), self._size - self._at, MIB - start)
        view[:count] = _PIECE[start : start + count]
        self._at += count
        return count


def resident(server: Server) -> int:
    """Return the resident bytes of the workers."""
    return sum(int(worker.memory_info().rss) for worker in server.workers())


def passes(server: Server, bucket: str, size: int) -> None:
    """Put and get an object of `size` bytes and compare memory before and after each."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="warm", Body=Endless(8 * MIB), ServerSideEncryption="aws:kms")
    before = resident(server)
    s3.put_object(Bucket=bucket, Key="large", Body=Endless(size), ServerSideEncryption="aws:kms")
    after_put = resident(server)
    digest, expected = hashlib.sha256(), hashlib.sha256()
    body = s3.get_object(Bucket=bucket, Key="large")["Body"]
    for piece in body.iter_chunks(MIB):
        digest.update(piece)
    for _ in range(size // MIB):
        expected.update(_PIECE)
    assert digest.digest() == expected.digest()
    assert after_put - before < GROWTH_AT_MOST
    assert resident(server) - before < GROWTH_AT_MOST
    s3.delete_object(Bucket=bucket, Key="large")


@pytest.mark.real
def test_memory_is_constant(server: Server, unique: Callable[[str], str]) -> None:
    """128 MiB pass while the workers grow by less than 64 MiB."""
    passes(server, unique("memory"), 128 * MIB)


@pytest.mark.real
def test_memory_is_constant_over_tls(tls_server: Server, unique: Callable[[str], str]) -> None:
    """The same over TLS, where boto3 sends chunks with a trailing checksum."""
    passes(tls_server, unique("memory"), 128 * MIB)


@pytest.mark.real
@pytest.mark.long
def test_memory_is_constant_for_a_gibibyte(server: Server, unique: Callable[[str], str]) -> None:
    """1 GiB passes while the workers grow by less than 64 MiB."""
    passes(server, unique("memory"), 1024 * MIB)
