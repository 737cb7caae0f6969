"""The metadata of an object: x-amz-meta- and standard headers; and the headers of missing capabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin.access.vocabulary.missing_capabilities import MISSING
from fuin.s3.request import encoded_words, fields
from fuin.s3.request.faults import S3Fault, not_implemented

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.store.s3.labels import Labels

META = b"x-amz-meta-"
META_LIMIT = 2048  # bytes of names and values together
DEFAULT_TYPE = "binary/octet-stream"

# Header of the request and the answer; GET's query may override each with response-NAME.
STANDARD = (
    b"content-type", b"cache-control", b"content-disposition", b"content-encoding", b"content-language", b"expires",
)  # fmt: skip
_SPELLED = {name.decode(): name.title() for name in STANDARD}  # as answers have it: Content-Type
_REFUSED = tuple((header, row) for row in MISSING for header in row.headers)

_decode = msgspec.json.Decoder(dict[str, str]).decode
_encode = msgspec.json.Encoder(order="sorted").encode


class Metadata(msgspec.Struct, frozen=True):
    """Headers by lower-case name; values are the Latin-1 text of the client's bytes.

    Answers write those of `meta` by `encoded_words`.
    """

    headers: dict[str, str]
    meta: dict[str, str]  # names without the prefix

    def columns(self) -> tuple[str, str]:
        """Return both as the JSON of the index's columns `headers` and `metadata`."""
        return _encode(self.headers).decode(), _encode(self.meta).decode()


def parse_request(headers: Mapping[bytes, bytes]) -> Metadata:
    """Return the metadata that a write stores; raises MetadataTooLarge."""
    kept = {name.decode(): headers[name].decode("latin-1") for name in STANDARD if headers.get(name)}
    encoding = kept.pop("content-encoding", None)
    if encoding is not None:  # aws-chunked is the transfer's, not the object's
        left = ",".join(item for item in encoding.split(",") if item.strip().lower() != "aws-chunked").strip()
        if left:
            kept["content-encoding"] = left
    kept.setdefault("content-type", DEFAULT_TYPE)
    start = len(META)
    meta = {
        name[start:].decode("latin-1"): value.decode("latin-1")
        for name, value in headers.items()
        if name.startswith(META)
    }
    size = sum(len(name) + len(value) for name, value in meta.items())
    if size > META_LIMIT:
        raise S3Fault("MetadataTooLarge", Size=str(size), MaxSizeAllowed=str(META_LIMIT))
    return Metadata(kept, meta)


def parse_stored(labels: Labels) -> Metadata:
    """Return an object's metadata."""
    return Metadata(_decode(labels.headers), _decode(labels.metadata))


def check_supported(headers: Mapping[bytes, bytes]) -> None:
    """Refuse a write with a header of a missing capability, since ignoring it would pretend to have it.

    Empty ones ask for nothing, and SDKs send them for empty strings.
    """
    for header, capability in _REFUSED:
        if headers.get(header):
            raise not_implemented(capability, header.decode())


def answer_headers(kept: Metadata, query: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return the headers of a GET or HEAD; `query` may hold response-content-type and the like."""
    headers = _override(kept.headers, query) if query else kept.headers
    found = [(_SPELLED[name], value.encode("latin-1")) for name, value in headers.items()]
    return found + _meta_headers(kept.meta) if kept.meta else found


def _override(headers: Mapping[str, str], query: Mapping[str, str]) -> dict[str, str]:
    """Return standard headers, some of them as a query gives them."""
    changed = dict(headers)
    for name in _SPELLED:
        override = query.get(f"response-{name}")
        if override is not None:
            fields.check_answer_value(f"response-{name}", override)
            changed[name] = override
    return changed


def _meta_headers(meta: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return x-amz-meta- headers; names that no header can have, which were accepted once, are counted as S3 does."""
    found = []
    for name, value in meta.items():
        header = META + name.encode("latin-1")
        if fields.is_name(header):
            found.append((header, encoded_words.header_value(value).encode()))
    if len(found) < len(meta):
        found.append((b"x-amz-missing-meta", str(len(meta) - len(found)).encode()))
    return found
