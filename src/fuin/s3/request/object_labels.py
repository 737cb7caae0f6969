"""The labels of an object: standard headers, user metadata and storage class, from the request to the answer.

A write makes them here once and hands them on as one value; a read writes its headers from them here. So a new label is
one more argument of each function of this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.s3.request import metadata, storage_classes
from fuin.s3.request.faults import invalid_argument
from fuin.store.s3.labels import Labels

if TYPE_CHECKING:
    from collections.abc import Mapping

_DIRECTIVE = b"x-amz-metadata-directive"


def check_request(headers: Mapping[bytes, bytes]) -> None:
    """Refuse a storage class that is unknown, before the request asks for anything; raises InvalidStorageClass."""
    storage_classes.parse_request(headers)


def parse_request(headers: Mapping[bytes, bytes]) -> Labels:
    """Return the labels that a write stores; raises MetadataTooLarge, InvalidStorageClass."""
    standard, user = metadata.parse_request(headers).columns()
    return Labels(headers=standard, metadata=user, storage_class=storage_classes.parse_request(headers))


def parse_copy(headers: Mapping[bytes, bytes], source: Labels) -> Labels:
    """Return the labels of a copy: the source's, or the request's if the directive is REPLACE; raises InvalidArgument.

    The storage class is always the request's: STANDARD, and not the source's, if the request names none.
    """
    if replaces_metadata(headers):
        return parse_request(headers)
    return source._replace(storage_class=storage_classes.parse_request(headers))


def replaces_metadata(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether the copy gets metadata of its own."""
    directive = headers.get(_DIRECTIVE, b"").decode("latin-1") or "COPY"
    if directive not in ("COPY", "REPLACE"):
        raise invalid_argument(_DIRECTIVE.decode(), directive, "Unknown metadata directive.")
    return directive == "REPLACE"


def answer_headers(stored: Labels, query: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return the headers of a GET or HEAD; `query` may hold response-content-type and the like."""
    found = metadata.answer_headers(metadata.parse_stored(stored), query)
    if stored.storage_class is not None:
        found.append(storage_classes.answer_header(stored.storage_class))
    return found
