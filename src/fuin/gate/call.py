"""A `Call` is one request after authentication: who asks for what and when, its record, and the rights that it holds.

The functions of every operation take the call as their first argument. They do everything through its methods:

| verb | what it does | where |
|---|---|---|
| `consult` | takes a decision from the rows in memory; rows that are missing there are fetched first | here |
| `use` | awaits the keyholder's answer to a use of a key, whose record is the request's | here |
| `change`, `add`, `commit`, `write`, `make` | make a change, if the caller still has the rights for it | `commit.py` |
| `permit` | asks whether the caller may do an action to a resource, and records the decision | `permit.py` |
| `announce`, `name`, `draft`, `conclude` | put something on the record | `record.py` |
| `remember` | keeps a check of a right, which a change repeats before it commits | `commit.py` |
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import msgspec

from fuin.errors import MaterialDamaged, TamperedError
from fuin.gate import commit as commits
from fuin.gate import permit as permits
from fuin.gate import record as records
from fuin.store.errors import NotInMemory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from fuin.access.principal import Principal
    from fuin.gate.services import Services

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound="Call")


class Call(msgspec.Struct):
    """One request after authentication: who, what, when, its record and the rights that it holds."""

    services: Services
    request_id: str
    service: str  # kms, s3, iam, sts
    operation: str  # GenerateDataKey
    principal: Principal
    access_key_id: str
    region: str  # of the credential scope; the server's own for anonymous requests
    now: float  # seconds since 1970
    source_ip: str = ""
    secure: bool = False  # came over TLS
    headers: Mapping[bytes, bytes] = {}  # of the request, by names in lower case
    via: str | None = None  # s3.us-east-1.amazonaws.com when the object store asks KMS as this caller
    record: records.RequestRecord = msgspec.field(default_factory=records.RequestRecord)
    rights: commits.HeldRights = msgspec.field(default_factory=commits.HeldRights)

    announce = records.announce
    conclude = records.conclude
    name = records.name
    draft = records.draft

    permit = permits.permit
    aliases_of = permits.aliases_of

    authenticate_with = commits.authenticate_with
    authenticate_again = commits.authenticate_again
    remember = commits.remember
    ask_again = commits.ask_again
    change = commits.change
    commit = commits.commit
    add = commits.add
    write = commits.write
    make = commits.make

    @property
    def facts(self) -> dict[str, Any]:
        """Return the facts on the record, which explain shows: bucket, key, bytes, default key …"""
        return self.record.facts

    @property
    def decisions(self) -> list[dict[str, Any] | msgspec.Raw]:
        """Return the decisions on the record."""
        return self.record.decisions

    @property
    def user_agent(self) -> str:
        """Return the User-Agent header, or an empty text."""
        return self.headers.get(b"user-agent", b"").decode("latin-1")

    @property
    def referer(self) -> str:
        """Return the Referer header; empty without one, and when a service asks on behalf of the caller."""
        return "" if self.via else self.headers.get(b"referer", b"").decode("latin-1")

    @property
    def account(self) -> str:
        """Return the caller's account."""
        return self.principal.account

    def call_by_service(self, via: str) -> Call:
        """Return the same call as one that a service makes on the caller's behalf; both share the record."""
        return Call(
            self.services, self.request_id, self.service, self.operation, self.principal, self.access_key_id,
            self.region, self.now, self.source_ip, self.secure, self.headers, via, self.record,
        )  # fmt: skip

    async def consult(self: C, decide: Callable[Concatenate[C, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return `decide(call, …)`, which reads the store's memory and waits for nothing.

        Rows that are not in memory and cannot be read at once are fetched. Then the decision is taken again from the
        start, and the record loses the entries of the first try.
        """
        store = self.services.store
        if store.reads_at_once:
            return decide(self, *args, **kwargs)
        decisions, checks = len(self.record.decisions), len(self.rights.granted_checks)
        try:
            return decide(self, *args, **kwargs)  # mostly all rows are in memory
        except NotInMemory:
            return await self._consult_anew(partial(decide, self, *args, **kwargs), decisions, checks)

    async def _consult_anew(self, decide: Callable[[], T], decisions: int, checks: int) -> T:
        """Return the decision as `consult`; the record had some decisions before it, and the rights some checks."""

        def decide_anew() -> T:
            del self.record.decisions[decisions:], self.rights.granted_checks[checks:]
            return decide()

        return await self.services.store.consult(decide_anew)

    async def use(self, answer: Awaitable[T]) -> T:
        """Return the keyholder's answer to a use of a key: the record of the use is the request's.

        The keyholder has recorded a use before it answers. It has also recorded a ciphertext, signature or MAC that was
        not good; this raises TamperedError. A service that has asked on the caller's behalf answers that with an error
        of its own, which needs a closing record. So does any other error.
        """
        try:
            result = await answer
        except MaterialDamaged:
            raise
        except TamperedError:
            self.record.refused = self.via is None
            raise
        self.record.close()
        return result

    def end(self) -> None:
        """Drop the checks that a change repeats, when the work is done.

        They refer to the call, so each request would wait for the garbage collector, which costs 20 µs.
        """
        self.rights.granted_checks.clear()
