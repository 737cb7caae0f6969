"""The Principal element of a resource's policy: which principals a statement names.

AWS: "AWS JSON policy elements: Principal".
"""

import enum
import re
from dataclasses import dataclass

from fuin.access.principal import Principal
from fuin.access.shorten import shorten, shorten_list
from fuin.errors import MalformedPolicy

_ACCOUNT = re.compile(r"[0-9]{12}")
_ROOT = re.compile(r"arn:aws:iam::([0-9]{12}):root")
_IDENTITY = re.compile(r"arn:aws:iam::[0-9]{12}:(?:user|role)/[\w+=,.@/-]{1,576}", re.ASCII)
_SESSION = re.compile(
    r"arn:aws:sts::[0-9]{12}:(?:assumed-role/[\w+=,.@-]{1,64}|federated-user)/[\w+=,.@-]{2,64}", re.ASCII
)
_ENDED = re.compile(
    r"(?:AIDA|AROA)[A-Z0-9]{16,124}(?::[\w+=,.@-]{2,64})?", re.ASCII
)  # store/identity/principals.py writes it
_SERVICE_LABELS = re.compile(r"[a-z0-9.-]{1,100}\.amazonaws\.com")
_CANONICAL = re.compile(r"[0-9a-f]{64}")
_PROVIDER = re.compile(r"[\w.-]{1,255}|arn:aws:iam::[0-9]{12}:(?:oidc|saml)-provider/[\w.:/-]{1,255}", re.ASCII)
_ELEMENT = {True: "NotPrincipal", False: "Principal"}
_ACCEPTED = {
    "key policy": ("AWS", "Service"), "bucket policy": ("AWS", "Service", "CanonicalUser"),
    "trust policy": ("AWS", "Service", "Federated"),
}  # fmt: skip
# AWS's own texts.
_INVALID = {
    "key policy": "Policy contains a statement with one or more invalid principals.",
    "bucket policy": "Invalid principal in policy.", "trust policy": "Invalid principal in policy.",
}  # fmt: skip


class Match(enum.IntEnum):
    """How a statement names a caller."""

    NONE = 0
    ACCOUNT = 1  # its account is named: the policies in that account decide the rest
    IDENTITY = 2  # the role of the session, or the user of the federated user, is named: its limits still apply
    DIRECT = 3  # the caller itself is named (a user, one session of a role), or everyone is


# These are needed for every statement of every decision, and an attribute of an enumeration is slow to read.
_NONE, _ACCOUNT_OF, _IDENTITY_OF, _DIRECT = Match


@dataclass(frozen=True, slots=True)
class Grantees:
    """The principals that a statement names or, with NotPrincipal (`negated`), the ones that it excludes.

    `others` are names that match nobody here: identity providers, canonical users of accounts elsewhere, and the unique
    ids of deleted users and roles.
    """

    everyone: bool
    accounts: frozenset[str]
    arns: frozenset[str]
    services: frozenset[str]
    others: frozenset[str] = frozenset()
    negated: bool = False

    @property
    def text(self) -> str:
        """Return the names of the principals, for reasons."""
        accounts = [f"account {account}" for account in sorted(self.accounts)]
        named = [*accounts, *sorted(self.arns), *sorted(self.services), *sorted(self.others)]
        text = "everyone" if self.everyone else shorten_list(named)
        return f"everyone but {text}" if self.negated else text

    def match_principal(self, principal: Principal) -> Match:
        """Return how these principals name `principal`."""
        if self.negated:
            return _NONE if self._leaves_out(principal) else _DIRECT
        if self.everyone:
            return _DIRECT
        if principal.kind == "service":
            return _DIRECT if principal.arn in self.services else _NONE
        if principal.arn in self.arns:
            return _DIRECT
        if principal.identity_arn in self.arns:
            return _IDENTITY_OF
        return _ACCOUNT_OF if principal.account in self.accounts else _NONE

    def _leaves_out(self, principal: Principal) -> bool:
        """Return whether a Deny with NotPrincipal spares `principal`.

        AWS looks at the account, then the role, then the session: each of them must be in the list. AWS: "AWS JSON
        policy elements: NotPrincipal".
        """
        if self.everyone or principal.kind == "service":
            return self.everyone or principal.arn in self.services
        if principal.account not in self.accounts:
            return False
        names = {principal.arn, principal.identity_arn} - {""} if principal.kind != "root" else set()
        return names <= self.arns


def parse_grantees(element: object, where: str, kind: str = "key policy", *, negated: bool = False) -> Grantees:
    """Return the principals of a Principal or (`negated`) NotPrincipal element; `kind` is the kind of policy.

    Raises MalformedPolicy; `where` names the statement in the error's text.
    """
    if element == "*":
        return Grantees(True, frozenset(), frozenset(), frozenset(), negated=negated)
    if not isinstance(element, dict) or not element:
        raise MalformedPolicy(f'{where}: {_ELEMENT[negated]} must be "*" or an object', _INVALID[kind])
    if unknown := element.keys() - set(_ACCEPTED[kind]):
        raise MalformedPolicy(f"{where}: Principal {shorten(min(unknown))} is not supported", _INVALID[kind])
    named = _NameCollector(where, _INVALID[kind], set(), set(), set(), set())
    names = named.read_names(element, "AWS")
    for name in names:
        if name != "*":
            named.add(name)
    for service in named.read_names(element, "Service"):
        named.check(_SERVICE_LABELS, service, "service principal")
        named.services.add(service)
    for provider in named.read_names(element, "Federated"):
        named.check(_PROVIDER, provider, "identity provider")
        named.others.add(provider)
    for user in named.read_names(element, "CanonicalUser"):
        named.add_canonical(user)
    return Grantees(
        "*" in names, frozenset(named.accounts), frozenset(named.arns), frozenset(named.services),
        frozenset(named.others), negated,
    )  # fmt: skip


@dataclass(slots=True)
class _NameCollector:
    """The names in a Principal element, sorted into kinds while the element is read."""

    where: str
    invalid: str  # AWS's error text
    accounts: set[str]
    arns: set[str]
    services: set[str]
    others: set[str]

    def read_names(self, element: dict[str, object], member: str) -> list[str]:
        if member not in element:
            return []
        value = element[member]
        items = value if isinstance(value, list) else [value]
        names = [item for item in items if isinstance(item, str)]
        if not names or len(names) != len(items):
            raise MalformedPolicy(f"{self.where}: Principal must name at least one principal, as strings", self.invalid)
        return names

    def check(self, form: re.Pattern[str], name: str, what: str) -> None:
        if not form.fullmatch(name):
            raise MalformedPolicy(f"{self.where}: invalid {what}: {shorten(name)}", self.invalid)

    def add(self, name: str) -> None:
        root = _ROOT.fullmatch(name)
        if root:
            self.accounts.add(root[1])
        elif _ACCOUNT.fullmatch(name):
            self.accounts.add(name)
        elif _IDENTITY.fullmatch(name):
            self.arns.add(name)
        elif _ENDED.fullmatch(name):
            self.others.add(name)
        else:
            self.check(_SESSION, name, "principal")
            self.arns.add(name)

    def add_canonical(self, user: str) -> None:
        """Add a canonical user; an account's canonical id is its number here."""
        if _ACCOUNT.fullmatch(user):
            self.accounts.add(user)
        else:
            self.check(_CANONICAL, user, "canonical user")
            self.others.add(user)
