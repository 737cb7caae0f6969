"""The global condition keys that a request brings, whatever is asked for; AWS: "AWS global condition context keys".

What follows from the principal is added by `ask.py`; keys of a service are added by that service.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from fuin.access.facts import Facts, Fill, Given
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


def add(call: Call, account: str, more: Given | Fill | None, facts: Facts) -> None:
    """Put the request's condition keys, and what the service adds, into the facts; `account` owns the resource."""
    known = facts.known
    if call.source_ip:
        known["aws:sourceip"] = (address(call.source_ip),)
    known["aws:securetransport"] = _YES if call.secure else _NO
    known["aws:requestedregion"] = (call.region,)
    if account:
        known["aws:resourceaccount"] = (account,)
    facts.later("aws:currenttime", lambda: (time.strftime(_ISO_8601, time.gmtime(call.now)),))
    facts.later("aws:epochtime", lambda: (str(int(call.now)),))
    if call.user_agent:
        known["aws:useragent"] = (call.user_agent,)
    if call.referer:
        known["aws:referer"] = (call.referer,)
    if call.via:
        _add_forwarded(call, call.via, facts)
    else:
        known["aws:viaawsservice"] = _NO
    if callable(more):
        more(facts)
    elif more:
        facts.add(more)


def _add_forwarded(call: Call, via: str, facts: Facts) -> None:
    """Add what tells that a service asks on the caller's behalf: AWS, "Forward access sessions".

    The address stays the caller's. A user's long-lived key counts as temporary credentials without MFA there.
    """
    known = facts.known
    known["aws:viaawsservice"] = _YES
    known["kms:viaservice"] = (via,)
    service = (f"{via.partition('.')[0]}.amazonaws.com",)
    known["aws:calledvia"] = known["aws:calledviafirst"] = known["aws:calledvialast"] = service
    if call.principal.kind == "user" and not call.principal.session:
        known["aws:multifactorauthpresent"] = _NO


def address(text: str) -> str:
    """Return an address as policies write it: without its zone, and IPv4 as IPv4."""
    text = text.partition("%")[0]
    return text[len(_MAPPED) :] if text.lower().startswith(_MAPPED) and "." in text else text
