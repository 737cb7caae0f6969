"""The results of a simulation in the form of IAM's simulator: decisions, deciding statements, missing context keys.

Source: IAM's service model and, for what it does not say (SourcePolicyType, positions), answers of AWS.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from fuin.access.positions import Position, spans
from fuin.access.question import Question
from fuin.access.resources.bucket import BucketResource
from fuin.access.resources.key import KeyResource
from fuin.access.resources.own import OwnResource
from fuin.advice.case import Case, LabelledPolicy
from fuin.advice.explain import explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fuin.access.principal import Principal
    from fuin.advice.explain import Evaluation, PolicyTrace

T = TypeVar("T")
Values = dict[str, str | tuple[str, ...]]

ALLOWED, EXPLICIT, IMPLICIT = "allowed", "explicitDeny", "implicitDeny"
_SEVERITY = (EXPLICIT, IMPLICIT, ALLOWED)
_IAM, _RESOURCE, _BOUNDARY = "IAM Policy", "Resource Policy", "Permissions Boundary Policy"
# EvalResourceName if the request names resources: the form of the ARNs that the action is on.
_TEMPLATES = {
    "kms": "arn:${Partition}:kms:${Region}:${Account}:key/${KeyId}",
    "s3": "arn:${Partition}:s3:::${BucketName}",
}


@dataclass(frozen=True, slots=True)
class Simulation:
    """One simulation: the caller, its policies, the boundary and the resource's policy, and the context keys given."""

    principal: Principal
    policies: tuple[LabelledPolicy, ...]
    boundary: LabelledPolicy | None
    resource: LabelledPolicy | None
    owner: str | None  # the account of resources with an ARN that does not name it
    facts: Values

    def evaluation(self, action: str, resource: str) -> Evaluation:
        """Return the evaluation of an action on a resource."""
        return explain(self._case(resource), Question(self.principal, action, resource, dict(self.facts)))

    def _case(self, resource: str) -> Case:
        if self.resource is None:  # no policy of a resource was given
            own = OwnResource(resource, self.principal.account)
            return Case(own, "the caller", None, self.policies, self.boundary)
        kind = KeyResource if is_key(resource) else BucketResource
        value = kind(resource, self.owner_of(resource), self.resource.document)
        return Case(value, "the caller", self.resource, self.policies, self.boundary)

    def owner_of(self, resource: str) -> str:
        """Return the account that owns a resource."""
        parts = resource.split(":")
        return (parts[4] if len(parts) > 4 else "") or self.owner or self.principal.account


def result(simulation: Simulation, action: str, resources: Sequence[str]) -> dict[str, Any]:
    """Return the result of one action: for all resources together and, if resources were given, for each."""
    each = [_specific(simulation, action, resource) for resource in resources]
    decision = min((one["EvalResourceDecision"] for one in each), key=_SEVERITY.index)
    result: dict[str, Any] = {
        "EvalActionName": action, "EvalDecision": decision,
        "MatchedStatements": remove_duplicates(
            statement
            for one in each
            if one["EvalResourceDecision"] == decision
            for statement in one["MatchedStatements"]
        ),
        "MissingContextValues": remove_duplicates(key for one in each for key in one["MissingContextValues"]),
    }  # fmt: skip
    if simulation.boundary is not None:
        within = all(one["PermissionsBoundaryDecisionDetail"]["AllowedByPermissionsBoundary"] for one in each)
        result["PermissionsBoundaryDecisionDetail"] = {"AllowedByPermissionsBoundary": within}
    if list(resources) == ["*"]:
        return {**result, "EvalResourceName": "*"}
    details: dict[str, str] = {}
    for name, found in itertools.chain.from_iterable(one["EvalDecisionDetails"].items() for one in each):
        details[name] = min(details.get(name, ALLOWED), found, key=_SEVERITY.index)
    name = _template(action, resources)
    return {**result, "EvalResourceName": name, "EvalDecisionDetails": details, "ResourceSpecificResults": each}


def _template(action: str, resources: Sequence[str]) -> str:
    service = action.partition(":")[0]
    template = _TEMPLATES.get(service, "*")
    objects = service == "s3" and all("/" in resource for resource in resources)
    return f"{template}/${{KeyName}}" if objects else template


