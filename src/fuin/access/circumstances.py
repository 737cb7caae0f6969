"""The global condition keys that a request brings, whatever is asked for; AWS: "AWS global condition context keys".

What follows from the principal is added by `ask.py`; keys of a service are added by that service.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fuin.access.facts import Facts, Fill, Given, Table, Values
    from fuin.access.principal import Principal

_MAPPED = "::ffff:"  # RFC 4291 section 2.5.5.2: how a socket for both families shows an IPv4 address
_ISO_8601 = "%Y-%m-%dT%H:%M:%SZ"
_YES, _NO = ("true",), ("false",)


class Call(Protocol):
    """What is known of a request, as `fuin.gate.Call` has it."""

    principal: Principal
    region: str
    now: float
    source_ip: str
    secure: bool
    via: str | None

    @property
    def user_agent(self) -> str:
        """Return the User-Agent header, empty if there is none."""

    @property
    def referer(self) -> str:
        """Return the Referer header, empty if there is none."""


_REQUEST: Table = {
    "aws:sourceip": lambda call, _: (address(call.source_ip),) if call.source_ip else None,
    "aws:securetransport": lambda call, _: _YES if call.secure else _NO,
    "aws:requestedregion": lambda call, _: (call.region,),
    "aws:resourceaccount": lambda _, account: (account,) if account else None,
    "aws:currenttime": lambda call, _: (time.strftime(_ISO_8601, time.gmtime(call.now)),),
    "aws:epochtime": lambda call, _: (str(int(call.now)),),
    "aws:useragent": lambda call, _: (call.user_agent,) if call.user_agent else None,
    "aws:referer": lambda call, _: (call.referer,) if call.referer else None,
}


def _service(call: Call, _: str) -> Values | None:
    return (f"{(call.via or '').partition('.')[0]}.amazonaws.com",)


# What tells that a service asks on the caller's behalf: AWS, "Forward access sessions". The address stays the
# caller's. A user's long-lived key counts as temporary credentials without MFA there.
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
_OF_DIRECT: Table = {**_REQUEST, "aws:viaawsservice": lambda *_: _NO}
_OF_FORWARDED: Table = {**_REQUEST, **_FORWARDED}


def add(call: Call, account: str, more: Given | Fill | None, facts: Facts) -> None:
    """Put the request's condition keys, and what the service adds, into the facts; `account` owns the resource."""
    facts.by_table(_OF_FORWARDED if call.via else _OF_DIRECT, call, account)
    if callable(more):
        more(facts)
    elif more:
        facts.add(more)


def address(text: str) -> str:
    """Return an address as policies write it: without its zone, and IPv4 as IPv4."""
    text = text.partition("%")[0]
    return text[len(_MAPPED) :] if text.lower().startswith(_MAPPED) and "." in text else text
