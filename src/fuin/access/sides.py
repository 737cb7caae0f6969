"""The two sides of a decision: what the resource's policy says of the caller, and what the caller's own policies say.

AWS: "Policy evaluation for requests within a single account" and "Permissions boundaries for IAM entities". A deny on
either side wins; what allows, and how a resource's policy names the caller, is put together in `decide.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from fuin.access.grantees import Standing
from fuin.access.reasons import BOUNDARY, IDENTITY, RESOURCE, SESSION, Cause

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fuin.access.ask import Ask
    from fuin.access.policy import Policy
    from fuin.access.statement import Statement


class Limits(NamedTuple):
    """What bounds a caller's rights and gives none: a permissions boundary, and the policies of its session.

    Several session policies count as one: what any of them allows is within the limit. None at all is no limit.
    """

    boundary: Policy | None = None
    session: tuple[Policy, ...] = ()


UNLIMITED = Limits()


@dataclass(slots=True)  # not frozen, which would cost as much as a condition
class Resource:
    """What a resource's policy says: a deny, or the best allow and how that names the caller."""

    denied: Cause | None
    allowed: Cause | None
    standing: Standing


@dataclass(slots=True)
class Own:
    """What the caller's policies say: a deny, or an identity policy's allow, and what the limits say of that.

    `within` is what allows in each limit that there is; `missing` the kind of the first limit that does not allow.
    """

    denied: Cause | None
    allowed: Cause | None
    within: tuple[Cause, ...] = ()
    missing: str | None = None


_HERE = (RESOURCE, 0)
SILENT = Resource(None, None, Standing.NONE)


def resource_side(ask: Ask, policy: Policy, limits: Limits = UNLIMITED) -> Resource:
    """Return what a key's, bucket's or role's policy says of the caller."""
    allowed: Statement | None = None
    best = Standing.NONE
    for statement, standing in policy.naming(ask) if limits.boundary is None else _naming_bounded(ask, policy):
        if statement.effect == "Allow" and standing <= best:
            continue
        if (statement.on_everything or statement.covers(ask)) and (
            not statement.conditions or statement.meets_conditions(ask)
        ):
            if statement.effect == "Deny":
                return Resource(Cause(statement.reason, _HERE), None, Standing.NONE)
            allowed, best = statement, standing
    return Resource(None, None if allowed is None else Cause(allowed.reason, _HERE), best)


def _naming_bounded(ask: Ask, policy: Policy) -> Iterator[tuple[Statement, Standing]]:
    """Yield what names a principal that has a boundary: every Deny with NotPrincipal does, whomever it leaves out.

    AWS: "Permissions boundaries for IAM entities", which advises against such statements.
    """
    yield from policy.naming(ask)
    for statement in policy.on_action(ask.action):
        if statement.effect == "Deny" and statement.grantees is not None and statement.grantees.negated:
            yield statement, Standing.DIRECT


def own_side(ask: Ask, identity: tuple[Policy, ...], limits: Limits = UNLIMITED) -> Own:
    """Return what the caller's own policies say, within the limits of its boundary and its session."""
    denied, allowed = _scan(ask, IDENTITY, identity)
    if denied or limits is UNLIMITED:
        return Own(denied, allowed)
    within: list[Cause] = []
    missing = None
    for kind, policies in ((BOUNDARY, (limits.boundary,) if limits.boundary else ()), (SESSION, limits.session)):
        if not policies:
            continue
        denied, granted = _scan(ask, kind, policies)
        if denied:
            return Own(denied, None)
        if granted:
            within.append(granted)
        else:
            missing = missing or kind
    return Own(None, allowed, tuple(within), missing)


def _scan(ask: Ask, kind: str, policies: tuple[Policy, ...]) -> tuple[Cause | None, Cause | None]:
    """Return a deny of these policies, or else the first allow."""
    allowed = None
    for index, policy in enumerate(policies):
        for statement, _ in policy.naming(ask):
            if allowed is not None and statement.effect == "Allow":
                continue
            if (statement.on_everything or statement.covers(ask)) and (
                not statement.conditions or statement.meets_conditions(ask)
            ):
                if statement.effect == "Deny":
                    return Cause(statement.reason, (kind, index)), None
                allowed = Cause(statement.reason, (kind, index))
    return None, allowed
