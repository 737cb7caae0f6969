"""Who could: the real decision where some of a request's condition keys are not known yet.

A statement whose conditions hang on unknown keys is tried both ways, as one that holds and as one that does not. So the
answer is yes, no, or yes if certain statements' conditions are met and certain denials' are not.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fuin.access.changes import resource_of, said, without_conditions
from fuin.access.explain import ConditionTrace, trace_policy
from fuin.access.grantees import Standing
from fuin.access.grants import unmet
from fuin.access.words import listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fuin.access.ask import Ask
    from fuin.access.case import Case, Known, Sheet
    from fuin.access.decide import Decision
    from fuin.access.grants import Grant

_TOGETHER_AT_MOST = 4  # one statement of each: the resource's policy, the caller's, its boundary, its session's
_WAYS_AT_MOST = 8
_OPEN_AT_MOST = 24


@dataclass(frozen=True, slots=True)
class Term:
    """Something that has to hold, or not to: a statement's or a grant's conditions, in words."""

    where: str
    conditions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to be allowed: what must hold for it (empty: nothing) and the reasons that then allow."""

    terms: tuple[Term, ...]
    decision: Decision


@dataclass(frozen=True, slots=True)
class Prospect:
    """Whether a principal could: by one of `ways` (none: never), unless one of the denials in `unless` holds."""

    ways: tuple[Way, ...]
    unless: tuple[Term, ...] = ()
    refusal: Decision | None = None

    @property
    def never(self) -> bool:
        """Tell whether no circumstances would allow it."""
        return not self.ways

    @property
    def always(self) -> bool:
        """Tell whether it is allowed in whatever circumstances."""
        return any(not way.terms for way in self.ways) and not self.unless


@dataclass(frozen=True, slots=True)
class _Open:
    """What is not certain: `assume` makes it hold in a case, without it the case is as if it did not."""

    term: Term
    assume: Callable[[Case], Case]


def prospect(case: Case, ask: Ask, known: Known) -> Prospect:
    """Return whether a question would be allowed, and if what; `known` says which absent keys are really absent."""
    certain, allows, denials = _certain(case, ask, known)
    ways = tuple(itertools.islice(_ways(certain, ask, allows), _WAYS_AT_MOST))
    if not ways:
        return Prospect((), (), certain.decide(ask))
    return Prospect(ways, tuple(denial.term for denial in denials))


def _ways(case: Case, ask: Ask, allows: Sequence[_Open]) -> Iterator[Way]:
    """Yield the smallest sets of open statements that allow together, none of which holds another."""
    found: list[frozenset[int]] = []
    for count in range(min(len(allows), _TOGETHER_AT_MOST) + 1):
        for chosen in itertools.combinations(range(min(len(allows), _OPEN_AT_MOST)), count):
            if any(smaller <= set(chosen) for smaller in found):
                continue
            tried = case
            for number in chosen:
                tried = allows[number].assume(tried)
            decision = tried.decide(ask)
            if decision.allowed:
                found.append(frozenset(chosen))
                yield Way(tuple(allows[number].term for number in chosen), decision)


def _certain(case: Case, ask: Ask, known: Known) -> tuple[Case, list[_Open], list[_Open]]:
    """Return the case without what is open, and that apart: what could allow, and what could deny."""
    allows: list[_Open] = []
    denials: list[_Open] = []
    for sheet in case.sheets:
        reduced = sheet
        for statement in trace_policy(case, sheet, ask).statements:
            doubts = tuple(item for item in statement.conditions if not all(map(known, item.keys)))
            fails = any(all(map(known, item.keys)) and not item.holds for item in statement.conditions)
            where_to = not all(map(known, statement.variables))
            on_it = statement.action and (statement.resource or where_to) and statement.standing is not Standing.NONE
            if not on_it or fails or not (doubts or where_to or sheet.assumed):
                continue
            reduced = reduced.without_statement(statement.index)
            raw = sheet.statements()[statement.index - 1]
            resource = [_resource(raw)] if where_to else []
            conditions = (*((sheet.assumed,) if sheet.assumed else ()), *resource, *map(said, doubts))
            where = sheet.label if sheet.assumed else f"{sheet.label}, {statement.name}"
            held = _held(sheet, statement.index, _assumed(raw, ask, doubts, resource=where_to))
            (allows if statement.effect == "Allow" else denials).append(_Open(Term(where, conditions), held))
        if reduced is not sheet:
            case = case.with_sheet(sheet, reduced)
    case, granted = _certain_grants(case, ask, known)
    return case, [*allows, *granted], denials


def _resource(raw: Mapping[str, Any]) -> str:
    """Return in words that a statement's resources, which have variables, are this one."""
    element = "NotResource" if "NotResource" in raw else "Resource"
    names = raw[element] if isinstance(raw[element], list) else [raw[element]]
    return f"{element} {listed(names)} {'leaves it in' if element == 'NotResource' else 'is it'}"


def _assumed(
    raw: Mapping[str, Any], ask: Ask, doubts: Sequence[ConditionTrace], *, resource: bool
) -> Mapping[str, Any]:
    """Return a statement without the conditions that are in doubt, on this resource if it is not certain."""
    certain = without_conditions(raw, doubts)
    if not resource:
        return certain
    kept = {name: value for name, value in certain.items() if name not in ("Resource", "NotResource")}
    return {**kept, "Resource": resource_of(ask)}


def _held(sheet: Sheet, index: int, statement: Mapping[str, Any]) -> Callable[[Case], Case]:
    """Return what puts a statement back, as it is assumed to be."""

    def assume(case: Case) -> Case:
        current = next(other for other in case.sheets if other.label == sheet.label)
        return case.with_sheet(current, current.with_statement(statement, index))

    return assume


def _certain_grants(case: Case, ask: Ask, known: Known) -> tuple[Case, list[_Open]]:
    """Return the case without the grants whose constraints speak of an unknown encryption context."""
    opened: list[_Open] = []
    certain = []
    for grant in case.grants:
        lacking = tuple(unmet(grant, ask))
        constrained = (grant.equals is not None or grant.subset is not None) and not known("kms:encryptioncontext:")
        if grant.standing(ask.principal) is Standing.NONE or not constrained or not lacking:
            certain.append(grant)
            continue
        free = replace(grant, equals=None, subset=None)
        words = tuple(text.removesuffix(" is not met").removeprefix("its ") for text in lacking)

        def assume(case: Case, free: Grant = free) -> Case:
            return replace(case, grants=(*case.grants, free))

        opened.append(_Open(Term(grant.label, words), assume))
    return replace(case, grants=tuple(certain)), opened
