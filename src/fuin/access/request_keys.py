"""The global condition keys that follow from a request, for every action; AWS: "AWS global condition context keys".

`question.py` adds the keys that follow from the principal, and each service adds its own.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fuin.access.facts import AddFacts, Facts, Given, Table, Values
    from fuin.access.principal import Principal
    from fuin.access.resources.resource import KeyProperties, Resource

_MAPPED = "::ffff:"  # RFC 4291 section 2.5.5.2: how a socket for both families shows an IPv4 address
_ISO_8601 = "%Y-%m-%dT%H:%M:%SZ"
_YES, _NO = ("true",), ("false",)


class Call(Protocol):
    """The properties of a request that conditions can ask for; `fuin.gate.Call` has them."""

    principal: Principal
    region: str
    now: float
    source_ip: str
    secure: bool
    via: str | None

    @property
    def user_agent(self) -> str:
        """Return the User-Agent header, or "" without one."""

    @property
    def referer(self) -> str:
        """Return the Referer header, or "" without one."""

    def aliases_of(self, key: KeyProperties) -> Values:
        """Return the names of all aliases of a key."""


_REQUEST: Table = {
    "aws:sourceip": lambda call, _: (address(call.source_ip),) if call.source_ip else None,
    "aws:securetransport": lambda call, _: _YES if call.secure else _NO,
    "aws:requestedregion": lambda call, _: (call.region,),
    "aws:resourceaccount": lambda _, resource: (resource.account,) if resource.account else None,
    "aws:currenttime": lambda call, _: (time.strftime(_ISO_8601, time.gmtime(call.now)),),
    "aws:epochtime": lambda call, _: (str(int(call.now)),),
    "aws:useragent": lambda call, _: (call.user_agent,) if call.user_agent else None,
    "aws:referer": lambda call, _: (call.referer,) if call.referer else None,
}


def _service(call: Call, _: Resource) -> Values | None:
    return (f"{(call.via or '').partition('.')[0]}.amazonaws.com",)


# The keys for a service that asks on the caller's behalf: AWS, "Forward access sessions". The address is still the
# caller's. For a user with a long-lived key, MFA counts as absent there.
_FORWARDED: Table = {
    "aws:viaawsservice": lambda *_: _YES,
    "kms:viaservice": lambda call, _: (call.via or "",),
    "aws:calledvia": _service,
    "aws:calledviafirst": _service,
    "aws:calledvialast": _service,
    "aws:multifactorauthpresent": lambda call, _: (
        _NO if call.principal.kind == "user" and not call.principal.session else None
    ),
}
_DIRECT_REQUEST: Table = {**_REQUEST, "aws:viaawsservice": lambda *_: _NO}
_FORWARDED_REQUEST: Table = {**_REQUEST, **_FORWARDED}
# One table for the request and the resource together; its functions take both. There is one for each kind of resource,
# with and without a service that asks. Each is made when it is first needed.
_tables: dict[tuple[type, bool], Table] = {}


def add(call: Call, resource: Resource, more: Given | AddFacts | None, facts: Facts) -> None:
    """Add the condition keys of the request and of the resource, and those that the operation brings (`more`)."""
    kind = type(resource), call.via is not None
    facts.add_table(_tables.get(kind) or _table(*kind), call, resource)
    if callable(more):
        more(facts)
    elif more:
        facts.add(more)


def _table(kind: type[Resource], forwarded: bool) -> Table:
    table = {**(_FORWARDED_REQUEST if forwarded else _DIRECT_REQUEST), **kind.condition_keys}
    _tables[kind, forwarded] = table
    return table


def address(text: str) -> str:
    """Return an address in the form that policies use: without a zone, and IPv4 as IPv4."""
    text = text.partition("%")[0]
    return text[len(_MAPPED) :] if text.lower().startswith(_MAPPED) and "." in text else text