def _specific(simulation: Simulation, action: str, resource: str) -> dict[str, Any]:
    """Return the result for one resource."""
    evaluation = simulation.evaluation(action, resource)
    decision = _decision_name(evaluation)
    result: dict[str, Any] = {
        "EvalResourceName": resource, "EvalResourceDecision": decision,
        "MatchedStatements": _deciding_statements(simulation, evaluation, decision),
        "MissingContextValues": _missing_context_keys(simulation, evaluation),
        "EvalDecisionDetails": _details(simulation, evaluation, resource),
    }  # fmt: skip
    if simulation.boundary is not None:
        trace = next(trace for trace in evaluation.policies if trace.policy is simulation.boundary)
        result["PermissionsBoundaryDecisionDetail"] = {
            "AllowedByPermissionsBoundary": _decision_of_policies([trace]) == ALLOWED
        }
    return result


def _decision_name(evaluation: Evaluation) -> str:
    if evaluation.decision.allowed:
        return ALLOWED
    return EXPLICIT if any(cause.reason.effect == "Deny" for cause in evaluation.decision.causes) else IMPLICIT


def _decision_of_policies(policies: Iterable[PolicyTrace]) -> str:
    """Return the decision that the policies of one type alone would make."""
    effects = {statement.effect for trace in policies for statement in trace.statements if statement.takes_effect}
    return EXPLICIT if "Deny" in effects else ALLOWED if "Allow" in effects else IMPLICIT


def _details(simulation: Simulation, evaluation: Evaluation, resource: str) -> dict[str, str]:
    """Return the decision of each type of policy; AWS reports it only for callers of other accounts."""
    if simulation.resource is None or simulation.owner_of(resource) == simulation.principal.account:
        return {}
    own = [trace for trace in evaluation.policies if trace.policy in simulation.policies]
    of_resource = [trace for trace in evaluation.policies if trace.policy is simulation.resource]
    return {_IAM: _decision_of_policies(own), _RESOURCE: _decision_of_policies(of_resource)}


def _deciding_statements(simulation: Simulation, evaluation: Evaluation, decision: str) -> list[dict[str, Any]]:
    """Return the statements that decide: those that deny, or those that allow."""
    effect = {ALLOWED: "Allow", EXPLICIT: "Deny"}.get(decision)
    found: list[dict[str, Any]] = []
    for trace in evaluation.policies:
        kind = _BOUNDARY if trace.policy is simulation.boundary else _IAM
        kind = _RESOURCE if trace.policy is simulation.resource else kind
        if effect == "Allow" and kind == _BOUNDARY:  # it only limits
            continue
        deciding = [
            statement.index for statement in trace.statements if statement.takes_effect and statement.effect == effect
        ]
        places = spans(trace.policy.document) if deciding else []
        found += [_statement(trace.policy.source, kind, *places[index - 1]) for index in deciding]
    return found


def _statement(source: str, kind: str, begin: Position, end: Position) -> dict[str, Any]:
    return {
        "SourcePolicyId": source, "SourcePolicyType": kind,
        "StartPosition": _position(begin), "EndPosition": _position(end),
    }  # fmt: skip


def _position(place: Position) -> dict[str, int]:
    return {"Line": place.line, "Column": place.column}


def _missing_context_keys(simulation: Simulation, evaluation: Evaluation) -> list[str]:
    """Return the condition keys that statements on the action need, and that neither caller nor request has."""
    conditions = (
        condition
        for trace in evaluation.policies
        for statement in trace.statements
        if statement.action
        for condition in statement.conditions
    )
    given = {name.lower() for name in simulation.facts}
    return remove_duplicates(
        condition.key for condition in conditions if condition.found is None and condition.key.lower() not in given
    )


def is_key(resource: str) -> bool:
    """Return whether an ARN is an ARN of KMS."""
    return resource.startswith("arn:aws:kms:")


def remove_duplicates(items: Iterable[T]) -> list[T]:
    """Return each item once, in order; items may be dictionaries."""
    return list({repr(item): item for item in reversed(list(items))}.values())[::-1]
