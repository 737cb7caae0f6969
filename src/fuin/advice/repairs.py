"""The smallest changes that would allow a refused request. Each is tried: the real rule decides whether it is enough.

No change gives more than the request needs. A new statement is in a policy of the caller alone, and for this action and
this resource only; for a request through a service, it allows only requests through that service. If a condition fails,
the proposal is that the request meets it.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fuin.access.kinds import SIZE_LIMITS, PolicyKind, size_of
from fuin.access.shorten import shorten_list
from fuin.access.variables import escape
from fuin.advice.case import LabelledPolicy
from fuin.advice.explain import ConditionTrace, PolicyTrace, StatementTrace, explain, trace_policy
from fuin.errors import MalformedPolicy

if TYPE_CHECKING:
    from fuin.access.principal import Principal
    from fuin.access.question import Question
    from fuin.advice.case import Case
    from fuin.advice.explain import GrantTrace

_CHANGES_AT_MOST = 4  # together: the resource's policy, the caller's policies, the boundary and the session policy
_ALTERNATIVES_AT_MOST = 3
_HAS_OWN_POLICIES = ("user", "role", "federated")
_OWN = (PolicyKind.IDENTITY, PolicyKind.ROLE)  # other identities may share a group's policy or a managed one


@dataclass(frozen=True, slots=True)
class Change:
    """One change, in a sentence; `statement` is the new statement of `policy`, or None if the change adds none.

    `index` is the number (from 1) of the statement that is replaced or removed; 0 if one is added.
    """

    text: str
    policy: str
    statement: Mapping[str, Any] | None = None
    index: int = 0


@dataclass(frozen=True, slots=True)
class _Edit:
    """A proposed change, and a function that applies it to a case; two edits of one policy are not tried together."""

    change: Change
    apply: Callable[[Case], Case]


def _edit(
    text: str, old: LabelledPolicy, new: LabelledPolicy, statement: Mapping[str, Any] | None, index: int = 0
) -> _Edit:
    def apply(case: Case) -> Case:
        return case.with_policy(next(policy for policy in case.policies if policy.label == old.label), new)

    return _Edit(Change(text, old.label, statement, index), apply)


def smallest_changes(case: Case, question: Question) -> tuple[tuple[Change, ...], ...]:
    """Return up to three alternatives that would allow a refused question, each with as few changes as possible.

    Returns nothing if the question is allowed already, or if no change of these policies would allow it.
    """
    if case.decide(question).allowed:
        return ()
    lifted, lifts = _remove_denials(case, question)
    if lifts and lifted.decide(question).allowed:
        return (lifts,)
    edits = _edits(lifted, question)
    for count in range(1, _CHANGES_AT_MOST + 1):
        found = [chosen for chosen in itertools.combinations(edits, count) if _is_enough(lifted, question, chosen)]
        if found:
            places = {
                tuple(edit.change.policy for edit in chosen): chosen for chosen in reversed(found)
            }  # the likeliest
            kept = [chosen for chosen in found if chosen in places.values()][:_ALTERNATIVES_AT_MOST]
            return tuple((*lifts, *(edit.change for edit in chosen)) for chosen in kept)
    return ()


def _is_enough(case: Case, question: Question, edits: Sequence[_Edit]) -> bool:
    touched = [edit.change.policy for edit in edits]
    if len(set(touched)) != len(touched):
        return False
    for edit in edits:
        case = edit.apply(case)
    try:
        return case.decide(question).allowed
    except MalformedPolicy:  # the changed policy would be too long
        return False


def _remove_denials(case: Case, question: Question) -> tuple[Case, tuple[Change, ...]]:
    """Return the case without the Deny statements that take effect, and a change for each: no Allow can help there."""
    changes: list[Change] = []
    for policy in case.policies:
        current = policy
        for statement in trace_policy(case, policy, question).statements:
            if statement.effect == "Deny" and statement.takes_effect:
                current = current.remove_statement(statement.index)
                changes.append(Change(_propose_narrower_deny(policy, statement), policy.label, None, statement.index))
        if current is not policy:
            case = case.with_policy(policy, current)
    return case, tuple(changes)


def _propose_narrower_deny(policy: LabelledPolicy, statement: StatementTrace) -> str:
    text = f"remove the Deny in {statement.name} of the {policy.label}, or narrow it"
    if not statement.conditions:
        return text
    return f"{text}; or let the request be one that it does not hold for: {_denial_text(statement.conditions)}"


def _denial_text(conditions: Sequence[ConditionTrace]) -> str:
    return " and ".join(
        f"now {condition.key} {_observed_text(condition)}, which meets {condition_text(condition)}"
        for condition in conditions
    )


def _observed_text(condition: ConditionTrace) -> str:
    if not condition.known:
        return "is not in the record"
    return "is absent" if condition.found is None else f"is {shorten_list(condition.found)}"


def condition_text(condition: ConditionTrace) -> str:
    """Return a condition as text, such as StringEquals kms:ViaService s3.us-east-1.amazonaws.com."""
    return f"{condition.operator} {condition.key} {shorten_list(condition.values)}"


def _edits(case: Case, question: Question) -> list[_Edit]:
    """Return the possible changes, the likeliest first."""
    evaluation = explain(case, question)
    edits: list[_Edit] = [edit for trace in evaluation.policies for edit in _propose_without_conditions(trace)]
    edits += [
        _propose_meeting_constraint(trace)
        for trace in evaluation.grants
        if trace.operation and trace.match and trace.unmet
    ]
    if question.principal.kind in _HAS_OWN_POLICIES:
        own = [trace for trace in evaluation.policies if trace.policy in case.identity and trace.policy.kind in _OWN]
        edits += [
            edit for trace in own if not trace.policy.assumed for edit in _propose_wider_statement(trace, question)
        ]
        edits.append(_propose_own_statement(case, question))
        edits += [
            _propose_limit(policy, question) for policy in (case.boundary, *case.session[:1]) if policy is not None
        ]
    if case.resource_policy is not None:
        edits += _propose_wider_statement(trace_policy(case, case.resource_policy, question), question)
        edits.append(_propose_principal(case.resource_policy, question))
    elif case.resource.kind is PolicyKind.BUCKET:
        edits.append(_new_bucket_policy(question))
    return edits


def _propose_meeting_constraint(trace: GrantTrace) -> _Edit:
    """Propose that the request meets the constraints of a grant that would allow it."""
    free = replace(trace.grant, equals=None, subset=None, source_arn=None)

    def apply(case: Case) -> Case:
        return replace(case, grants=tuple(free if grant is trace.grant else grant for grant in case.grants))

    text = f"let the request meet the constraint of {trace.grant.label} ({'; '.join(trace.unmet)})"
    return _Edit(Change(text, trace.grant.label), apply)


def _propose_without_conditions(trace: PolicyTrace) -> Iterator[_Edit]:
    """Propose that the request meets the conditions of a statement that would allow it."""
    policy = trace.policy
    for statement in trace.statements:
        if statement.effect == "Allow" and statement.near and statement.failed_conditions:
            raw = remove_conditions(policy.statements()[statement.index - 1], statement.failed_conditions)
            needs = " and ".join(
                f"{condition_text(item)} (in the request it {_observed_text(item)})"
                for item in statement.failed_conditions
            )
            text = f"let the request meet {needs}, as {statement.name} of the {policy.label} wants"
            yield _edit(text, policy, policy.with_statement(raw, statement.index), None)


def remove_conditions(raw: Mapping[str, Any], failed: Sequence[ConditionTrace]) -> dict[str, Any]:
    """Return a statement without some of its conditions."""
    dropped = {(item.operator, item.key) for item in failed}
    kept = {
        operator: {key: values for key, values in keys.items() if (operator, key) not in dropped}
        for operator, keys in raw.get("Condition", {}).items()
    }
    kept = {operator: keys for operator, keys in kept.items() if keys}
    return {name: value for name, value in raw.items() if name != "Condition"} | ({"Condition": kept} if kept else {})


def _propose_wider_statement(trace: PolicyTrace, question: Question) -> Iterator[_Edit]:
    """Propose to add this action, or this resource, to a statement.

    The statement must give nothing else by that: it is for this caller alone, and on this resource alone (to add the
    action) or on this action alone (to add the resource).
    """
    policy = trace.policy
    for statement in trace.statements:
        raw = policy.statements()[statement.index - 1]
        if statement.effect != "Allow" or statement.failed_conditions or not _is_for(question, statement, raw):
            continue
        resource = resource_of(question)
        here = policy.kind is PolicyKind.KEY or _as_list(raw.get("Resource")) in ([question.resource], [resource])
        if not statement.action and here and _same_service(raw.get("Action"), question.action):
            element, value = "Action", question.action
        elif not statement.resource and [name.lower() for name in _as_list(raw.get("Action"))] == [
            question.action.lower()
        ]:
            element, value = "Resource", resource
        else:
            continue
        if element in raw:
            wider = {**raw, element: [*_as_list(raw[element]), value]}
            text = f"add {value} to the {element} of {statement.name} of the {policy.label}"
            yield _edit(text, policy, policy.with_statement(wider, statement.index), wider, statement.index)
            return


def _is_for(question: Question, statement: StatementTrace, raw: Mapping[str, Any]) -> bool:
    """Return whether a statement is for the caller alone and, for a request through a service, for that service."""
    principal, whom = question.principal, raw.get("Principal")
    through = [item for item in statement.conditions if item.operator == "StringEquals"]
    if question.facts().get("kms:viaservice") and not any(item.key.lower() == "kms:viaservice" for item in through):
        return False
    if whom is None:
        return True
    alone = [_as_list(names) for names in whom.values()] if isinstance(whom, dict) else []
    return principal.kind != "root" and alone in ([[principal.arn]], [[principal.identity_arn]])


def _as_list(written: object) -> list[str]:
    names = written if isinstance(written, list) else [written]
    return [name for name in names if isinstance(name, str)]


def _same_service(written: object, action: str) -> bool:
    service = action.partition(":")[0].lower() + ":"
    return any(name.lower().startswith(service) for name in _as_list(written))


def resource_of(question: Question) -> str:
    """Return the text that, as a Resource, matches the question's resource only; `*` if it has no particular one."""
    return question.resource if question.resource in ("*", "arn:aws:s3:::*") else escape(question.resource)


