"""The two sides of a decision: what the resource's policy says of the caller, and what the caller's own policies say.

AWS: "Policy evaluation for requests within a single account" and "Permissions boundaries for IAM entities". A deny on
either side wins; what allows, and how a resource's policy names the caller, is put together in `decide.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fuin.access.causes import BOUNDARY, IDENTITY, RESOURCE, SESSION, SourcedReason
from fuin.access.principal_element import Match

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fuin.access.policy import Policy
    from fuin.access.question import Question
    from fuin.access.statement import Statement


class Limits(NamedTuple):
    """What bounds a caller's rights and gives none: a permissions boundary, and the policies of its session.

    Several session policies count as one: what any of them allows is within the limit. None at all is no limit.
    """

    boundary: Policy | None = None
    session: tuple[Policy, ...] = ()


UNLIMITED = Limits()


@dataclass(slots=True)  # not frozen, which would cost as much as a condition
class ResourceVerdict:
    """What a resource's policy says: a deny, or the best allow and how that names the caller."""

    denied: SourcedReason | None
    allowed: SourcedReason | None
    match: Match


@dataclass(slots=True)
class OwnVerdict:
    """What the caller's policies say: a deny, or an identity policy's allow, and what the limits say of that.

    `allowing_limits` are the reasons by which each limit allows; `missing_limit` is the kind of the first limit that
    does not.
    """

    denied: SourcedReason | None
    allowed: SourcedReason | None
    allowing_limits: tuple[SourcedReason, ...] = ()
    missing_limit: str | None = None


_HERE = (RESOURCE, 0)
SILENT = ResourceVerdict(None, None, Match.NONE)


def resource_side(question: Question, policy: Policy, limits: Limits = UNLIMITED) -> ResourceVerdict:
    """Return what a key's, bucket's or role's policy says of the caller."""
    allowed: Statement | None = None
    best = Match.NONE
    for statement, match in (
        policy.statements_naming(question) if limits.boundary is None else _naming_bounded(question, policy)
    ):
        if statement.effect == "Allow" and match <= best:
            continue
        if (statement.matches_all_resources or statement.covers(question)) and (
            not statement.conditions or statement.meets_conditions(question)
        ):
            if statement.effect == "Deny":
                return ResourceVerdict(SourcedReason(statement.reason, _HERE), None, Match.NONE)
            allowed, best = statement, match
    return ResourceVerdict(None, None if allowed is None else SourcedReason(allowed.reason, _HERE), best)


def _naming_bounded(question: Question, policy: Policy) -> Iterator[tuple[Statement, Match]]:
    """Yield what names a principal that has a boundary: every Deny with NotPrincipal does, whomever it leaves out.

    AWS: "Permissions boundaries for IAM entities", which advises against such statements.
    """
    yield from policy.statements_naming(question)
    for statement in policy.statements_on(question.action):
        if statement.effect == "Deny" and statement.grantees is not None and statement.grantees.negated:
            yield statement, Match.DIRECT


def own_side(question: Question, identity: tuple[Policy, ...], limits: Limits = UNLIMITED) -> OwnVerdict:
    """Return what the caller's own policies say, within the limits of its boundary and its session."""
    denied, allowed = _scan(question, IDENTITY, identity)
    if denied or limits is UNLIMITED:
        return OwnVerdict(denied, allowed)
    allowing_limits: list[SourcedReason] = []
    missing_limit = None
    for kind, policies in ((BOUNDARY, (limits.boundary,) if limits.boundary else ()), (SESSION, limits.session)):
        if not policies:
            continue
        denied, granted = _scan(question, kind, policies)
        if denied:
            return OwnVerdict(denied, None)
        if granted:
            allowing_limits.append(granted)
        else:
            missing_limit = missing_limit or kind
    return OwnVerdict(None, allowed, tuple(allowing_limits), missing_limit)


def _scan(
    question: Question, kind: str, policies: tuple[Policy, ...]
) -> tuple[SourcedReason | None, SourcedReason | None]:
    """Return a deny of these policies, or else the first allow."""
    allowed = None
    for index, policy in enumerate(policies):
        for statement, _ in policy.statements_naming(question):
            if allowed is not None and statement.effect == "Allow":
                continue
            if (statement.matches_all_resources or statement.covers(question)) and (
                not statement.conditions or statement.meets_conditions(question)
            ):
                if statement.effect == "Deny":
                    return SourcedReason(statement.reason, (kind, index)), None
                allowed = SourcedReason(statement.reason, (kind, index))
    return None, allowed
