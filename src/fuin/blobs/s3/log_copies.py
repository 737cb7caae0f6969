"""Copies of the nodes' logs beside the blobs, as objects PREFIX/audit/NAME."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.audit.copies import AlreadyThere, CopyMissing
from fuin.blobs.s3 import small
from fuin.blobs.s3.client import AlreadyThereError, Client, NotFoundError, OutOfRangeError
from fuin.errors import StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from fuin.blobs.s3.address import Address

FOLDER = "audit/"


class S3LogCopies:
    """`audit.copies.Copies` in a bucket; an object is only ever made anew (`If-None-Match: *`)."""

    def __init__(self, address: Address, *, endpoint: str = "", authority: Path | None = None) -> None:
        self.place = f"{address.place}/{FOLDER.removesuffix('/')}"
        self._client = Client(address, endpoint, authority)

    def put(self, name: str, content: memoryview) -> None:
        """Store an object under a new key; raises AlreadyThere or StoreUnavailable."""
        try:
            self._client.call("put_object", Key=self._key(name), body=content, IfNoneMatch="*")
        except AlreadyThereError:
            raise AlreadyThere(name) from None
        except NotFoundError as error:
            raise StoreUnavailable(f"{self.place} cannot be written: {error.code}") from error

    def read(self, name: str, start: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of an object, or some of them; raises CopyMissing or StoreUnavailable."""
        span = None if length is None else f"bytes={start}-{start + length - 1}"
        try:
            content, _ = self._client.read(self._key(name), span)
        except NotFoundError as error:
            if error.code != "NoSuchKey":
                raise StoreUnavailable(f"{self.place} cannot be read: {error.code}") from error
            raise CopyMissing(name) from None
        except OutOfRangeError:
            return b""
        return content

    def names(self, folder: str) -> Iterator[tuple[str, int]]:
        """Yield the names below a folder and their lengths."""
        start, token = len(self._key(folder)), None
        while True:
            found = small.page(self._client, FOLDER + folder, token=token)
            for entry in found.get("Contents", ()):
                yield entry["Key"][start:], entry["Size"]
            token = found.get("NextContinuationToken")
            if token is None:
                return

    def remove(self, names: Iterable[str]) -> None:
        """Delete objects."""
        small.delete(self._client, map(self._key, names))

    def _key(self, name: str) -> str:
        return self._client.address.key(FOLDER + name)
