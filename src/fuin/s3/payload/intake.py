"""The way of a body into a blob, in constant memory: decode, digest, encrypt, write, in batches of about 1 MiB.

The event loop gathers a batch while the store of blobs works on the one before; nothing is read further ahead, so a
slow disk slows the client down instead of filling memory.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from fuin.blobs.memory import NewMemoryBlob
from fuin.blobs.waiting import wait_until_done
from fuin.errors import FormatError, FuinError
from fuin.s3.payload.declaration import new_decoder
from fuin.s3.payload.digests import Digests
from fuin.s3.payload.form_file import FormFile
from fuin.s3.request.faults import S3Fault
from fuin.settings import MIB
from fuin.signing.streaming import BadTrailer, ShortBody
from fuin.store.s3 import upload_intents

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

    from typing_extensions import Buffer

    from fuin.blobs.interface import NewBlob
    from fuin.envelope.layers import MessageSealer
    from fuin.gate.http import Request
    from fuin.s3.payload.declaration import Declaration
    from fuin.s3.request.call import S3Call
    from fuin.signing.streaming import ChunkedBody

BATCH = 1 * MIB


@dataclass(frozen=True, slots=True)
class WrittenBlob:
    """A durable blob, or a small one that its row will hold.

    It has its sizes in plaintext and stored bytes, its message id, and the digests that were asked for. `content` is
    the message itself if it is small, else None.
    """

    blob: str
    message_id: bytes
    size: int
    stored_size: int
    md5: str | None
    checksums: dict[str, str]
    content: bytes | None = None


class Intake:
    """Turns plaintext into a durable blob; one of its methods at a time.

    An object whose plaintext has up to `size` bytes is kept in memory if it is small, for its row.
    """

    def __init__(self, call: S3Call, size: int, sealer: MessageSealer, digests: Digests, *, etag: bool) -> None:
        self._sealer = sealer
        self._digests = digests
        self._etag = etag
        self._small: NewMemoryBlob | None = None
        limit = call.services.settings.small_object_limit
        if call.row.creates_object and limit and size <= limit:
            self._small = NewMemoryBlob(sealer.message_id.hex())
        self._blob: NewBlob = self._small or call.services.blobs.create(sealer.message_id.hex())
        self._is_announced = call.services.blobs.is_shared and self._small is None
        self._call = call
        call.held.append(self._blob)  # in use until the request ends: before that the index names it, or it is removed
        self._begun = False

    async def announce(self) -> None:
        """Say in the index's database that this blob is written, where no lock shows it to all nodes."""
        services = self._call.services
        if self._is_announced:
            await services.store.write(upload_intents.begin, self._blob.blob, services.settings.node, self._call.now)

    def append(self, pieces: Iterable[Buffer]) -> Future[None]:
        """Begin to digest, encrypt and write the next pieces."""
        return self._blob.append(self._frames(pieces))

    async def finish(self, pieces: Iterable[Buffer], end: Callable[[int], dict[str, str]]) -> WrittenBlob:
        """Write what is left, check the digests, and make the blob durable.

        `end` is called when all pieces have come, with the number of plaintext bytes; it returns the trailers.
        """
        await wait_until_done(self._blob.commit(self._last_frames(pieces, end)))
        md5 = self._digests.md5() if self._etag else None
        return WrittenBlob(
            self._blob.blob, self._sealer.message_id, self._sealer.plaintext_length, self._blob.size, md5,
            self._digests.values(), None if self._small is None else self._small.content,
        )  # fmt: skip

    def _frames(self, pieces: Iterable[Buffer]) -> Iterator[Buffer]:
        if not self._begun:
            self._begun = True
            yield self._sealer.header
        for piece in pieces:
            self._digests.update(piece)
            yield from self._sealer.update(piece)

    def _last_frames(self, pieces: Iterable[Buffer], end: Callable[[int], dict[str, str]]) -> Iterator[Buffer]:
        yield from self._frames(pieces)
        self._digests.check(end(self._sealer.plaintext_length))
        yield self._sealer.finish()

    async def discard(self) -> None:
        """Remove what was written."""
        await wait_until_done(self._blob.discard())
        if self._is_announced:
            with contextlib.suppress(FuinError):  # the sweep forgets it otherwise
                await self._call.services.store.write(upload_intents.forget, [self._blob.blob])


