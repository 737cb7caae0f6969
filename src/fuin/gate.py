"""The one door: a `Call` is who asks for what and when; `permit` decides, with reasons, and drafts the record.

Every operation of every service goes through `permit` (or one of its three kinds) exactly once for each right that it
needs. What it decides is kept in the call and stands in the audit record, which is durable before the answer leaves.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import msgspec

from fuin import drafts
from fuin.access import circumstances, decide, evidence
from fuin.access.compiled import compiled
from fuin.access.kinds import PolicyKind
from fuin.errors import AccessDenied, StoreUnavailable
from fuin.store.errors import RightsMoved
from fuin.store.writer import Effect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from fuin.access.facts import Fill, Given
    from fuin.access.grants import Grant
    from fuin.access.policy import Policy
    from fuin.access.principal import Principal
    from fuin.services import Services
    from fuin.store.catalog import Catalog

P = ParamSpec("P")
T = TypeVar("T")

# How often a change asks for its rights again. Each time somebody has taken a right from somebody within the few
# milliseconds between the question and the commit.
_TRIES = 16

_Record, _SHORT = drafts.Record, drafts.SHORT
_encode = msgspec.json.Encoder().encode


class Call(msgspec.Struct):
    """One request after authentication: who, what, when, and the draft of its audit record."""

    services: Services
    request_id: str
    service: str  # kms, s3, sts
    operation: str  # GenerateDataKey
    principal: Principal
    access_key_id: str
    region: str  # of the credential scope; the server's own for anonymous requests
    now: float  # seconds since 1970
    source_ip: str = ""
    secure: bool = False  # came over TLS
    headers: Mapping[bytes, bytes] = {}  # of the request, by names in lower case
    via: str | None = None  # s3.us-east-1.amazonaws.com when the object store asks KMS as this caller
    facts: dict[str, Any] = {}  # what explain shows: bucket, key, bytes, default key …
    decisions: list[dict[str, Any] | msgspec.Raw] = []  # encoded where it is the same again
    recorded: bool = False  # a durable record of this request's success exists
    refused: bool = False  # a durable record of its refusal exists: the keyholder refused the use of a key
    pieces: int = 0  # records of this request that hold its long lists
    proof: tuple[Any, ...] = ()  # what authenticates the caller once more: a function and what it takes
    asked: list[Callable[[], object]] = []  # what asks once more for the rights of a change
    epoch: int | None = None  # of rights, when the caller was authenticated or the first right asked for
    serial: int = 0  # of the last commit that this request has made

    @property
    def user_agent(self) -> str:
        """Return the User-Agent header, empty if there is none."""
        return self.headers.get(b"user-agent", b"").decode("latin-1")

    @property
    def referer(self) -> str:
        """Return the Referer header, empty if there is none or a service asks: it does not travel on."""
        return "" if self.via else self.headers.get(b"referer", b"").decode("latin-1")

    @property
    def account(self) -> str:
        """Return the caller's account."""
        return self.principal.account

    def forwarded(self, via: str) -> Call:
        """Return the same call as one that a service makes on the caller's behalf; both share facts and decisions."""
        return Call(
            self.services, self.request_id, self.service, self.operation, self.principal, self.access_key_id,
            self.region, self.now, self.source_ip, self.secure, self.headers, via, self.facts, self.decisions,
        )  # fmt: skip

    async def announce(self, about: str) -> None:
        """Put on the record what is about to be done, a change or a deletion, before it is done.

        So neither can be without a record, also when the keyholder ends before the request's closing record.
        """
        await self._spill(about)
        await self.services.keyholder.record(self.draft(about=about))

    async def conclude(self, *, error: str | None = None, message: str | None = None) -> None:
        """Write the closing record, which says how the request was answered: a code, if it was refused."""
        await self._spill(None)
        await self.services.keyholder.record(self.draft(error=error, message=message))

    async def name(self, fact: str, names: Sequence[Any]) -> None:
        """Put a long list on the record, all of it, in as many records as it takes, before anything is done to it."""
        await self._write([drafts.Record(*self._who(), facts={fact: one}) for one in drafts.portions(names)])

    async def _spill(self, about: str | None) -> None:
        """Put decisions on the record that are too many to stand in each record of the request."""
        stranger = about is None and self.principal.kind == "anonymous"
        if len(self.decisions) > (drafts.DECISIONS_OF_STRANGERS if stranger else drafts.DECISIONS_REPEATED):
            session = {name: self.facts[name] for name in ("session",) if name in self.facts}
            portions = list(drafts.pieces(self.decisions, stranger=stranger))
            self.decisions.clear()  # before anything is awaited, so that none is lost that comes meanwhile
            await self._write([drafts.Record(*self._who(), None, session, one, about) for one in portions], stranger)

    async def _write(self, records: Sequence[drafts.Record], stranger: bool = False) -> None:
        encoded = drafts.numbered(records, self.pieces + 1, stranger=stranger)
        self.pieces += len(encoded)
        await asyncio.gather(*map(self.services.keyholder.record, encoded))

    def _who(self) -> tuple[str, str, str, str, str, str]:
        """Return the members that begin every record of the request."""
        operation = f"{self.service}:{self.operation}"
        return self.request_id, operation, self.principal.arn, self.access_key_id, self.region, self.source_ip

    def prove_by(self, *proof: Any) -> None:
        """Say how the caller is authenticated, before that is done: `proof` is a function and what it takes.

        It is called again with the services first, and returns what has the `principal`; raises AuthenticationFailed.
        """
        store = self.services.store
        store.catalog()
        self.proof, self.epoch = proof, store.rights_epoch

    def remember(self, ask: Callable[[], object]) -> None:
        """Remember how a right was asked for that has just been given: a change asks again if rights have moved."""
        if self.epoch is None:
            self.epoch = self.services.store.rights_epoch
        self.asked.append(ask)

    def end(self) -> None:
        """Let go of what asks again, when the work is done.

        It refers to the call, so each request would wait for the garbage collector, which costs 20 µs.
        """
        self.asked.clear()

    async def change(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Change keys, policies, identities or buckets, announced first."""
        await self.announce("change")
        return await self.commit(fn, *args, **kwargs)

    async def commit(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a change that stands on the record already, such as one with material that the keyholder made."""
        return await self._commit(lambda conn: fn(conn, *args, **kwargs), Effect.TAKES)

    async def add(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a change that stands on the record already and takes no right from anybody, such as a new key."""
        return await self._commit(lambda conn: fn(conn, *args, **kwargs), Effect.GIVES)

    async def write(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Write what no catalog holds, such as the index of objects."""
        return await self._commit(lambda conn: fn(conn, *args, **kwargs), Effect.NONE)

    async def _commit(self, fn: Callable[[Connection], T], effect: Effect) -> T:
        """Commit, by rights that the caller still has then: docs/decisions/0007.

        Raises AccessDenied or AuthenticationFailed when they were taken meanwhile, StoreUnavailable when they keep
        moving.
        """
        if not self.asked:
            raise RuntimeError(f"{self.operation} has asked for no right to make this change")
        if effect is not Effect.TAKES or not self.services.changing.locked():
            try:
                return self._done(*await self.services.store.commit(fn, effect, self.epoch))
            except RightsMoved:
                await self.ask_again()
        async with self.services.changing:  # so that a worker's own changes do not move each other's rights for ever
            for _ in range(_TRIES):
                try:
                    return self._done(*await self.services.store.commit(fn, effect, self.epoch))
                except RightsMoved:
                    await self.ask_again()
        raise StoreUnavailable("rights have kept moving while a change was made")

    async def make(self, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Make a change of the service's own accord, which needs nobody's right and stands on the record already."""
        done = await self.services.store.commit(lambda conn: fn(conn, *args, **kwargs), Effect.TAKES, None)
        return self._done(*done)

    def _done(self, value: T, serial: int) -> T:
        """Note the serial of a commit. The record of the outcome holds it, so what was recorded before is not that."""
        if serial:
            self.serial = serial
            self.recorded = False
        return value

    async def authenticate_again(self) -> None:
        """Raise AuthenticationFailed when what signed the request, if anything, signs nothing any more."""
        if self.proof:
            authenticate, *given = self.proof
            if (await authenticate(self.services, *given)).principal != self.principal:
                raise StoreUnavailable("the caller's name, tags or session policies have changed while it was asking")

    async def ask_again(self) -> None:
        """Ask for everything once more, by what the store says now: who the caller is, and each right."""
        await self.authenticate_again()
        self.services.store.catalog()
        self.epoch = self.services.store.rights_epoch
        asked = tuple(self.asked)
        for ask in asked:
            ask()
        self.asked[:] = asked  # which they have remembered again

    def draft(
        self,
        *,
        about: str | None = None,
        error: str | None = None,
        message: str | None = None,
        use: str | None = None,
        key: str | None = None,
        manager: str | None = None,
        context: Mapping[str, str] | None = None,
        dry_run: bool | None = None,
    ) -> bytes:
        """Return the JSON of this call's audit record; the keyholder adds time, sequence and what it did."""
        record = _Record(
            self.request_id, f"{self.service}:{self.operation}", self.principal.arn, self.access_key_id,
            self.region, self.source_ip, self.via, self.facts, self.decisions,
            about, error, message, use, key, manager, context, dry_run, commit=self.serial,
        )  # fmt: skip
        try:
            data = _encode(record)
            if len(data) <= _SHORT and not self.pieces:  # nearly every record: nothing in it can be too long
                return data
        except UnicodeEncodeError:
            pass  # `drafts.encode` writes what is no Unicode as escapes
        record.pieces = self.pieces or None
        return drafts.encode(record, stranger=error is not None and self.principal.kind == "anonymous")


def _own(call: Call, catalog: Catalog | None = None) -> tuple[tuple[Policy, ...], decide.Limits]:
    """Return the policies that give the caller rights, and what limits them; only users and roles have any."""
    principal = call.principal
    if principal.kind not in ("user", "role", "federated"):
        return (), decide.UNLIMITED
    catalog = catalog or call.services.store.catalog()
    documents = catalog.role_policies(principal) if principal.kind == "role" else catalog.user_policies(principal)
    identity = tuple([compiled(document, PolicyKind.IDENTITY) for document in documents])
    boundary = catalog.boundary(principal)
    if boundary is None and not principal.session_policies:
        return identity, decide.UNLIMITED
    return identity, decide.Limits(
        None if boundary is None else compiled(boundary, PolicyKind.BOUNDARY),
        tuple([compiled(document, PolicyKind.SESSION) for document in principal.session_policies]),
    )


def _conclude(
    call: Call,
    ask: decide.Ask,
    decision: decide.Decision,
    rule: str,
    resource: Policy | None,
    own: tuple[tuple[Policy, ...], decide.Limits],
) -> bool:
    """Note the decision; raises AccessDenied, and returns whether it holds in whatever circumstances.

    `resource` and `own` are the policies that decided.
    """
    stands = not ask.circumstances_mattered
    identity, limits = own
    consulted = [*identity, *limits.session] if limits.session else [*identity]
    if resource is not None:
        consulted.append(resource)
    if limits.boundary is not None:
        consulted.append(limits.boundary)
    noted = evidence.noted(ask, decision, rule, consulted)
    if call.via:
        noted["via"] = call.via
    call.decisions.append(noted)
    if not decision.allowed:
        raise AccessDenied(decision.sentence)
    return stands


def _ask(
    call: Call, action: str, resource: str, account: str, context: Given | Fill | None, proposed: Grant | None = None
) -> decide.Ask:
    """Return the question; `account` owns the resource. Its facts are gathered only if a condition asks for one."""
    return decide.Ask(call.principal, action, resource, partial(circumstances.add, call, account, context), proposed)


def permit_key(
    call: Call,
    action: str,
    arn: str,
    key_account: str,
    key_policy: str,
    context: Given | Fill | None = None,
    catalog: Catalog | None = None,
    proposed: Grant | None = None,
) -> bool:
    """Check a KMS action on a key against the key policy (where that delegates, the caller's own) and its grants.

    Returns whether no condition was looked at, so that the decision stands until a policy or identity changes.
    Raises AccessDenied. `context` holds more condition keys, such as kms:EncryptionContext:aws:s3:arn, or is what adds
    them. `catalog` is the one from which the key policy was read, if that was since the last await: it saves asking
    for it again. `proposed` is the grant that kms:CreateGrant is to create.
    """
    ask = _ask(call, action, arn, key_account, context, proposed)
    policy = compiled(key_policy, PolicyKind.KEY)
    own = _own(call, catalog)
    grants = partial(_grants, call, arn, catalog)
    decision = decide.decide_key(ask, key_account, policy, own[0], grants, own[1])
    return _conclude(call, ask, decision, "key", policy, own)


def _grants(call: Call, arn: str, catalog: Catalog | None) -> tuple[Grant, ...]:
    """Return the grants of a key to the caller; read only where the policies leave a decision open."""
    if call.principal.kind == "anonymous":
        return ()
    *_, region, _, resource = arn.split(":", 5)
    return (catalog or call.services.store.catalog()).grants(resource.removeprefix("key/"), region, call.principal)


def permit_retirement(
    call: Call,
    grant: Grant | None,
    arn: str,
    key_account: str,
    key_policy: str,
    context: Given | Fill | None = None,
) -> None:
    """Check kms:RetireGrant for a grant (None: one that does not exist) of the key; raises AccessDenied."""
    ask = _ask(call, "kms:RetireGrant", arn, key_account, context)
    policy = compiled(key_policy, PolicyKind.KEY)
    own = _own(call)
    decision = decide.decide_retirement(ask, grant, key_account, policy, *own)
    _conclude(call, ask, decision, "retirement", policy, own)


def permit_bucket(
    call: Call,
    action: str,
    arn: str,
    bucket_account: str,
    bucket_policy: str | None,
    context: Given | Fill | None = None,
    *,
    restricted: bool = False,
) -> None:
    """Check an S3 action on a bucket or object against the caller's policies and the bucket policy.

    `restricted` tells that the policy is public, and that RestrictPublicBuckets keeps it from other accounts.
    """
    ask = _ask(call, action, arn, bucket_account, context)
    policy = compiled(bucket_policy, PolicyKind.BUCKET) if bucket_policy else None
    own = _own(call)
    decision = decide.decide_bucket(ask, bucket_account, policy, *own, restricted=restricted)
    _conclude(call, ask, decision, "bucket", policy, own)


def permit_identity(call: Call, action: str, resource: str, account: str, context: Given | Fill | None = None) -> None:
    """Check an action that only the caller's own policies govern (ListKeys, CreateKey, GenerateRandom, ListBuckets).

    Also the check for a resource that does not exist: whoever would not be allowed to ask learns nothing more.
    """
    ask = _ask(call, action, resource, account, context)
    own = _own(call)
    _conclude(call, ask, decide.decide_identity(ask, account, *own), "identity", None, own)
    call.remember(partial(permit_identity, call, action, resource, account, context))


def permit_role(
    call: Call, action: str, arn: str, account: str, trust_policy: str, context: Given | Fill | None = None
) -> None:
    """Check sts:AssumeRole, or what goes with it, on a role against its trust policy and the caller's own policies."""
    ask = _ask(call, action, arn, account, context)
    policy, own = compiled(trust_policy, PolicyKind.TRUST), _own(call)
    _conclude(call, ask, decide.decide_role(ask, account, policy, *own), "role", policy, own)
