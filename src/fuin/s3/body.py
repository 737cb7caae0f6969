"""The way of a body into a blob, in constant memory: decode, digest, encrypt, write, in batches of about 1 MiB.

The event loop gathers a batch while a thread of the pool works on the one before; nothing is read further ahead, so a
slow disk slows the client down instead of filling memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.envelope.stream import Sealer
from fuin.errors import FormatError
from fuin.s3 import pool
from fuin.s3.blobs import NewBlob
from fuin.s3.declaration import new_decoder
from fuin.s3.digests import Digests
from fuin.s3.faults import S3Fault
from fuin.settings import MIB

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from typing_extensions import Buffer

    from fuin.access.streaming import ChunkedBody
    from fuin.gate.http import Request
    from fuin.s3.call import S3Call
    from fuin.s3.declaration import Declaration

BATCH = 1 * MIB


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob that is durable: its sizes in plaintext and stored bytes, its message id, and the digests asked for."""

    blob: str
    message_id: bytes
    size: int
    stored_size: int
    md5: str | None
    checksums: dict[str, str]


class Intake:
    """Turns plaintext into a durable blob; its methods block and run in the pool, one at a time."""

    def __init__(self, call: S3Call, sealer: Sealer, digests: Digests, *, etag: bool) -> None:
        self._sealer = sealer
        self._digests = digests
        self._etag = etag
        self._file = NewBlob(call.services.settings.blobs, sealer.message_id.hex())
        call.held.append(self._file)  # as in use, until the request ends: by then the index names it, or it is gone
        self._begun = False

    def take(self, pieces: Iterable[Buffer]) -> None:
        """Digest, encrypt and write the next pieces."""
        if not self._begun:
            self._begun = True
            self._file.write([self._sealer.header])
        for piece in pieces:
            self._digests.update(piece)
            frames = self._sealer.update(piece)
            if frames:
                self._file.write(frames)

    def finish(self, trailers: dict[str, str]) -> StoredBlob:
        """Write the final frame, check the digests, and make the blob durable."""
        self.take(())
        self._digests.check(trailers)
        self._file.write([self._sealer.finish()])
        self._file.commit()
        md5 = self._digests.md5() if self._etag else None
        return StoredBlob(
            self._file.blob, self._sealer.message_id, self._sealer.plaintext_length, self._file.size, md5,
            self._digests.values(),
        )  # fmt: skip

    @property
    def received(self) -> int:
        """Return the number of plaintext bytes so far."""
        return self._sealer.plaintext_length

    def discard(self) -> None:
        """Remove what was written."""
        self._file.discard()


class _Decoding:
    """Takes the batches of a request's body; what it raises is S3's."""

    def __init__(self, intake: Intake, decoder: ChunkedBody | None, length: int) -> None:
        self._intake = intake
        self._decoder = decoder
        self._length = length

    def take(self, pieces: Sequence[bytes]) -> None:
        if self._decoder is None:
            self._intake.take(pieces)
            return
        try:
            decoded = [data for piece in pieces for data in self._decoder.feed(piece)]
        except FormatError as error:
            raise _malformed(error) from None
        self._intake.take(decoded)

    def finish(self, pieces: Sequence[bytes]) -> StoredBlob:
        self.take(pieces)
        trailers: dict[str, str] = {}
        if self._decoder is not None:
            try:
                trailers = self._decoder.finish()
            except FormatError:
                raise S3Fault("IncompleteBody") from None
        if self._intake.received != self._length:
            raise S3Fault("IncompleteBody", ExpectedBytes=str(self._length), ReceivedBytes=str(self._intake.received))
        return self._intake.finish(trailers)


def _malformed(error: FormatError) -> S3Fault:
    text = str(error)
    if "trailer" in text:
        return S3Fault("MalformedTrailerError", text)
    return S3Fault("IncompleteBody" if "shorter" in text else "InvalidRequest", text)


async def receive(call: S3Call, declaration: Declaration, sealer: Sealer, digests: Digests, *, etag: bool) -> StoredBlob:
    """Return the request's body as a durable blob; after any error nothing of it is left."""
    intake = Intake(call, sealer, digests, etag=etag)
    work = _Decoding(intake, new_decoder(call, declaration), declaration.length)
    pending: asyncio.Future[None] | None = None
    try:
        batch: list[bytes] = []
        async for batch, last in _batches(call.request):
            if pending is not None:
                await pool.settled(pending)
                pending = None
            if not last:
                pending = pool.start(work.take, batch)
        return await pool.run(work.finish, batch)
    except BaseException:
        if pending is not None:
            with contextlib.suppress(Exception):
                await pool.settled(pending)
        await pool.run(intake.discard)
        raise


async def _batches(request: Request) -> AsyncIterator[tuple[list[bytes], bool]]:
    """Yield the body in batches, the last one marked."""
    batch: list[bytes] = []
    size = 0
    more = True
    while more:
        piece, more = await request.piece()
        batch.append(piece)
        size += len(piece)
        if more and size >= BATCH:
            yield batch, False
            batch, size = [], 0
    yield batch, True


async def reseal(
    call: S3Call, source: AsyncIterator[Sequence[Buffer]], sealer: Sealer, digests: Digests, *, etag: bool
) -> StoredBlob:
    """Return the plaintext of another object as a durable blob under a new data key: a copy."""
    intake = Intake(call, sealer, digests, etag=etag)
    try:
        async for batch in source:
            await pool.run(intake.take, batch)
        return await pool.run(intake.finish, {})
    except BaseException:
        await pool.run(intake.discard)
        raise
