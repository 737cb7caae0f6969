"""The address of a bucket or an object on the command line: s3://BUCKET/KEY."""

from __future__ import annotations

from typing import NamedTuple

from fuin.errors import FuinError

SCHEME = "s3://"


class Address(NamedTuple):
    """A bucket, and the key of an object or the beginning of keys."""

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"{SCHEME}{self.bucket}/{self.key}"


def is_address(text: str) -> bool:
    """Return whether this is about S3, not a file."""
    return text.startswith(SCHEME)


def parse_address(text: str) -> Address:
    """Return the bucket and the key, which may be empty; raises FuinError."""
    bucket, _, key = text.removeprefix(SCHEME).partition("/")
    if not is_address(text) or not bucket:
        raise FuinError(f"{text} is no place in S3: write {SCHEME}BUCKET/KEY")
    return Address(bucket, key)


def parse_object(text: str) -> Address:
    """Return the bucket and the key of an object; raises FuinError."""
    address = parse_address(text)
    if not address.key:
        raise FuinError(f"{text} is a bucket, not an object: write {SCHEME}{address.bucket}/KEY")
    return address