def _statement(question: Question) -> dict[str, Any]:
    """Return the smallest statement that allows a question; if a service asks, only through that service."""
    statement: dict[str, Any] = {"Effect": "Allow", "Action": question.action, "Resource": resource_of(question)}
    via = question.facts().get("kms:viaservice")
    if via:
        statement["Condition"] = {"StringEquals": {"kms:ViaService": via[0]}}
    return statement


def _propose_own_statement(case: Case, question: Question) -> _Edit:
    """Propose a statement in one of the caller's own policies, or a new policy."""
    statement = _statement(question)
    plain = statement["Resource"] == question.resource
    alone = (policy for policy in case.identity if policy.kind in _OWN and not policy.assumed)
    alone = (policy for policy in alone if plain or policy.has_variables)
    own = next((policy for policy in alone if _has_room(policy.with_statement(statement))), None)
    if own is not None:
        return _edit(f"add this to the {own.label}", own, own.with_statement(statement), statement)
    label = f"new policy of {case.owner}"
    policy = _labelled_policy(label, PolicyKind.IDENTITY, statement)
    change = Change(f"give {case.owner} a policy with this", label, statement)
    return _Edit(change, lambda case: replace(case, identity=(*case.identity, policy)))


def _has_room(policy: LabelledPolicy) -> bool:
    return size_of(policy.document, policy.kind) <= SIZE_LIMITS[policy.kind]


