"""The two sides of a decision: the verdict of the resource's policy, and the verdict of the caller's own policies.

AWS: "Policy evaluation for requests within a single account" and "Permissions boundaries for IAM entities". A Deny on
either side wins. `decide.py` combines the two verdicts.
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
    """The policies that limit a caller's rights and give none: a permissions boundary, and the policies of its session.

    Several session policies count as one: an action is within the limit if any of them allows it. Without session
    policies, a session has no such limit.
    """

    boundary: Policy | None = None
    session: tuple[Policy, ...] = ()


UNLIMITED = Limits()


@dataclass(slots=True)  # not frozen, which would cost as much as a condition
class ResourceVerdict:
    """The verdict of a resource's policy: a Deny, or else the best Allow and how it names the caller."""

    denied: SourcedReason | None
    allowed: SourcedReason | None
    match: Match


@dataclass(slots=True)
class OwnVerdict:
    """The verdict of the caller's policies: a Deny, or else the Allow of an identity policy, and the limits' verdict.

    `allowing_limits` has a reason for each limit that allows; `missing_limit` is the kind of the first that does not.
    """

    denied: SourcedReason | None
    allowed: SourcedReason | None
    allowing_limits: tuple[SourcedReason, ...] = ()
    missing_limit: str | None = None


_HERE = (RESOURCE, 0)
SILENT = ResourceVerdict(None, None, Match.NONE)


def resource_side(question: Question, policy: Policy, limits: Limits = UNLIMITED) -> ResourceVerdict:
    """Return the verdict of a key's, bucket's or role's policy."""
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
    """Yield the statements that name a principal with a boundary: every Deny with NotPrincipal also names it.

    AWS: "Permissions boundaries for IAM entities", which advises against such statements.
    """
    yield from policy.statements_naming(question)
    for statement in policy.statements_on(question.action):
        if statement.effect == "Deny" and statement.grantees is not None and statement.grantees.negated:
            yield statement, Match.DIRECT


def own_side(question: Question, identity: tuple[Policy, ...], limits: Limits = UNLIMITED) -> OwnVerdict:
    """Return the verdict of the caller's own policies, with the limits of its boundary and its session."""
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
    """Return a Deny of these policies and None, or else None and the first Allow, if they have one."""
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
