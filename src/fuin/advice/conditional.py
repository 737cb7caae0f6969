"""Who could: the real decision where some of a request's condition keys are not known yet.

`fuin who-can kms:Decrypt alias/papers` asks about Bob, who is not asking for anything now. Much is certain about him:
his ARN, his tags, the tags of the key. Nothing is certain about a request of his: when it comes, from which address,
through which service. The key policy has two statements on Bob:

* "Readers" allows kms:Decrypt with `StringEquals kms:ViaService s3.us-east-1.amazonaws.com`.
* "Office" denies everything with `NotIpAddress aws:SourceIp 192.0.2.0/24`.

Neither condition can be answered. So both statements are *open*, and the answer is "yes, if … and unless …":

1. `_take_out_open_statements` takes the open statements out of the case. What remains is certain: a statement stays if
   all of its conditions are on known keys, and one whose known conditions fail could never hold and stays out of the
   question. An open statement is kept apart with its *requirement* in words ("key policy, statement "Readers":
   StringEquals kms:ViaService …") and with a function that puts it back as if its open conditions held.
2. `_paths` tries the certain case first, then with one open Allow put back, then with two, up to four: the resource's
   policy, the caller's own, the boundary and the session's policy can each need one. Each time the real rule decides
   (`Case.decide`), so nothing here repeats what a decision is. The smallest sets that allow are the *paths*. Here: one
   path, with the requirement of "Readers".
3. Open denials are never put back for that. The answer names them: "unless" the requirement of "Office" holds.

Without a path the certain case is refused whatever a request brings, and its refusal is the answer. With a path without
requirements and no open denial the answer is yes. The answer is never "yes" because of a condition that was not looked
at.

A grant with a constraint on the encryption context is open in the same path. A principal of another server has policies
that nobody here knows; they are assumed to allow, and that assumption is a requirement too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fuin.access.grants import unmet_constraints
from fuin.access.principal_element import Match
from fuin.access.shorten import shorten_list
from fuin.advice.explain import ConditionTrace, trace_policy
from fuin.advice.repairs import condition_text, remove_conditions, resource_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fuin.access.decide import Decision
    from fuin.access.grants import Grant
    from fuin.access.question import Question
    from fuin.advice.case import Case, KeyTest, LabelledPolicy

_TOGETHER_AT_MOST = 4  # one statement of each: the resource's policy, the caller's, its boundary, its session's
_WAYS_AT_MOST = 8
_OPEN_AT_MOST = 24


@dataclass(frozen=True, slots=True)
class Requirement:
    """Something that has to hold, or not to: a statement's or a grant's conditions, in words."""

    where: str
    conditions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """One way to be allowed: what must hold for it (empty: nothing) and the reasons that then allow."""

    requirements: tuple[Requirement, ...]
    decision: Decision


@dataclass(frozen=True, slots=True)
class ConditionalAnswer:
    """Whether a principal could: by one of `paths` (none: never), unless one of the denials in `denials` holds."""

    paths: tuple[Path, ...]
    denials: tuple[Requirement, ...] = ()
    refusal: Decision | None = None

    @property
    def never(self) -> bool:
        """Return whether no request could be allowed."""
        return not self.paths

    @property
    def always(self) -> bool:
        """Return whether every request is allowed."""
        return any(not path.requirements for path in self.paths) and not self.denials


@dataclass(frozen=True, slots=True)
class _OpenStatement:
    """What is not certain: `assume` makes it hold in a case, without it the case is as if it did not."""

    requirement: Requirement
    assume: Callable[[Case], Case]


def conditional_answer(case: Case, question: Question, known: KeyTest) -> ConditionalAnswer:
    """Return whether a question would be allowed, and under which conditions.

    `known` says of a condition key whether its absence is certain.
    """
    certain, allows, denials = _take_out_open_statements(case, question, known)
    paths = tuple(itertools.islice(_paths(certain, question, allows), _WAYS_AT_MOST))
    if not paths:
        return ConditionalAnswer((), (), certain.decide(question))
    return ConditionalAnswer(paths, tuple(denial.requirement for denial in denials))


def _paths(case: Case, question: Question, allows: Sequence[_OpenStatement]) -> Iterator[Path]:
    """Yield the smallest sets of open statements that allow together, none of which holds another."""
    found: list[frozenset[int]] = []
    for count in range(min(len(allows), _TOGETHER_AT_MOST) + 1):
        for chosen in itertools.combinations(range(min(len(allows), _OPEN_AT_MOST)), count):
            if any(smaller <= set(chosen) for smaller in found):
                continue
            tried = case
            for number in chosen:
                tried = allows[number].assume(tried)
            decision = tried.decide(question)
            if decision.allowed:
                found.append(frozenset(chosen))
                yield Path(tuple(allows[number].requirement for number in chosen), decision)


def _take_out_open_statements(
    case: Case, question: Question, known: KeyTest
) -> tuple[Case, list[_OpenStatement], list[_OpenStatement]]:
    """Return the case without what is open, and that apart: what could allow, and what could deny."""
    allows: list[_OpenStatement] = []
    denials: list[_OpenStatement] = []
    for policy in case.policies:
        reduced = policy
        for statement in trace_policy(case, policy, question).statements:
            doubts = tuple(item for item in statement.conditions if not all(map(known, item.keys)))
            fails = any(all(map(known, item.keys)) and not item.holds for item in statement.conditions)
            where_to = not all(map(known, statement.variables))
            on_it = statement.action and (statement.resource or where_to) and statement.match is not Match.NONE
            if not on_it or fails or not (doubts or where_to or policy.assumed):
                continue
            reduced = reduced.remove_statement(statement.index)
            raw = policy.statements()[statement.index - 1]
            resource = [_resource_in_words(raw)] if where_to else []
            conditions = (*((policy.assumed,) if policy.assumed else ()), *resource, *map(condition_text, doubts))
            where = policy.label if policy.assumed else f"{policy.label}, {statement.name}"
            held = _put_back(policy, statement.index, _assumed_statement(raw, question, doubts, resource=where_to))
            (allows if statement.effect == "Allow" else denials).append(
                _OpenStatement(Requirement(where, conditions), held)
            )
        if reduced is not policy:
            case = case.with_policy(policy, reduced)
    case, granted = _take_out_open_grants(case, question, known)
    return case, [*allows, *granted], denials


def _resource_in_words(raw: Mapping[str, Any]) -> str:
    """Return in words that a statement's resources, which have variables, are this one."""
    element = "NotResource" if "NotResource" in raw else "Resource"
    names = raw[element] if isinstance(raw[element], list) else [raw[element]]
    return f"{element} {shorten_list(names)} {'leaves it in' if element == 'NotResource' else 'is it'}"


