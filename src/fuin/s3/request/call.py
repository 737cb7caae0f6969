"""A call of S3, and the forms of its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from fuin.gate.call import Call
from fuin.gate.http import Answer
from fuin.s3.request import addressing, operation, xml
from fuin.store.s3.object_lock import ObjectLock
from fuin.store.s3.object_name import ObjectName

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fuin.blobs.interface import NewBlob
    from fuin.gate.authentication import Caller
    from fuin.gate.http import Request
    from fuin.s3.request.addressing import Address
    from fuin.s3.request.form import Form
    from fuin.s3.request.operation import S3Operation
    from fuin.signing.sigv4 import Signed

Headers = list[tuple[bytes, bytes]]
XML_TYPE = (b"Content-Type", b"application/xml")


class NewEncryption(NamedTuple):
    """What UpdateObjectEncryption asks for: the scheme's name, a KMS key, and whether to use an S3 Bucket Key."""

    scheme: str
    key_arn: str
    bucket_key: bool


class S3Call(Call, kw_only=True):
    """A call with its S3 request; every operation takes one and returns an answer."""

    request: Request
    row: S3Operation = operation.UNKNOWN  # of the table of operations
    address: Address = addressing.SERVICE
    query: dict[str, str] = msgspec.field(default_factory=dict)
    cors: Headers = msgspec.field(default_factory=list)  # that let a page of another origin read the answer
    hoisted: dict[bytes, bytes] = msgspec.field(default_factory=dict)  # headers, also those in a presigned query
    signed: Signed | None = None
    caller: Caller | None = None  # None for anonymous requests, which have no signature
    held: list[NewBlob] = msgspec.field(default_factory=list)  # that this request writes
    replaced: list[str] = msgspec.field(default_factory=list)  # blobs that the index no longer names
    form: Form | None = None  # of POST Object
    tags: dict[str, str] | None = None  # that the request's document gives
    lock: ObjectLock | None = None  # that the request's document gives
    new_encryption: NewEncryption | None = None  # that the request's document asks for
    seen_tags: dict[ObjectName, str | None] = msgspec.field(default_factory=dict)  # see `existing_tags.py`

    @property
    def bucket(self) -> str:
        """Return the bucket's name."""
        return self.address.bucket

    @property
    def key(self) -> str:
        """Return the object's key."""
        return self.address.key

    @property
    def version(self) -> str | None:
        """Return the version that the request names, well-formed or not, for an operation that takes one."""
        return self.query.get("versionId") if self.row.takes_version else None

    @property
    def object_name(self) -> ObjectName:
        """Return the name of the object that the request is about, with its version if it names one."""
        return ObjectName(self.address.bucket, self.address.key, self.version)

    @property
    def lacks_tls(self) -> bool:
        """Return whether the server demands TLS under SSE-C and SSE-KMS, and the request came without it."""
        return self.services.settings.require_tls_for_sse and not self.request.secure

    def header(self, name: bytes) -> str | None:
        """Return a request header's value, by lower-case name."""
        return self.request.header(name)

    def end(self) -> None:
        """Release the blobs that this request has written: the index names them, or nobody needs them."""
        Call.end(self)
        for blob in self.held:
            blob.release()
        self.held.clear()


class Batches(Protocol):
    """The batches of a body that are left to send."""

    def rest(self) -> AsyncIterator[list[memoryview]]:
        """Yield the batches that are left."""

    async def close(self) -> None:
        """Close the blobs that are read."""


@dataclass(slots=True)
class Stream:
    """An answer whose body follows in batches; `first` is verified and in memory before the status is sent."""

    status: int
    headers: Headers
    length: int
    first: list[memoryview]
    rest: Batches


def document(root: str, *content: str, headers: Headers | None = None) -> Answer:
    """Return a 200 answer with an XML document."""
    return Answer(200, [XML_TYPE, *(headers or [])], xml.document(root, *content))


def empty(status: int, headers: Headers | None = None) -> Answer:
    """Return an answer without a body."""
    return Answer(status, list(headers or []))
