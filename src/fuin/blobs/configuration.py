"""Which store of blobs and of logs' copies a server has, by its settings: the place that chooses implementations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.blobs.files.log_copies import FileLogCopies
from fuin.blobs.files.store import FileBlobs

if TYPE_CHECKING:
    from fuin.audit.copies import Copies
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


def configured_copies(settings: Settings) -> Copies:
    """Return the place for the copies of the nodes' logs: beside the blobs; raises FuinError."""
    if not settings.blobs_url:
        return FileLogCopies(settings.blobs / "audit")
    from fuin.blobs.s3.address import parse_address  # noqa: PLC0415
    from fuin.blobs.s3.log_copies import S3LogCopies  # noqa: PLC0415

    address = parse_address(settings.blobs_url)
    return S3LogCopies(address, endpoint=settings.blobs_endpoint, authority=settings.blobs_ca)
