"""Who can: the real decision for every principal of this server, and for all others that a policy or grant names."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin import ids
from fuin.access.kinds import PolicyKind
from fuin.access.lint.policy_source import listed_values
from fuin.access.principal import ANONYMOUS, Principal, account_root
from fuin.advice import holders
from fuin.advice.case import LabelledPolicy
from fuin.advice.conditional import ConditionalAnswer, conditional_answer
from fuin.advice.holders import PrincipalInForce

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from fuin.advice.case import Case
    from fuin.advice.targets import Right

_ROOT = re.compile(r"(?:arn:aws:iam::)?([0-9]{12})(?::root)?")
_NAMED = re.compile(r"arn:aws:(?:iam|sts)::([0-9]{12}):(user|role|assumed-role|federated-user)/(.+)")
_UNKNOWN_ACCOUNT = "000000000000"  # means any account that no policy names
_ALLOW_ALL = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
_ASSUMED = "the principal is there and its own policies, which are not on this server, allow it"
_VOUCHED = "the user that asks for the federated user may do it, and passes a session policy that allows it"
# Keys that are not certain: for a role session those that its session brings; for an outsider all about the principal.
_SESSION_KEYS = ("aws:userid", "aws:principaltag/")
_OUTSIDER_KEYS = (
    "aws:userid",
    "aws:username",
    "aws:principaltag/",
    "aws:principalarn",
    "aws:principaltype",
    "aws:principalorg",
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one right for one principal: the case and its conditional answer."""

    right: Right
    case: Case
    answer: ConditionalAnswer


@dataclass(frozen=True, slots=True)
class Row:
    """One principal and the outcome of every right that the question needs; the principal must have all of them."""

    holder: PrincipalInForce
    outcomes: tuple[Outcome, ...]

    @property
    def name(self) -> str:
        """Return the ARN that people know; for any session of a role, it is the role's."""
        principal = self.holder.principal
        any_session = principal.kind == "role" and principal.arn.endswith(f"/{holders.ANY_SESSION}")
        return principal.identity_arn if any_session else principal.arn

    @property
    def verdict(self) -> str:
        """Return can, can if, or cannot."""
        if any(outcome.answer.never for outcome in self.outcomes):
            return "cannot"
        return "can" if all(outcome.answer.always for outcome in self.outcomes) else "can if"


def who_can(conn: Connection, rights: tuple[Right, ...]) -> list[Row]:
    """Return a row for each principal of this server and each outsider; those that can come first."""
    known = list(holders.holders(conn))
    arns = {holder.principal.identity_arn or holder.principal.arn for holder in known}
    outsiders = list(_named_outsiders(conn, known, rights, arns))
    rows = [_row(holder, rights, is_outsider=holder in outsiders) for holder in (*known, *outsiders)]
    return sorted(rows, key=lambda row: ("can", "can if", "cannot").index(row.verdict))


def _row(holder: PrincipalInForce, rights: tuple[Right, ...], *, is_outsider: bool) -> Row:
    doubtful = (
        _OUTSIDER_KEYS if is_outsider else _SESSION_KEYS if holder.principal.kind in ("role", "federated") else ()
    )

    def outcome(right: Right) -> Outcome:
        case = right.case(holder)
        known = lambda key: right.knows(key) and not key.startswith(doubtful or ("\0",))  # noqa: E731
        return Outcome(right, case, conditional_answer(case, right.question(holder), known))

    return Row(holder, tuple(outcome(right) for right in rights))


def _named_outsiders(
    conn: Connection, known: list[PrincipalInForce], rights: tuple[Right, ...], arns: set[str]
) -> Iterator[PrincipalInForce]:
    """Yield, once each, the principals that policies and grants name and that are not in this server."""
    cases = [right.case(known[0]) for right in rights] if known else []
    named = set(itertools.chain.from_iterable(map(_named_principals, cases)))
    for name in sorted(named - arns):
        holder = _federated_user_by_name(name) or holders.find(conn, name) or _outsider_by_name(name)
        if holder is not None and holder.principal.arn not in arns:
            yield holder
    if "*" in named:
        yield PrincipalInForce(ANONYMOUS, "anyone without a signature")
        anybody = Principal("user", f"arn:aws:iam::{_UNKNOWN_ACCOUNT}:user/*", _UNKNOWN_ACCOUNT, "AIDA*", "*")
        yield _outsider(anybody, "any other account")


def _named_principals(case: Case) -> Iterator[str]:
    """Yield the principals that the resource's policy names, those that a Deny excludes, and the grantees."""
    for raw in case.resource_policy.statements() if case.resource_policy else ():
        whom = raw.get("NotPrincipal", {}) if raw["Effect"] == "Deny" else raw["Principal"]
        if whom == "*":
            yield "*"
            continue
        yield from listed_values(whom.get("AWS", []))
        yield from (f"service:{name}" for name in listed_values(whom.get("Service", [])))
    for grant in case.grants:
        if grant.grantee:
            yield grant.grantee
        if grant.grantee_service:
            yield f"service:{grant.grantee_service}"


def _outsider_by_name(name: str) -> PrincipalInForce | None:
    """Return the principal of a name that this server does not know; None if the text names no principal."""
    if name.startswith("service:"):
        service = name.removeprefix("service:")
        return PrincipalInForce(Principal("service", service, "", service), f"service {service}")
    if found := _ROOT.fullmatch(name):
        return PrincipalInForce(account_root(found[1]), f"the root of account {found[1]}")
    found = _NAMED.fullmatch(name)
    if found is None:
        return None
    account, kind, path = found.groups()
    if kind == "user":
        principal = Principal("user", name, account, "AIDA*", path.rpartition("/")[2])
    elif kind == "role":
        role = path.rpartition("/")[2]
        principal = _session(account, role, ids.session_arn(account, role, holders.ANY_SESSION), name)
    else:
        role = path.partition("/")[0]
        principal = _session(account, role, name, ids.iam_arn(account, "role", "/", role))
    return _outsider(principal, f"account {account}")


def _federated_user_by_name(name: str) -> PrincipalInForce | None:
    """Return the federated user of a name, with assumed policies: its user is not known yet; None for other names."""
    found = _NAMED.fullmatch(name)
    if found is None or found[2] != "federated-user":
        return None
    holder = holders.federated_user(found[1], found[3])
    return _outsider(holder.principal, holder.owner, _VOUCHED)


def _session(account: str, role: str, arn: str, role_arn: str) -> Principal:
    return Principal("role", arn, account, "AROA*:*", role, identity_arn=role_arn)


def _outsider(principal: Principal, where: str, assumed: str = _ASSUMED) -> PrincipalInForce:
    """Return a principal with policies that are not known here: they are assumed to allow everything."""
    policy = LabelledPolicy(f"policies of {where}", PolicyKind.MANAGED, _ALLOW_ALL, assumed)
    return PrincipalInForce(principal, where, (policy,))
