"""The part of the store that a proof is about: all of it, or the objects of one bucket whose keys begin alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from fuin.errors import FuinError
from fuin.ledger.pages import read_pages
from fuin.store.s3 import buckets, key_use_rows, message_rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fuin.store.s3.message_rows import Owner
    from fuin.store.store import Store

_SCHEME = "s3://"
_BUCKETS = 1000  # of a page


class Scope(NamedTuple):
    """The bucket and the beginning of the keys; both are empty for the whole store."""

    bucket: str = ""
    prefix: str = ""

    @property
    def is_whole(self) -> bool:
        """Return whether this is the whole store."""
        return not self.bucket

    def __str__(self) -> str:
        return f"{_SCHEME}{self.bucket}/{self.prefix}" if self.bucket else "the whole store"


def parse_scope(text: str | None) -> Scope:
    """Return the scope of s3://bucket or s3://bucket/prefix, by default the whole store; raises FuinError."""
    if text is None:
        return Scope()
    bucket, _, prefix = text.removeprefix(_SCHEME).partition("/")
    if not text.startswith(_SCHEME) or not bucket:
        raise FuinError(f"{text} is not s3://bucket or s3://bucket/prefix")
    return Scope(bucket, prefix)


async def bucket_names(store: Store, scope: Scope) -> AsyncIterator[str]:
    """Yield the names of the buckets; raises FuinError if the scope's own does not exist."""
    if not scope.is_whole:
        if await store.read(buckets.find_bucket, scope.bucket) is None:
            raise FuinError(f"there is no bucket {scope.bucket}")
        yield scope.bucket
        return
    async for page in read_pages(store, key_use_rows.page_of_buckets, "", _BUCKETS):
        for row in page:
            yield row.mark


async def list_owners(store: Store, scope: Scope) -> AsyncIterator[Owner]:
    """Yield all versions and uploads. Uploads come first, so that none is passed over which becomes an object."""
    for read in (message_rows.page_of_uploads, message_rows.page_of_versions):
        async for bucket in bucket_names(store, scope):
            after: message_rows.Mark | None = message_rows.Mark()
            while after is not None:
                page = await store.read(read, bucket, scope.prefix, after)
                for owner in page.owners:
                    yield owner
                after = page.after


async def stored_bytes(store: Store, scope: Scope) -> int:
    """Return the bytes of all messages, as the rows have them."""
    return sum([
        await store.read(message_rows.stored_bytes, bucket, scope.prefix)
        async for bucket in bucket_names(store, scope)
    ])  # fmt: skip
