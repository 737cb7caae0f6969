"""What a bucket holds of blobs: objects, and multipart uploads that nobody has completed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fuin.blobs.interface import StoredBlob
from fuin.blobs.s3 import small
from fuin.blobs.s3.address import is_blob_id
from fuin.blobs.s3.client import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fuin.blobs.s3.client import Client

FOLDER = "blobs/"
UNFINISHED = ".part"


def stored_blob(name: str) -> StoredBlob | None:
    """Return the blob of a name, None when it is not the name of a blob."""
    if not is_blob_id(name.removesuffix(UNFINISHED)):
        return None
    return StoredBlob(name, name if is_blob_id(name) else "")


def list_blobs(client: Client) -> Iterator[StoredBlob]:
    """Yield all blobs, finished or not; waits, and raises StoreUnavailable."""
    for name, _, _ in small.entries(client, FOLDER):
        if is_blob_id(name):
            yield StoredBlob(name, name)
    known, start = "", len(client.address.key(FOLDER))
    for key, _ in small.uploads_of(client, client.address.key(FOLDER)):
        if key != known and is_blob_id(key[start:]):
            known = key
            yield StoredBlob(key[start:] + UNFINISHED, "")


def is_there(client: Client, stored: StoredBlob) -> bool:
    """Return whether a blob is still stored; waits, and raises StoreUnavailable."""
    key = client.address.blob_key(stored.name.removesuffix(UNFINISHED))
    if not stored.blob:
        return any(found == key for found, _ in small.uploads_of(client, key))
    try:
        client.call("head_object", Key=key)
    except NotFoundError:
        return False
    return True


def delete(client: Client, blobs: Sequence[StoredBlob]) -> None:
    """Delete blobs, finished or not; waits, and raises StoreUnavailable."""
    small.delete(client, [client.address.blob_key(stored.blob) for stored in blobs if stored.blob])
    for stored in blobs:
        if not stored.blob:
            key = client.address.blob_key(stored.name.removesuffix(UNFINISHED))
            for found, upload in list(small.uploads_of(client, key)):
                if found == key:
                    with contextlib.suppress(NotFoundError):
                        client.call("abort_multipart_upload", Key=key, UploadId=upload)
