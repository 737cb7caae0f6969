"""The place of a store of blobs: `s3://BUCKET/PREFIX`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fuin.errors import FuinError

_ADDRESS = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[\w.=/-]*))?", re.ASCII)
_BLOB_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Address:
    """A bucket, and what each key begins with: empty, or a path that ends with a slash."""

    bucket: str
    prefix: str

    @property
    def place(self) -> str:
        """Return the address for people."""
        return f"s3://{self.bucket}/{self.prefix.removesuffix('/')}".removesuffix("/")

    def key(self, name: str) -> str:
        """Return the key of one of the store's own objects."""
        return self.prefix + name

    def blob_key(self, blob: str) -> str:
        """Return the key of a blob; raises ValueError unless it is an id."""
        if not _BLOB_ID.fullmatch(blob):
            raise ValueError("not a blob id")
        return f"{self.prefix}blobs/{blob}"


def parse_address(url: str) -> Address:
    """Return the bucket and the prefix that a URL names; raises FuinError."""
    parsed = _ADDRESS.fullmatch(url)
    prefix = "" if parsed is None else (parsed["prefix"] or "").strip("/")
    if parsed is None or "//" in prefix or {".", ".."} & set(prefix.split("/")):
        raise FuinError("--blobs takes s3://BUCKET or s3://BUCKET/PREFIX")
    return Address(parsed["bucket"], prefix and f"{prefix}/")


def is_blob_id(name: str) -> bool:
    """Return whether a name is a blob's id."""
    return _BLOB_ID.fullmatch(name) is not None
