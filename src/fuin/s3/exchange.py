"""One S3 request on its way through an operation: who asks, for what, and its answer's forms."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fuin.request import Answer
from fuin.s3 import xml

if TYPE_CHECKING:
    from fuin.caller import Caller
    from fuin.gate import Call
    from fuin.request import Request
    from fuin.s3.addressing import Address
    from fuin.s3.blobs import NewBlob
    from fuin.s3.reading import Reading
    from fuin.services import Services

Headers = list[tuple[bytes, bytes]]
XML_TYPE = (b"Content-Type", b"application/xml")


@dataclass(slots=True)
class Exchange:
    """A request with what is known of it; operations take it and return an answer."""

    call: Call
    request: Request
    caller: Caller | None  # None for anonymous requests, which have no signature
    address: Address
    query: dict[str, str]
    held: list[NewBlob] = field(default_factory=list)  # files that this request writes
    replaced: list[str] = field(default_factory=list)  # blobs that the index names no more

    def release(self) -> None:
        """Let go of the files that this request has written: the index names them, or nobody needs them."""
        for blob in self.held:
            blob.release()
        self.held.clear()

    @property
    def services(self) -> Services:
        """Return the store, the keyholder and the settings."""
        return self.call.services

    @property
    def bucket(self) -> str:
        """Return the bucket's name."""
        return self.address.bucket

    @property
    def key(self) -> str:
        """Return the object's key."""
        return self.address.key

    def header(self, name: bytes) -> str | None:
        """Return a request header's value, by lower-case name."""
        return self.request.header(name)


@dataclass(slots=True)
class Stream:
    """An answer whose body follows in batches; `first` is verified and in memory before the status is sent."""

    status: int
    headers: Headers
    length: int
    first: list[memoryview]
    rest: Reading


def document(root: str, *content: str, headers: Headers | None = None) -> Answer:
    """Return a 200 answer with an XML document."""
    return Answer(200, [XML_TYPE, *(headers or [])], xml.document(root, *content))


def empty(status: int, headers: Headers | None = None) -> Answer:
    """Return an answer without a body."""
    return Answer(status, list(headers or []))