def _propose_limit(policy: LabelledPolicy, question: Question) -> _Edit:
    """Propose a statement in one of the limits of the caller: its boundary, or its session's policy."""
    statement = _statement(question)
    return _edit(f"add this to the {policy.label}", policy, policy.with_statement(statement), statement)


def _propose_principal(policy: LabelledPolicy, question: Question) -> _Edit:
    """Propose a statement in the resource's policy that names the caller."""
    statement = _statement_for_caller(question)
    if policy.kind is PolicyKind.KEY:
        statement["Resource"] = "*"
    if policy.kind is PolicyKind.TRUST:
        del statement["Resource"]
    return _edit(f"add this to the {policy.label}", policy, policy.with_statement(statement), statement)


def _statement_for_caller(question: Question) -> dict[str, Any]:
    """Return the smallest statement for a resource's policy; for a root, with a condition on its ARN."""
    statement = {**_statement(question), "Principal": principal_element(question.principal)}
    if question.principal.kind == "root":
        condition = statement.get("Condition", {})
        statement["Condition"] = {**condition, "ArnEquals": {"aws:PrincipalArn": question.principal.arn}}
    return statement


def _new_bucket_policy(question: Question) -> _Edit:
    statement = _statement_for_caller(question)
    policy = _labelled_policy("bucket policy", PolicyKind.BUCKET, statement)
    change = Change("give the bucket a policy with this", policy.label, statement)
    return _Edit(change, lambda case: replace(case, resource_policy=policy))


def _labelled_policy(label: str, kind: PolicyKind, statement: Mapping[str, Any]) -> LabelledPolicy:
    return LabelledPolicy(label, kind, json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


def principal_element(principal: Principal) -> object:
    """Return the Principal element that names a caller: a session's role, a user, a service, an account, everyone."""
    if principal.kind == "anonymous":
        return "*"
    if principal.kind == "service":
        return {"Service": principal.arn}
    return {"AWS": principal.identity_arn if principal.kind == "role" else principal.arn}
