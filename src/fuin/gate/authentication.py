"""Authentication: from a signed request to the caller, through the keyholder's day keys and the store's identities."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import msgspec

from fuin.clock import CLOCK
from fuin.errors import AuthenticationFailed, AuthReason
from fuin.gate import sessions
from fuin.gate.access_key_uses import AccessKeyUses
from fuin.signing import sigv4

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.access.principal import Principal
    from fuin.gate.http import Request
    from fuin.gate.services import Services
    from fuin.store.identity.access_keys import AccessKey

_DAY_KEYS_AT_MOST = 4096


class Caller(msgspec.Struct, frozen=True):
    """The signer of the request; `signed` and `day_key` serve the chunk signatures of a streamed body."""

    principal: Principal
    access_key_id: str
    region: str
    service: str
    signed: sigv4.Signed
    day_key: bytes
    session: Mapping[str, str] | None = None  # what the record says of temporary credentials

    def __repr__(self) -> str:
        return f"Caller({self.principal.arn})"  # the day key signs for a whole day


class DayKeys:
    """A bounded cache of Signature V4 day keys; the keyholder derives them, the secret itself never comes here.

    The sealed secret is part of the cache's key, so a replaced access key never gets an old day key.
    """

    def __init__(self) -> None:
        self._keys: OrderedDict[tuple[bytes, str, str, str], sigv4.SigningKey] = OrderedDict()
        self.uses = AccessKeyUses()
        self.sessions = sessions.SessionKeys()  # the same of temporary credentials, with what their tokens say

    def cached_key(self, sealed: bytes, credential: sigv4.Credential) -> sigv4.SigningKey | None:
        """Return the signing key of one secret, day, region and service, if it is in memory."""
        return self._keys.get((sealed, credential.date, credential.region, credential.service))

    def keep(self, sealed: bytes, credential: sigv4.Credential, key: sigv4.SigningKey) -> None:
        """Keep a signing key that a signature has matched: other keys would let strangers push out those in use."""
        self._keys[sealed, credential.date, credential.region, credential.service] = key
        if len(self._keys) > _DAY_KEYS_AT_MOST:
            self._keys.popitem(last=False)


async def authenticate(services: Services, day_keys: DayKeys, request: Request, signed: sigv4.Signed) -> Caller:
    """Return the caller of a signed request; raises AuthenticationFailed.

    `signed` comes from `sigv4.parse`. The clock limit depends on the service: 15 minutes for S3, else 5.
    """
    if signed.token:
        return await _authenticate_session(services, day_keys, request, signed)
    record = await services.store.consult(_record, services, request, signed)
    credential = signed.credential
    key = day_keys.cached_key(record.sealed_secret, credential)
    if key is not None:
        return _note_use(services, day_keys, request, _verified_caller(record, signed, key))
    key = sigv4.SigningKey(
        await services.keyholder.signing_key(
            record.sealed_secret, credential.access_key_id, credential.date, credential.region, credential.service
        )
    )
    sealed = record.sealed_secret
    record = await services.store.consult(_record, services, request, signed)  # it may have changed meanwhile
    known = _verified_caller(record, signed, key)
    day_keys.keep(sealed, credential, key)
    return _note_use(services, day_keys, request, known)


def cached_caller(services: Services, day_keys: DayKeys, request: Request, signed: sigv4.Signed) -> Caller | None:
    """Return the caller if the signing key is in memory, else None: nothing is awaited, which saves a coroutine."""
    if signed.token:
        session = day_keys.sessions.cached_session(signed)
        return None if session is None else _session_caller(services, day_keys, request, signed, session)
    record = _record(services, request, signed)
    key = day_keys.cached_key(record.sealed_secret, signed.credential)
    return None if key is None else _note_use(services, day_keys, request, _verified_caller(record, signed, key))


def _note_use(services: Services, day_keys: DayKeys, request: Request, known: Caller) -> Caller:
    """Note the use of an access key whose signature was good, and return its caller."""
    day_keys.uses.note(services.store, known.access_key_id, known.service, known.region, request.now)
    return known


def _record(services: Services, request: Request, signed: sigv4.Signed) -> AccessKey:
    """Return the access key that a request, signed at an acceptable time, claims to be signed with."""
    _check_time(services, request, signed)
    record = services.store.catalog().access_key(signed.credential.access_key_id)
    if record is None or not record.active:
        raise AuthenticationFailed(AuthReason.UNKNOWN_KEY, "The security token included in the request is invalid.")
    return record


async def _authenticate_session(
    services: Services, day_keys: DayKeys, request: Request, signed: sigv4.Signed
) -> Caller:
    """Return the caller of a request with a session token."""
    session = day_keys.sessions.cached_session(signed)
    if session is not None:
        return await services.store.consult(_session_caller, services, day_keys, request, signed, session)
    _check_time(services, request, signed)
    session = await sessions.open_session(services.keyholder, signed)
    known = await services.store.consult(_session_caller, services, day_keys, request, signed, session)
    day_keys.sessions.keep(signed, session)
    return known


def _session_caller(
    services: Services, day_keys: DayKeys, request: Request, signed: sigv4.Signed, session: sessions.Session
) -> Caller:
    """Return the caller of an opened session; checks its end, its role or user, and the signature."""
    _check_time(services, request, signed)
    principal, facts = session.principal_now(services.store.catalog(), request.now)
    sigv4.verify(signed, session.key)
    named, raw = signed.credential, session.key.raw
    if principal.kind == "role":
        day_keys.uses.note_role(services.store, session.claims.id, named.region, request.now)
    return Caller(principal, named.access_key_id, named.region, named.service, signed, raw, facts)


def _check_time(services: Services, request: Request, signed: sigv4.Signed) -> None:
    settings = services.settings
    skew = settings.clock_skew if signed.credential.service == "s3" else settings.kms_clock_skew
    now = request.wall
    if request.now != now:  # the wall clock is behind
        now = CLOCK.signature_time(now, request.now)
    sigv4.check_time(signed, now, skew)


def _verified_caller(record: AccessKey, signed: sigv4.Signed, key: sigv4.SigningKey) -> Caller:
    sigv4.verify(signed, key)
    credential = signed.credential
    return Caller(record.principal, credential.access_key_id, credential.region, credential.service, signed, key.raw)