def _assumed_statement(
    raw: Mapping[str, Any], question: Question, doubts: Sequence[ConditionTrace], *, resource: bool
) -> Mapping[str, Any]:
    """Return a statement without the conditions that are in doubt, on this resource if it is not certain."""
    certain = remove_conditions(raw, doubts)
    if not resource:
        return certain
    kept = {name: value for name, value in certain.items() if name not in ("Resource", "NotResource")}
    return {**kept, "Resource": resource_of(question)}


def _put_back(policy: LabelledPolicy, index: int, statement: Mapping[str, Any]) -> Callable[[Case], Case]:
    """Return what puts a statement back, as it is assumed to be."""

    def assume(case: Case) -> Case:
        current = next(other for other in case.policies if other.label == policy.label)
        return case.with_policy(current, current.with_statement(statement, index))

    return assume


def _take_out_open_grants(case: Case, question: Question, known: KeyTest) -> tuple[Case, list[_OpenStatement]]:
    """Return the case without the grants whose constraints speak of an unknown encryption context."""
    opened: list[_OpenStatement] = []
    certain = []
    for grant in case.grants:
        lacking = tuple(unmet_constraints(grant, question))
        constrained = (grant.equals is not None or grant.subset is not None) and not known("kms:encryptioncontext:")
        if grant.match_principal(question.principal) is Match.NONE or not constrained or not lacking:
            certain.append(grant)
            continue
        free = replace(grant, equals=None, subset=None)
        words = tuple(one.constraint or one.sentence for one in lacking)

        def assume(case: Case, free: Grant = free) -> Case:
            return replace(case, grants=(*case.grants, free))

        opened.append(_OpenStatement(Requirement(grant.label, words), assume))
    return replace(case, grants=tuple(certain)), opened
