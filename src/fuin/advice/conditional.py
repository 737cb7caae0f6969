"""Conditional answers: the decision about a future request, of which some condition keys are not known yet.

`fuin who-can kms:Decrypt alias/papers` answers also for Bob, who has not sent a request. Some facts are certain: his
ARN, his tags, the tags of the key. But his request is not known: its time, its address, and whether a service sends it
for him. The key policy has two statements about Bob:

* "Readers" allows kms:Decrypt with `StringEquals kms:ViaService s3.us-east-1.amazonaws.com`.
* "Office" denies everything with `NotIpAddress aws:SourceIp 192.0.2.0/24`.

Nobody can evaluate these two conditions now. So both statements are *open*, and the answer is "yes, if … unless …". It
is found in three steps:

1. `_take_out_open_statements` removes the open statements from the case. The other statements stay. Either all of their
   conditions are about known keys, or a condition about known keys fails, and then the statement cannot take effect.
   For each open statement two things are noted: its *requirement* in words ("key policy, statement "Readers":
   StringEquals kms:ViaService …"), and a function that puts the statement back without its open conditions.
2. `_paths` looks for the smallest sets of open Allow statements that lead to an allowed decision. It first tries the
   case without open statements, then with one of them put back, then with two, up to four, because the resource's
   policy, the caller's own policies, the boundary and the session policies can each need one. Each time the real rule
   decides (`Case.decide`); no rule is repeated here. Each set is a *path*. Bob has one path, with the requirement of
   "Readers".
3. The open Deny statements are not put back. They are in the answer as they are: "unless" the requirement of "Office"
   holds.

If there is no path, no request of Bob's can be allowed, and the answer is the refusal of the case without open
statements. If a path has no requirements and no Deny is open, the answer is "can". An unknown condition never leads to
"can" by itself: it is always named. To bound the work, at most 24 open Allow statements are combined, and at most eight
paths are returned.

A grant with a constraint on the encryption context is open in the same way. The policies of a principal in another
server's account are not known here. They are assumed to allow, and this assumption is a requirement too.
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

_TOGETHER_AT_MOST = 4  # one statement each of the resource's policy, the caller's policies, the boundary, the session
_PATHS_AT_MOST = 8
_OPEN_AT_MOST = 24


@dataclass(frozen=True, slots=True)
class Requirement:
    """The open conditions of a statement or a grant, in words."""

    where: str
    conditions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Path:
    """One way to be allowed: the requirements that must hold for it (perhaps none), and the decision if they hold."""

    requirements: tuple[Requirement, ...]
    decision: Decision


@dataclass(frozen=True, slots=True)
class ConditionalAnswer:
    """Whether a principal can be allowed: by one of `paths`, unless the requirement of one of `denials` holds."""

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
    """A statement or grant that is not certain; `assume` puts it into a case as if its requirement held."""

    requirement: Requirement
    assume: Callable[[Case], Case]


def conditional_answer(case: Case, question: Question, known: KeyTest) -> ConditionalAnswer:
    """Return whether a question would be allowed, and under which conditions.

    `known` returns whether a condition key is certain: if it is not among the facts, the request will not have it.
    """
    certain, allows, denials = _take_out_open_statements(case, question, known)
    paths = tuple(itertools.islice(_paths(certain, question, allows), _PATHS_AT_MOST))
    if not paths:
        return ConditionalAnswer((), (), certain.decide(question))
    return ConditionalAnswer(paths, tuple(denial.requirement for denial in denials))


def _paths(case: Case, question: Question, allows: Sequence[_OpenStatement]) -> Iterator[Path]:
    """Yield the smallest sets of open statements that allow together; none contains another."""
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
    """Return the case without open statements and grants; those that could allow; and those that could deny."""
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
    """Return the requirement that a statement's resources, which have variables, match this resource, in words."""
    element = "NotResource" if "NotResource" in raw else "Resource"
    names = raw[element] if isinstance(raw[element], list) else [raw[element]]
    return f"{element} {shorten_list(names)} {'leaves it in' if element == 'NotResource' else 'is it'}"


def _assumed_statement(
    raw: Mapping[str, Any], question: Question, doubts: Sequence[ConditionTrace], *, resource: bool
) -> Mapping[str, Any]:
    """Return a statement without its open conditions; if `resource`, it is on the resource of the question."""
    certain = remove_conditions(raw, doubts)
    if not resource:
        return certain
    kept = {name: value for name, value in certain.items() if name not in ("Resource", "NotResource")}
    return {**kept, "Resource": resource_of(question)}


def _put_back(policy: LabelledPolicy, index: int, statement: Mapping[str, Any]) -> Callable[[Case], Case]:
    """Return a function that puts a statement back into a case."""

    def assume(case: Case) -> Case:
        current = next(other for other in case.policies if other.label == policy.label)
        return case.with_policy(current, current.with_statement(statement, index))

    return assume


def _take_out_open_grants(case: Case, question: Question, known: KeyTest) -> tuple[Case, list[_OpenStatement]]:
    """Return the case without the grants that depend on an unknown encryption context, and these grants."""
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
