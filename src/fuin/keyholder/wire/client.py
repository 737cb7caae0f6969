"""The keyholder as a worker sees it: one object with one coroutine for each request.

It holds no keys and imports no primitives; data keys, plaintexts and Signature V4 day keys pass through it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fuin.errors import (
    FormatError,
    FuinError,
    ImportTokenExpired,
    KeyholderFailed,
    KeyholderUnavailable,
    MaterialDamaged,
    SessionExpired,
    TamperedError,
)
from fuin.formats.wrapped import Material, parse_material
from fuin.keyholder.wire import requests
from fuin.keyholder.wire.connection import KeyholderConnection
from fuin.keyholder.wire.line import Line
from fuin.keyholder.wire.requests import SLOW_SPECS, RequestType
from fuin.keyholder.wire.statuses import Status

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

SLOW = SLOW_SPECS
_ERRORS: dict[int, type[FuinError]] = {
    Status.INVALID: FormatError,
    Status.TAMPERED: TamperedError,
    Status.DAMAGED: MaterialDamaged,
    Status.UNAVAILABLE: KeyholderFailed,
    Status.EXPIRED: ImportTokenExpired,
    Status.SESSION_EXPIRED: SessionExpired,
}


@dataclass(frozen=True, slots=True)
class KeyholderStatus:
    """Where the audit log stands: number and chain hash of its last durable record, and the key that signs it.

    `taking` is False while the disk refuses records, or the log has had no copy for too long.
    """

    sequence: int
    head: bytes
    public_key: bytes
    taking: bool


@dataclass(frozen=True, slots=True)
class LogToCopy:
    """The end of the durable log, number and chain hash, and whether answers wait until their records have a copy."""

    sequence: int
    head: bytes
    waits: bool


@dataclass(frozen=True, slots=True)
class LastKeyUse:
    """When a key was last used: `time` and `tracking_start` in seconds since 1970, `use` as in `formats/record.py`.

    Without a use since `tracking_start`, which is when the log began, `time` is None.
    """

    tracking_start: float
    time: float | None = None
    use: int = 0
    request_id: str = ""


class Keyholder:
    """A pipelined client for one event loop; it connects on demand, and again after the keyholder was restarted.

    Every coroutine raises KeyholderUnavailable when there is no answer (nothing is sent twice: the caller decides
    whether to try again), FormatError for a request that the keyholder does not take, TamperedError when something
    does not open, and MaterialDamaged when it is the store's wrapped material that does not.
    `draft` is the JSON of the audit record; the answer arrives when the record is durable.
    """

    def __init__(self, path: Path) -> None:
        self._line = Line(path, lambda loop: KeyholderConnection(loop, _error_for_status))
        # What takes long has a connection of its own, since the first one holds requests back while any is under way.
        self._slow_line = Line(path, lambda loop: KeyholderConnection(loop, _error_for_status, gathers=False))
        self._ask = self._line.ask

    async def connect(self) -> None:
        """Connect now, not at the first request; raises KeyholderUnavailable after some seconds of trying."""
        await self._line.connect()

    async def close(self) -> None:
        """Drop the connections; requests in flight fail."""
        self._line.close()
        self._slow_line.close()

    async def create_material(self, key_id: str, spec: str, draft: bytes) -> Material:
        """Make fresh key material of any spec for a key; RSA takes a while."""
        (encoded,) = await self._ask_by_spec(spec, requests.CREATE_MATERIAL, key_id, spec, draft)
        return parse_material(encoded)

    def data_key(self, material: Material, context: bytes, length: int, draft: bytes) -> Awaitable[list[bytes]]:
        """Return a fresh data key of 1 to 1,024 bytes and its ciphertext blob, those two."""
        return self._ask(requests.DATA_KEY, material.encoded, context, length, draft)

    async def data_key_without_plaintext(self, material: Material, context: bytes, length: int, draft: bytes) -> bytes:
        """Return the ciphertext blob of a fresh data key that nobody has seen yet."""
        (blob,) = await self._ask(
            requests.DATA_KEY_WITHOUT_PLAINTEXT, material.encoded, context, length, draft
        )  # fmt: skip
        return blob

    async def data_key_pair(self, material: Material, context: bytes, spec: str, draft: bytes) -> list[bytes]:
        """Return a fresh data key pair: private key (PKCS#8 DER), public key (SPKI DER), blob of the private key.

        RSA takes a while. Raises FormatError for a spec that no pair has.
        """
        return await self._ask_by_spec(spec, requests.DATA_KEY_PAIR, material.encoded, context, spec, draft)

    async def data_key_pair_without_plaintext(
        self, material: Material, context: bytes, spec: str, draft: bytes
    ) -> list[bytes]:
        """Return public key and ciphertext blob of a fresh data key pair whose private key nobody has seen yet."""
        return await self._ask_by_spec(
            spec, requests.DATA_KEY_PAIR_WITHOUT_PLAINTEXT, material.encoded, context, spec, draft
        )  # fmt: skip

    async def encrypt(self, material: Material, parameter: bytes, plaintext: bytes, draft: bytes) -> bytes:
        """Return the ciphertext of 1 to 4,096 bytes under a context, or of what fits under an RSA algorithm's name."""
        (blob,) = await self._ask(requests.ENCRYPT, material.encoded, parameter, plaintext, draft)
        return blob

    async def decrypt(self, material: Material, parameter: bytes, blob: bytes, draft: bytes) -> bytes:
        """Return the plaintext of a ciphertext; raises TamperedError when it, material and parameter do not match."""
        (plaintext,) = await self._ask(requests.DECRYPT, material.encoded, parameter, blob, draft)
        return plaintext

    async def re_encrypt(
        self,
        source: Material,
        source_parameter: bytes,
        blob: bytes,
        target: Material,
        target_parameter: bytes,
        draft: bytes,
        target_draft: bytes,
    ) -> bytes:
        """Return the ciphertext of the same plaintext under another key or parameter; each key's use has its record.

        When the source does not open, the target was not used and only the source's record is written.
        """
        (result,) = await self._ask(
            requests.RE_ENCRYPT,
            source.encoded, source_parameter, blob, target.encoded, target_parameter, draft, target_draft,
        )  # fmt: skip
        return result

    async def sign(self, material: Material, algorithm: str, message_type: str, message: bytes, draft: bytes) -> bytes:
        """Return the signature of a message, in the form that AWS gives it for the algorithm."""
        (signature,) = await self._ask(
            requests.SIGN, material.encoded, algorithm, message_type, message, draft
        )  # fmt: skip
        return signature

    async def verify(
        self, material: Material, algorithm: str, message_type: str, message: bytes, signature: bytes, draft: bytes
    ) -> None:
        """Raise TamperedError unless the signature holds."""
        await self._ask(
            requests.VERIFY, material.encoded, algorithm, message_type, message, signature, draft
        )  # fmt: skip

    async def generate_mac(self, material: Material, algorithm: str, message: bytes, draft: bytes) -> bytes:
        """Return the HMAC of a message."""
        (mac,) = await self._ask(requests.GENERATE_MAC, material.encoded, algorithm, message, draft)
        return mac

    async def verify_mac(self, material: Material, algorithm: str, message: bytes, mac: bytes, draft: bytes) -> None:
        """Raise TamperedError unless the HMAC holds."""
        await self._ask(requests.VERIFY_MAC, material.encoded, algorithm, message, mac, draft)

    async def derive_shared_secret(self, material: Material, peer: bytes, draft: bytes) -> bytes:
        """Return the raw ECDH secret with a public key (SPKI DER); raises FormatError when it is of another curve."""
        (secret,) = await self._ask(requests.DERIVE_SHARED_SECRET, material.encoded, peer, draft)
        return secret

    async def encapsulate(self, material: Material, draft: bytes) -> tuple[bytes, bytes]:
        """Return a fresh ML-KEM shared secret and its ciphertext."""
        secret, ciphertext = await self._ask(requests.ENCAPSULATE, material.encoded, draft)
        return secret, ciphertext

    async def decapsulate(self, material: Material, ciphertext: bytes, draft: bytes) -> bytes:
        """Return the ML-KEM shared secret of a ciphertext; raises TamperedError on a wrong length.

        A wrong ciphertext of the right length gives another secret, and no error (FIPS 203, implicit rejection).
        """
        (secret,) = await self._ask(requests.DECAPSULATE, material.encoded, ciphertext, draft)
        return secret

    async def public_key(self, material: Material, draft: bytes) -> bytes:
        """Return the public key as SPKI DER."""
        (public,) = await self._ask(requests.PUBLIC_KEY, material.encoded, draft)
        return public

    async def import_parameters(self, scope: bytes, wrapping_spec: str, expires: int) -> tuple[bytes, bytes]:
        """Return a fresh wrapping key, public (SPKI DER), and the token that brings its private half back.

        `expires` is in seconds since 1970. Takes a while; uses no KMS key, so it leaves no record.
        """
        public, token = await self._slow_line.ask(
            requests.IMPORT_PARAMETERS, scope, wrapping_spec, expires
        )  # fmt: skip
        return public, token

    async def import_material(
        self, key_id: str, spec: str, scope: bytes, token: bytes, algorithm: str, encrypted: bytes, draft: bytes
    ) -> Material:
        """Return material that somebody else made, wrapped under an import's public key; the same has the same id.

        Raises TamperedError when the token is not of this scope, ImportTokenExpired, and FormatError for whatever is
        wrong with the encrypted material.
        """
        (encoded,) = await self._slow_line.ask(
            requests.IMPORT_MATERIAL,
            key_id, spec, scope, token, algorithm, encrypted, draft,
        )  # fmt: skip
        return parse_material(encoded)

    async def last_use(self, key_id: str, region: str) -> LastKeyUse:
        """Return the last successful cryptographic use of a key; the Region matters to multi-Region keys only."""
        answer = await self._ask(requests.LAST_USE, key_id, region)
        start, *last = requests.LAST_USE.unpack_answer(answer)
        if not last:
            return LastKeyUse(start / 1e9)
        time, use, request_id = last
        return LastKeyUse(start / 1e9, time / 1e9, use, request_id.decode(errors="replace"))

    async def random(self, length: int, draft: bytes) -> bytes:
        """Return 1 to 1,024 random bytes."""
        (data,) = await self._ask(requests.RANDOM, length, draft)
        return data

    async def record(self, draft: bytes) -> None:
        """Append a record that is no key use (a refusal, an administrative act); returns when it is durable."""
        await self._ask(requests.RECORD, draft)

    async def new_secret(self, access_key_id: str) -> tuple[str, bytes]:
        """Return a fresh secret access key of 40 characters, to be shown once, and its sealed form."""
        secret, sealed = await self._ask(requests.NEW_SECRET, access_key_id)
        return secret.decode(), sealed

    async def seal_secret(self, access_key_id: str, secret: str) -> bytes:
        """Return the sealed form of a secret access key that somebody else made."""
        (sealed,) = await self._ask(requests.SEAL_SECRET, access_key_id, secret.encode())
        return sealed

    async def signing_key(self, sealed: bytes, access_key_id: str, date: str, region: str, service: str) -> bytes:
        """Return the Signature V4 signing key of one secret for one day (YYYYMMDD), region and service."""
        (key,) = await self._ask(
            requests.SIGNING_KEY, sealed, access_key_id, date, region, service
        )  # fmt: skip
        return key

    async def new_session(self, access_key_id: str, expiry: int, claims: bytes) -> tuple[str, bytes]:
        """Return the secret access key of a fresh session, to be shown once, and its token; nothing is stored.

        `expiry` is in seconds since 1970; raises FormatError when it is later than AWS's longest session allows.
        """
        secret, token = await self._ask(requests.NEW_SESSION, access_key_id, expiry, claims)
        return secret.decode(), token

    async def session_signing_key(
        self, token: bytes, access_key_id: str, date: str, region: str, service: str
    ) -> tuple[bytes, bytes, int]:
        """Return a session's Signature V4 signing key of one day, region and service, its claims, and when it ends.

        Raises TamperedError when the token is not one of this access key id, and SessionExpired.
        """
        answer = await self._ask(requests.SESSION_SIGNING_KEY, token, access_key_id, date, region, service)
        key, claims, expiry = requests.SESSION_SIGNING_KEY.unpack_answer(answer)
        return key, claims, expiry

    async def forget(self, key_id: str) -> None:
        """Wipe what the keyholder has cached of a key's material."""
        await self._ask(requests.FORGET, key_id)

    async def status(self) -> KeyholderStatus:
        """Return where the audit log stands."""
        return KeyholderStatus(*requests.STATUS.unpack_answer(await self._ask(requests.STATUS)))

    async def await_records(self, copied: int, *, conflict: bool) -> LogToCopy:
        """Report the last record that has a copy, and return where the log ends once it ends later.

        `conflict` says that the copies are those of another log. Raises FormatError when the log is not to be copied.
        """
        answer = await self._slow_line.ask(requests.COPIED, copied, conflict)
        return LogToCopy(*requests.COPIED.unpack_answer(answer))

    def _ask_by_spec(self, spec: str, request: RequestType, *values: Any) -> Awaitable[list[bytes]]:
        line = self._slow_line if request.is_for_key_maker(spec) else self._line
        return line.ask(request, *values)


def _error_for_status(status: int, answer: list[bytes]) -> FuinError:
    """Return the error that an answer of another status than OK means; its text is the keyholder's own."""
    text = answer[0].decode(errors="replace") if answer else "no reason given"
    return _ERRORS.get(status, KeyholderUnavailable)(text)
