"""Temporary credentials: their secrets are made here, and stand nowhere but in the session token that the client keeps.

A token is sealed under the root key and bound to its access key id and its end. Page: docs/formats/session-token.md.
"""

import base64
import os

from fuin.clock import JUMP_LIMIT
from fuin.errors import FormatError, SessionExpired, TamperedError
from fuin.formats import session_token
from fuin.keyholder.sealed import sealing
from fuin.keyholder.sealed.memory import wipe
from fuin.keyholder.sealed.root_key import RootKey
from fuin.keyholder.sealed.signing_keys import derive_signing_key

# Seconds by which a worker's reading of the clock may be ahead of this one's: a worker asks the later of two times, of
# which the wall clock may have stepped back from the other, by this limit.
_CLOCKS = JUMP_LIMIT + 60


class Sessions:
    """What the root key is needed for."""

    def __init__(self, root: RootKey) -> None:
        self._root = root

    def new_session(self, access_key_id: str, expiry: int, claims: bytes, now: float) -> tuple[bytes, bytes]:
        """Return a fresh secret of 40 base-64 characters and the token that holds it.

        Raises FormatError for a session that would live longer than AWS's longest: not even a hijacked worker makes
        credentials that outlive it by more.
        """
        if expiry > now + session_token.LIFE_LIMIT + _CLOCKS:
            raise FormatError("a session that is too long")
        secret = base64.b64encode(os.urandom(30))
        inside = session_token.join_parts(secret, claims)
        try:
            token = sealing.seal(
                self._root.key, sealing.LABEL_SESSION, session_token.prefix(expiry),
                session_token.binding(access_key_id), inside,
            )  # fmt: skip
        finally:
            wipe(inside)
        return secret, token

    def open(self, token: bytes, access_key_id: str, now: float) -> tuple[bytearray, bytes, int]:
        """Return a session's secret, which the caller wipes, its claims and its end in seconds since 1970.

        Raises TamperedError when the token is not one of this access key id, and SessionExpired when its time is over.
        """
        try:
            expiry = session_token.expiry_of(token)
            binding = session_token.binding(access_key_id)
        except FormatError:
            raise TamperedError("the session token does not open") from None
        prefix = token[: session_token.PREFIX_LENGTH]
        inside = sealing.open_into(self._root.key, sealing.LABEL_SESSION, prefix, binding, token)
        try:
            if now >= expiry:
                raise SessionExpired("the session has expired")
            secret, claims = session_token.split_parts(inside)
        finally:
            wipe(inside)
        return secret, claims, expiry

    def signing_key(
        self, token: bytes, access_key_id: str, scope: tuple[str, str, str], now: float
    ) -> tuple[bytes, bytes, int]:
        """Return a session's Signature V4 signing key of (date, region, service), its claims and its end.

        Raises TamperedError and SessionExpired as `open` does, and FormatError for a wrong scope.
        """
        secret, claims, expiry = self.open(token, access_key_id, now)
        keyed = bytearray(b"AWS4") + secret
        try:
            return derive_signing_key(keyed, scope), claims, expiry
        finally:
            wipe(secret)
            wipe(keyed)
