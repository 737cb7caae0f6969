"""The keyholder as a worker sees it: one object with one coroutine for each request.

It holds no keys and imports no primitives; data keys, plaintexts and Signature V4 day keys pass through it.
"""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.errors import FormatError, FuinError, KeyholderUnavailable, MaterialDamaged, TamperedError
from fuin.formats.wrapped import Material, parse_material
from fuin.keyholder.connection import Connection
from fuin.keyholder.opcodes import Opcode, Status
from fuin.keyholder.sockets import connect_unix

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from pathlib import Path

CONNECT_LIMIT = 2.0  # seconds in which a restarted keyholder must be reachable again
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2)  # seconds between attempts; the last one repeats

_U32 = struct.Struct(">I")
_U64 = struct.Struct(">Q")
_ERRORS: dict[int, type[FuinError]] = {
    Status.INVALID: FormatError,
    Status.TAMPERED: TamperedError,
    Status.DAMAGED: MaterialDamaged,
    Status.UNAVAILABLE: KeyholderUnavailable,
}


@dataclass(frozen=True, slots=True)
class KeyholderStatus:
    """Where the audit log stands: number and chain hash of its last durable record, and the key that signs it."""

    sequence: int
    head: bytes
    public_key: bytes


class Keyholder:
    """A pipelined client for one event loop; it connects on demand, and again after the keyholder was restarted.

    Every coroutine raises KeyholderUnavailable when there is no answer (nothing is sent twice: the caller decides
    whether to try again), FormatError for a request that the keyholder does not take, TamperedError when something
    does not open, and MaterialDamaged when it is the store's wrapped material that does not.
    `draft` is the JSON of the audit record; the answer arrives when the record is durable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: Connection | None = None
        self._connecting: asyncio.Lock = asyncio.Lock()

    async def connect(self) -> None:
        """Connect now, not at the first request; raises KeyholderUnavailable after two seconds of trying."""
        async with self._connecting:
            if self._connection is None or self._connection.lost:
                self._connection = await self._connected()

    async def close(self) -> None:
        """Drop the connection; requests in flight fail."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    async def create_material(self, key_id: str, spec: str, draft: bytes) -> Material:
        """Make fresh key material for a key; SYMMETRIC_DEFAULT is 32 random bytes for AES-256-GCM."""
        (encoded,) = await self._ask(Opcode.CREATE_MATERIAL, key_id.encode(), spec.encode(), draft)
        return parse_material(encoded)

    def data_key(self, material: Material, context: bytes, length: int, draft: bytes) -> Awaitable[list[bytes]]:
        """Return a fresh data key of 1 to 1,024 bytes and its ciphertext blob, those two."""
        return self._ask(Opcode.DATA_KEY, material.encoded, context, _u32(length), draft)

    async def data_key_without_plaintext(self, material: Material, context: bytes, length: int, draft: bytes) -> bytes:
        """Return the ciphertext blob of a fresh data key that nobody has seen yet."""
        (blob,) = await self._ask(
            Opcode.DATA_KEY_WITHOUT_PLAINTEXT, material.encoded, context, _u32(length), draft
        )  # fmt: skip
        return blob

    async def encrypt(self, material: Material, context: bytes, plaintext: bytes, draft: bytes) -> bytes:
        """Return the ciphertext blob of 1 to 4,096 bytes."""
        (blob,) = await self._ask(Opcode.ENCRYPT, material.encoded, context, plaintext, draft)
        return blob

    async def decrypt(self, material: Material, context: bytes, blob: bytes, draft: bytes) -> bytes:
        """Return the plaintext of a blob; raises TamperedError when blob, material and context do not match."""
        (plaintext,) = await self._ask(Opcode.DECRYPT, material.encoded, context, blob, draft)
        return plaintext

    async def re_encrypt(
        self,
        source: Material,
        source_context: bytes,
        blob: bytes,
        target: Material,
        target_context: bytes,
        draft: bytes,
        target_draft: bytes,
    ) -> bytes:
        """Return the blob of the same plaintext under another key or context; writes a record for each of the two keys.

        When the source does not open, the target was not used and only the source's record is written.
        """
        (result,) = await self._ask(
            Opcode.RE_ENCRYPT,
            source.encoded, source_context, blob, target.encoded, target_context, draft, target_draft,
        )  # fmt: skip
        return result

    async def random(self, length: int, draft: bytes) -> bytes:
        """Return 1 to 1,024 random bytes."""
        (data,) = await self._ask(Opcode.RANDOM, _u32(length), draft)
        return data

    async def record(self, draft: bytes) -> None:
        """Append a record that is no key use (a refusal, an administrative act); returns when it is durable."""
        await self._ask(Opcode.RECORD, draft)

    async def new_secret(self, access_key_id: str) -> tuple[str, bytes]:
        """Return a fresh secret access key of 40 characters, to be shown once, and its sealed form."""
        secret, sealed = await self._ask(Opcode.NEW_SECRET, access_key_id.encode())
        return secret.decode(), sealed

    async def seal_secret(self, access_key_id: str, secret: str) -> bytes:
        """Return the sealed form of a secret access key that somebody else made."""
        (sealed,) = await self._ask(Opcode.SEAL_SECRET, access_key_id.encode(), secret.encode())
        return sealed

    async def signing_key(self, sealed: bytes, access_key_id: str, date: str, region: str, service: str) -> bytes:
        """Return the Signature V4 signing key of one secret for one day (YYYYMMDD), region and service."""
        (key,) = await self._ask(
            Opcode.SIGNING_KEY, sealed, access_key_id.encode(), date.encode(), region.encode(), service.encode()
        )  # fmt: skip
        return key

    async def forget(self, key_id: str) -> None:
        """Wipe what the keyholder has cached of a key's material."""
        await self._ask(Opcode.FORGET, key_id.encode())

    async def status(self) -> KeyholderStatus:
        """Return where the audit log stands."""
        sequence, head, public_key = await self._ask(Opcode.STATUS)
        return KeyholderStatus(_U64.unpack(sequence)[0], head, public_key)

    def _ask(self, opcode: Opcode, *fields: bytes) -> Awaitable[list[bytes]]:
        connection = self._connection
        if connection is None or connection.lost:
            return self._ask_anew(opcode, fields)
        return connection.ask(opcode, fields)

    async def _ask_anew(self, opcode: Opcode, fields: Sequence[bytes]) -> list[bytes]:
        await self.connect()
        if self._connection is None:
            raise KeyholderUnavailable("the keyholder's connection was closed")
        return await self._connection.ask(opcode, fields)

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + CONNECT_LIMIT
        attempt = 0
        while True:
            try:
                return await _connection(loop, self._path)
            except OSError as error:
                pause = _PAUSES[min(attempt, len(_PAUSES) - 1)]
                if loop.time() + pause > deadline:
                    raise KeyholderUnavailable(f"the keyholder cannot be reached: {error.strerror}") from None
                attempt += 1
                await asyncio.sleep(pause)


async def _connection(loop: asyncio.AbstractEventLoop, path: Path) -> Connection:
    peer = connect_unix(path)
    try:
        return (await loop.create_unix_connection(lambda: Connection(loop, _failure), sock=peer))[1]
    except BaseException:
        peer.close()
        raise


def _failure(status: int, answer: list[bytes]) -> FuinError:
    """Return the error that an answer of another status than OK means; its text is the keyholder's own."""
    text = answer[0].decode(errors="replace") if answer else "no reason given"
    return _ERRORS.get(status, KeyholderUnavailable)(text)


def _u32(number: int) -> bytes:
    if not 0 <= number < 1 << 32:
        raise FormatError("a length out of range")
    return _U32.pack(number)