Piece = TypeVar("Piece", bytes, bytes | memoryview)


class Content(Protocol[Piece]):
    """The content of a request's body; what it raises is S3's."""

    async def piece(self) -> tuple[Piece, bool]:
        """Return the next piece of the body and whether more may follow; raises ClientGone."""

    def decode(self, pieces: Sequence[Piece]) -> Iterable[Buffer]:
        """Return the content in pieces of the body."""

    def end(self, received: int) -> dict[str, str]:
        """Return the trailers, when all pieces have come and `received` bytes of content were in them."""


class _Decoding:
    """The content of a body that is nothing else, but may be chunked."""

    def __init__(self, request: Request, decoder: ChunkedBody | None, length: int) -> None:
        self.piece = request.view
        self._decoder = decoder
        self._length = length

    def decode(self, pieces: Sequence[bytes | memoryview]) -> Iterable[Buffer]:
        """Return the pieces of the content."""
        return pieces if self._decoder is None else self._decode(self._decoder, pieces)

    @staticmethod
    def _decode(decoder: ChunkedBody, pieces: Sequence[bytes | memoryview]) -> Iterator[Buffer]:
        try:
            for piece in pieces:
                yield from decoder.feed(piece)
        except FormatError as error:
            raise _malformed_body(error) from None

    def end(self, received: int) -> dict[str, str]:
        """Return the trailers; raises IncompleteBody unless all of the content has come."""
        trailers: dict[str, str] = {}
        if self._decoder is not None:
            try:
                trailers = self._decoder.finish()
            except FormatError:
                raise S3Fault("IncompleteBody") from None
        if received != self._length:
            raise S3Fault("IncompleteBody", ExpectedBytes=str(self._length), ReceivedBytes=str(received))
        return trailers


def _malformed_body(error: FormatError) -> S3Fault:
    text = str(error)
    if isinstance(error, BadTrailer):
        return S3Fault("MalformedTrailerError", text)
    return S3Fault("IncompleteBody" if isinstance(error, ShortBody) else "InvalidRequest", text)


async def receive(
    call: S3Call, declaration: Declaration, sealer: MessageSealer, digests: Digests, *, etag: bool
) -> WrittenBlob:
    """Return the request's body as a durable blob; after any error nothing of it is left."""
    intake = Intake(call, declaration.length, sealer, digests, etag=etag)
    content = _content(call, declaration)
    pending: Future[None] | None = None
    try:
        await intake.announce()
        batch: list[Any] = []
        async for batch, last in _batches(content):
            if pending is not None:
                await wait_until_done(pending)
                pending = None
            if not last:
                pending = intake.append(content.decode(batch))
        return await intake.finish(content.decode(batch), content.end)
    except BaseException:
        if pending is not None:
            with contextlib.suppress(Exception):
                await wait_until_done(pending)
        await intake.discard()
        raise


def _content(call: S3Call, declaration: Declaration) -> Content[Any]:
    if call.form is not None:
        return FormFile(call.request, call.form)
    return _Decoding(call.request, new_decoder(call, declaration), declaration.length)


async def _batches(content: Content[Piece]) -> AsyncIterator[tuple[list[Piece], bool]]:
    """Yield the body in batches, the last one marked."""
    batch: list[Piece] = []
    size = 0
    more = True
    while more:
        piece, more = await content.piece()
        batch.append(piece)
        size += len(piece)
        if more and size >= BATCH:
            yield batch, False
            batch, size = [], 0
    yield batch, True


async def reseal(
    call: S3Call,
    source: AsyncIterator[Sequence[Buffer]],
    size: int,
    sealer: MessageSealer,
    digests: Digests,
    *,
    etag: bool,
) -> WrittenBlob:
    """Return `size` bytes of plaintext of another object as a durable blob under a new data key: a copy."""
    intake = Intake(call, size, sealer, digests, etag=etag)
    try:
        await intake.announce()
        async for batch in source:
            await wait_until_done(intake.append(batch))
        return await intake.finish((), lambda _received: {})
    except BaseException:
        await intake.discard()
        raise
