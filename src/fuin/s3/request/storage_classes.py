"""Storage classes: labels that are stored with an object and returned; the bytes are in the same place for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.s3.request import xml
from fuin.s3.request.faults import S3Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER = b"x-amz-storage-class"
STANDARD = "STANDARD"
# Those of general purpose buckets; OUTPOSTS, SNOW, EXPRESS_ONEZONE and FSX_… are of other kinds of storage.
_OTHERS = frozenset({
    "DEEP_ARCHIVE", "GLACIER", "GLACIER_IR", "INTELLIGENT_TIERING", "ONEZONE_IA", "REDUCED_REDUNDANCY", "STANDARD_IA",
})  # fmt: skip


def parse_request(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the storage class of a write, in the index's form: None is STANDARD; raises InvalidStorageClass."""
    value = headers.get(HEADER)
    if not value:
        return None
    chosen = value.decode("latin-1")
    if chosen != STANDARD and chosen not in _OTHERS:
        raise S3Fault("InvalidStorageClass", StorageClassRequested=chosen)
    return None if chosen == STANDARD else chosen


def answer_header(stored: str) -> tuple[bytes, bytes]:
    """Return the header of a GET or HEAD; S3 has none for STANDARD."""
    return HEADER, stored.encode()


def element(kept: str | None) -> str:
    """Return the element of lists and of GetObjectAttributes, which is always there."""
    return xml.text("StorageClass", kept or STANDARD)
