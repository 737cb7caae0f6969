"""Temporary credentials: from a session token that the keyholder has opened to the principal of a request.

A token names the role or user of the session and the policies that limit it. Everything else about the role or user
(its name, tags and policies) is read from the store with each request: so a session ends with its role or user.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from fuin import ids
from fuin.access.principal import Principal, account_root
from fuin.errors import AuthenticationFailed, AuthReason, FormatError, SessionExpired, TamperedError
from fuin.formats import session_token
from fuin.signing.sigv4 import SigningKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.formats.session_token import Claims
    from fuin.keyholder.wire.client import Keyholder
    from fuin.signing.sigv4 import Signed
    from fuin.store.catalog import Catalog
    from fuin.store.identity.identities import Identity

# A session policy that is no more gives nothing: without it the session would have no limit at all.
_NOTHING = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:Nothing","Resource":"*"}}'
_AT_MOST = 2048
_EXPIRED = "The security token included in the request is expired"
_INVALID = "The security token included in the request is invalid."

_Name = tuple[str, str, str, str, str]


class SessionPrincipal(NamedTuple):
    """The principal of a session's requests, and the members of the record about the session."""

    principal: Principal
    facts: Mapping[str, str]


class Session:
    """An opened token: the signing key of one day, region and service, the claims, and the end (seconds since 1970)."""

    __slots__ = ("_known", "_seen", "claims", "expiry", "key")

    def __init__(self, key: SigningKey, claims: Claims, expiry: int) -> None:
        self.key, self.claims, self.expiry = key, claims, expiry
        self._seen: tuple[object, ...] = ()
        self._known: SessionPrincipal | None = None

    def principal_now(self, catalog: Catalog, now: float) -> SessionPrincipal:
        """Return the principal of the session; raises AuthenticationFailed if the session, role or user has ended.

        The principal made from the claims and the catalog's entries is kept as long as those are the same.
        """
        if now >= self.expiry:
            raise AuthenticationFailed(AuthReason.SESSION_EXPIRED, _EXPIRED)
        claims = self.claims
        identity = _identity(catalog, claims)
        seen = (identity, *[catalog.managed_document(claims.account, arn) for arn in claims.policy_arns])
        if self._known is None or seen != self._seen:
            self._known, self._seen = _build_principal(claims, identity, seen[1:]), seen
        return self._known


class SessionKeys:
    """A bounded cache of opened tokens; its keys hold the whole token, so a changed token never gets an old entry."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[_Name, Session] = OrderedDict()

    def cached_session(self, signed: Signed) -> Session | None:
        """Return the session of a request, if it is in memory."""
        return self._sessions.get(_name(signed))

    def keep(self, signed: Signed, session: Session) -> None:
        """Keep a session that a signature has matched, as day keys are kept."""
        self._sessions[_name(signed)] = session
        if len(self._sessions) > _AT_MOST:
            self._sessions.popitem(last=False)


async def open_session(keyholder: Keyholder, signed: Signed) -> Session:
    """Return the session of a request's token; raises AuthenticationFailed, KeyholderUnavailable."""
    credential = signed.credential
    try:
        key, packed, expiry = await keyholder.session_signing_key(
            session_token.from_text(signed.token), credential.access_key_id, credential.date, credential.region,
            credential.service,
        )  # fmt: skip
        return Session(SigningKey(key), session_token.parse_claims(packed), expiry)
    except SessionExpired:
        raise AuthenticationFailed(AuthReason.SESSION_EXPIRED, _EXPIRED) from None
    except (FormatError, TamperedError):
        raise AuthenticationFailed(AuthReason.BAD_SESSION, _INVALID) from None


def _name(signed: Signed) -> _Name:
    credential = signed.credential
    return signed.token, credential.access_key_id, credential.date, credential.region, credential.service


def _identity(catalog: Catalog, claims: Claims) -> Identity | None:
    """Return the role or user of a session, None for root; raises AuthenticationFailed when it was deleted."""
    if claims.kind == "root" or (claims.kind == "federated" and claims.id == claims.account):
        return None
    found = catalog.identity(claims.id)
    kind = "user" if claims.kind == "federated" else claims.kind
    if found is None or (found.kind, found.account) != (kind, claims.account):
        raise AuthenticationFailed(AuthReason.BAD_SESSION, _INVALID)
    return found


def _build_principal(claims: Claims, identity: Identity | None, documents: tuple[object, ...]) -> SessionPrincipal:
    managed = [str(document) if document is not None else _NOTHING for document in documents]
    limits = (*([claims.policy] if claims.policy else []), *managed)
    if claims.kind == "federated" and not limits:
        limits = (_NOTHING,)  # AWS: without a session policy it has no rights but those that resources give it by name
    principal = replace(
        _principal(claims, identity),
        session_policies=limits,
        session_facts=_condition_keys(claims),
        transitive=claims.transitive,
    )
    whose = account_root(claims.account).arn if identity is None else identity.arn
    return SessionPrincipal(principal, _record(claims, whose))


def _principal(claims: Claims, identity: Identity | None) -> Principal:
    """Return the principal without the session's limits."""
    if claims.kind == "federated":
        return _federated_user(claims, identity)
    if identity is None:
        return account_root(claims.account)
    if claims.kind == "user":
        return Principal("user", identity.arn, identity.account, identity.id, identity.name, tags=identity.tags)
    arn = ids.session_arn(identity.account, identity.name, claims.session)
    unique = f"{identity.id}:{claims.session}"
    tags = overlay_tags(identity.tags, claims.tags)
    return Principal("role", arn, identity.account, unique, identity.name, identity.arn, tags, session=claims.session)


def _federated_user(claims: Claims, identity: Identity | None) -> Principal:
    """Return a federated user, with the tags of its user under its own; AWS: GetFederationToken."""
    of, under = ("", ()) if identity is None else (identity.arn, identity.tags)
    arn, unique = ids.federated_arn(claims.account, claims.session), f"{claims.account}:{claims.session}"
    return Principal(
        "federated", arn, claims.account, unique, claims.session, of, overlay_tags(under, claims.tags),
        session=claims.session, issuer=claims.id,
    )  # fmt: skip


def overlay_tags(
    tags: tuple[tuple[str, str], ...], over: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:  # fmt: skip
    """Return `tags` and `over`; `over` wins where both have a key, compared without case as for identities."""
    hidden = {name.lower() for name, _ in over}
    return (*[tag for tag in tags if tag[0].lower() not in hidden], *over)


def _condition_keys(claims: Claims) -> tuple[tuple[str, str], ...]:
    """Return the condition keys of temporary credentials; aws:MultiFactorAuthPresent is false, as there is no MFA.

    AWS: "AWS global condition context keys", aws:TokenIssueTime, aws:MultiFactorAuthPresent, aws:SourceIdentity.
    """
    keys = (("aws:TokenIssueTime", session_token.iso(claims.issued)), ("aws:MultiFactorAuthPresent", "false"))
    return (*keys, ("aws:SourceIdentity", claims.source_identity)) if claims.source_identity else keys


def _record(claims: Claims, arn: str) -> Mapping[str, str]:
    """Return the members of the audit record about a session."""
    said = {
        "of": arn,
        "name": claims.session,
        "sourceIdentity": claims.source_identity,
        "issuer": claims.issuer,
        "issuerAccessKey": claims.issuer_key,
    }
    return {name: value for name, value in said.items() if value}
