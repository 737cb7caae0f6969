"""Which store of blobs a server has, by its settings: the one place that chooses an implementation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.blobs.files.store import FileBlobs

if TYPE_CHECKING:
    from fuin.blobs.interface import BlobStore
    from fuin.settings import Settings


def configured_store(settings: Settings) -> BlobStore:
    """Return the store of the settings: a bucket on S3, or files in the data folder; raises FuinError."""
    if not settings.blobs_url:
        return FileBlobs(settings.blobs)
    # botocore takes a third of a second and 30 MiB; a server with files needs none of its client.
    from fuin.blobs.s3.address import parse_address  # noqa: PLC0415
    from fuin.blobs.s3.store import S3Blobs  # noqa: PLC0415

    address = parse_address(settings.blobs_url)
    return S3Blobs(address, endpoint=settings.blobs_endpoint, authority=settings.blobs_ca)
