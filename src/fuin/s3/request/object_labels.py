"""The labels of an object: standard headers, user metadata, storage class and tags, from the request to the answer.

A write makes them here once and hands them on as one value; a read writes its headers from them here. So a new label is
one more argument of each function of this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.s3.request import metadata, storage_classes, tags
from fuin.s3.request.faults import invalid_argument
from fuin.store.s3.labels import Labels

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIRECTIVE = b"x-amz-metadata-directive"
_TAG_DIRECTIVE = b"x-amz-tagging-directive"


def check_request(headers: Mapping[bytes, bytes]) -> None:
    """Refuse a storage class that is unknown, before the request asks for anything; raises InvalidStorageClass."""
    storage_classes.parse_request(headers)


def parse_request(headers: Mapping[bytes, bytes], object_lock: str | None) -> Labels:
    """Return the labels that a write stores, with its lock in the index's form.

    Raises MetadataTooLarge, InvalidStorageClass, InvalidArgument.
    """
    standard, user = metadata.parse_request(headers).columns()
    return Labels(
        headers=standard,
        metadata=user,
        storage_class=storage_classes.parse_request(headers),
        tags=tags.column(parse_tags(headers)),
        object_lock=object_lock,
    )


def parse_tags(headers: Mapping[bytes, bytes]) -> tags.Tags:
    """Return the tags that a write or a copy gives by its headers; raises InvalidArgument, BadRequest."""
    value = headers.get(tags.HEADER)
    return tags.parse_header(value) if value else {}


def parse_copy(headers: Mapping[bytes, bytes], source: Labels, object_lock: str | None) -> Labels:
    """Return the labels of a copy: the source's, or the request's if the directive is REPLACE; raises InvalidArgument.

    Tags have a directive of their own. The storage class is always the request's: STANDARD, and not the source's, if
    the request names none. So is the lock: a copy has none of its source.
    """
    chosen = source._replace(storage_class=storage_classes.parse_request(headers), object_lock=object_lock)
    if replaces_metadata(headers):
        standard, user = metadata.parse_request(headers).columns()
        chosen = chosen._replace(headers=standard, metadata=user)
    given = parse_tags(headers)  # also where the directive makes nothing of them: they are wrong or not
    return chosen._replace(tags=tags.column(given)) if replaces_tags(headers) else chosen


def replaces_metadata(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether the copy gets metadata of its own; raises InvalidArgument."""
    return _is_replace(headers, _DIRECTIVE, "Unknown metadata directive.")


def replaces_tags(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether the copy gets tags of its own; raises InvalidArgument."""
    return _is_replace(headers, _TAG_DIRECTIVE, "Unknown tagging directive.")


def _is_replace(headers: Mapping[bytes, bytes], name: bytes, unknown: str) -> bool:
    directive = headers.get(name, b"").decode("latin-1") or "COPY"
    if directive not in ("COPY", "REPLACE"):
        raise invalid_argument(name.decode(), directive, unknown)
    return directive == "REPLACE"


def answer_headers(stored: Labels, query: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return the headers of a GET or HEAD; `query` may hold response-content-type and the like."""
    found = metadata.answer_headers(metadata.parse_stored(stored), query)
    if stored.storage_class is not None:
        found.append(storage_classes.answer_header(stored.storage_class))
    return found
