"""A bucket under SSE-KMS, and the proof that it stores ciphertext."""

import secrets
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.support.server import Server

_HEADER = 8192  # bytes of a stored message that hold its header, with the encryption context


@dataclass(frozen=True, slots=True)
class EncryptedBucket:
    """A server, a bucket whose default is `aws:kms`, and the key that the default names."""

    server: Server
    bucket: str
    key_arn: str
    alias: str

    def stored(self, key: str) -> list[bytes]:
        """Return the stored bytes of an object, one message a part, found by the ARN in the messages' headers."""
        arn = f"arn:aws:s3:::{self.bucket}/{key}".encode()
        found = [path.read_bytes() for path in self.server.blobs()] + self._small()
        return [blob for blob in found if _names(blob[:_HEADER], arn)]

    def _small(self) -> list[bytes]:
        """Return the messages of the small objects, which are in the index."""
        query = "SELECT content FROM object_parts WHERE content IS NOT NULL"
        with closing(sqlite3.connect(f"file:{self.server.data / 'fuin.db'}?mode=ro", uri=True, timeout=30)) as database:
            return [content for (content,) in database.execute(query)]

    def assert_sealed(self, key: str, content: bytes, *, parts: int | None = None) -> None:
        """Assert that an object is stored, under this place's key, and that no piece of its content is in any blob.

        `content` comes from `payload`, so that each of its lines is unmistakable.
        """
        blobs = self.stored(key)
        assert blobs, f"no stored message names {key}"
        assert parts is None or len(blobs) == parts
        assert all(self.key_arn.encode() in blob[:_HEADER] for blob in blobs), "stored under another key"
        assert sum(map(len, blobs)) > len(content)
        line = content[:32]
        assert content.count(line) >= len(content) // 32 - 1, "not a payload of this test"
        for path in self.server.blobs():
            assert line not in path.read_bytes(), f"{path} holds the plaintext"
        for path in self.server.data.glob("fuin.db*"):
            assert line not in path.read_bytes(), f"{path} holds the plaintext"


def _names(header: bytes, arn: bytes) -> bool:
    at = header.find(arn)
    # The two bytes before it are its length: another object's name may begin like this one's.
    return at >= 2 and int.from_bytes(header[at - 2 : at], "big") == len(arn)


def payload(size: int) -> bytes:
    """Return `size` bytes made of one random line of 32 characters, again and again."""
    line = secrets.token_hex(16).encode()
    return (line * (size // 32 + 1))[:size]


def write(path: Path, size: int) -> bytes:
    """Write a payload to a file and return it."""
    content = payload(size)
    path.write_bytes(content)
    return content
