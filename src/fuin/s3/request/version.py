"""The version that a request names, and the headers that tell a client of versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.s3.request.conditions import http_date
from fuin.s3.request.faults import S3Fault, invalid_argument
from fuin.store.s3 import version_id
from fuin.store.s3.object_name import UNVERSIONED

if TYPE_CHECKING:
    from fuin.s3.request.call import Headers, S3Call
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.objects import DeleteMarker

PARAMETER = "versionId"
_HEADER, _SOURCE_HEADER, _MARKER_HEADER = b"x-amz-version-id", b"x-amz-copy-source-version-id", b"x-amz-delete-marker"
_INVALID, _EMPTY = "Invalid version id specified", "Version id cannot be the empty string"


def is_well_formed(text: str) -> bool:
    """Return whether a text can be the id of a version, which may have been deleted or may never have been."""
    return text == UNVERSIONED or version_id.parse_order(text) is not None


def check(text: str | None, name: str = PARAMETER) -> str | None:
    """Return a version, None if there is no text; raises InvalidArgument."""
    if text is not None and not is_well_formed(text):
        raise invalid_argument(name, text[:100], _INVALID if text else _EMPTY)
    return text


def check_request(call: S3Call) -> None:
    """Refuse a request with a version id that no version has; its rights are checked before."""
    check(call.version)


def answer_headers(bucket: Bucket, version: str | None) -> Headers:
    """Return the header with the version that was read; a bucket without versions has none."""
    return [] if bucket.versioning is None or version is None else [(_HEADER, version.encode())]


def written_headers(version: str) -> Headers:
    """Return the header with the version that was written; AWS sends none for the null version."""
    return [] if version == UNVERSIONED else [(_HEADER, version.encode())]


def source_headers(source: str | None) -> Headers:
    """Return the header with the version of a copy's source; AWS sends none for the null version."""
    return [] if source in (None, UNVERSIONED) else [(_SOURCE_HEADER, source.encode())]


def copied_headers(bucket: Bucket, version: str, source: str | None) -> Headers:
    """Return the headers with the versions of a copy, also of a null one, and of its source."""
    return answer_headers(bucket, version) + source_headers(source)


def deleted_headers(version: str | None, *, is_marker: bool) -> Headers:
    """Return the headers of a deletion: the version that went, or the delete marker that was made."""
    found: Headers = [(_MARKER_HEADER, b"true")] if is_marker else []
    return found if version is None else [*found, (_HEADER, version.encode())]


def marker_fault(call: S3Call, marker: DeleteMarker) -> S3Fault:
    """Return the refusal of a request on a delete marker, which may only be deleted."""
    fault = S3Fault("MethodNotAllowed", Method=call.request.method, ResourceType="DeleteMarker")
    fault.headers = [
        *deleted_headers(marker.version, is_marker=True), (b"Allow", b"DELETE"),
        (b"Last-Modified", http_date(marker.modified).encode()),
    ]  # fmt: skip
    return fault
