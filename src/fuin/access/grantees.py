"""The Principal element of key and bucket policies: whom a statement names.

AWS: "AWS JSON policy elements: Principal".
"""

import enum
import re
from dataclasses import dataclass

from fuin.access.principal import Principal
from fuin.access.words import listed, short
from fuin.errors import MalformedPolicy

_ACCOUNT = re.compile(r"[0-9]{12}")
_ROOT = re.compile(r"arn:aws:iam::([0-9]{12}):root")
_USER = re.compile(r"arn:aws:iam::[0-9]{12}:user/[\w+=,.@/-]{1,576}", re.ASCII)
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com")


class Standing(enum.IntEnum):
    """How a statement names a caller."""

    NONE = 0
    ACCOUNT = 1  # its account is named, which leaves the rest to that account's own policies
    IDENTITY = 2  # the role of its session is named: the role's boundary and the session's policies limit that
    DIRECT = 3  # itself (a user, one session of a role) or everyone


@dataclass(frozen=True, slots=True)
class Grantees:
    """The principals that a statement names."""

    everyone: bool
    accounts: frozenset[str]
    arns: frozenset[str]
    services: frozenset[str]

    @property
    def text(self) -> str:
        """Return whom it names, for reasons."""
        if self.everyone:
            return "everyone"
        accounts = [f"account {account}" for account in sorted(self.accounts)]
        return listed([*accounts, *sorted(self.arns), *sorted(self.services)])

    def standing(self, principal: Principal) -> Standing:
        """Return how these principals name `principal`."""
        if self.everyone:
            return Standing.DIRECT
        if principal.kind == "service":
            return Standing.DIRECT if principal.arn in self.services else Standing.NONE
        if principal.arn in self.arns:
            return Standing.DIRECT
        if principal.role_arn in self.arns:
            return Standing.IDENTITY
        return Standing.ACCOUNT if principal.account in self.accounts else Standing.NONE


def parse_grantees(element: object, where: str) -> Grantees:
    """Return the meaning of a Principal element; raises MalformedPolicy, with `where` naming the statement."""
    if element == "*":
        return Grantees(True, frozenset(), frozenset(), frozenset())
    if not isinstance(element, dict) or not element:
        raise MalformedPolicy(f'{where}: Principal must be "*" or an object')
    if unknown := element.keys() - {"AWS", "Service"}:
        raise MalformedPolicy(f"{where}: Principal {short(min(unknown))} is not supported")
    names = _names(element["AWS"], where) if "AWS" in element else []
    services = _names(element["Service"], where) if "Service" in element else []
    accounts: set[str] = set()
    arns: set[str] = set()
    for name in names:
        if name != "*":
            _sort(name, accounts, arns, where)
    for service in services:
        if not _SERVICE.fullmatch(service):
            raise MalformedPolicy(f"{where}: invalid service principal: {short(service)}")
    return Grantees("*" in names, frozenset(accounts), frozenset(arns), frozenset(services))


def _names(value: object, where: str) -> list[str]:
    items = value if isinstance(value, list) else [value]
    names = [item for item in items if isinstance(item, str)]
    if not names or len(names) != len(items):
        raise MalformedPolicy(f"{where}: Principal must name at least one principal, as strings")
    return names


def _sort(name: str, accounts: set[str], arns: set[str], where: str) -> None:
    root = _ROOT.fullmatch(name)
    if root:
        accounts.add(root[1])
    elif _ACCOUNT.fullmatch(name):
        accounts.add(name)
    elif _USER.fullmatch(name):
        arns.add(name)
    else:
        raise MalformedPolicy(f"{where}: invalid principal: {short(name)}")
