"""The evidence of a decision in its record: which policies were consulted, and the values of their condition keys.

With it, the decision can be evaluated again later. The log does not hold the texts of policies, but their SHA-256,
which shows whether a policy has changed since. Of the request's condition keys it holds those that the policies name,
because no others could have mattered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from fuin.access.variables import Variable

if TYPE_CHECKING:
    from fuin.access.decide import Decision
    from fuin.access.policy import Policy
    from fuin.access.question import Question
    from fuin.access.statement import Statement

DIGEST_LENGTH = 32  # hex digits of the SHA-256: so many that nobody can make two policies with the same digest


class PolicyEvidence(NamedTuple):
    """The evidence of one policy: the start of its text's SHA-256, and the condition keys in it, in lower case."""

    digest: str
    keys: frozenset[str]


def policy_evidence(statements: Sequence[Statement], document: str) -> PolicyEvidence:
    """Return the evidence of a policy; it is made once, when the policy is compiled."""
    return PolicyEvidence(digest(document), frozenset(_keys(statements)))


def digest(document: str) -> str:
    """Return the start of a document's SHA-256, in hex."""
    return hashlib.sha256(document.encode("utf-8", "surrogatepass")).hexdigest()[:DIGEST_LENGTH]


def _keys(statements: Sequence[Statement]) -> Iterator[str]:
    """Yield the condition keys that a policy's conditions and variables name."""
    for statement in statements:
        templates = list(statement.templates)
        for condition in statement.conditions:
            yield condition.key
            templates += condition.templates
        for template in templates:
            yield from (piece.key for piece in template.pieces if isinstance(piece, Variable))


def decision_record(question: Question, decision: Decision, rule: str, consulted: Sequence[Policy]) -> dict[str, Any]:
    """Return a decision's part of the audit record; `rule` names the rule that decided.

    It holds the values of condition keys if a condition was evaluated, and for every refusal.
    """
    record: dict[str, Any] = {
        "action": question.action, "resource": question.resource, "allowed": decision.allowed,
        "because": [cause.reason.text for cause in decision.causes],
        "rule": rule, "policies": [policy.evidence.digest for policy in consulted],
    }  # fmt: skip
    if question.used_conditions or not decision.allowed:
        named = frozenset[str]().union(*(policy.evidence.keys for policy in consulted))
        if named:
            facts = question.facts()
            record["keys"] = {key: values for key in sorted(named) if (values := facts.get(key))}
    # No table holds session policies, and they are long: the record has their texts only for a refusal.
    if question.principal.session_policies:
        if decision.allowed:
            record["sessionDigests"] = _digests(question.principal.session_policies)
        else:
            record["sessionPolicies"] = question.principal.session_policies
    return record


@lru_cache(maxsize=1024)
def _digests(documents: tuple[str, ...]) -> list[str]:
    return [digest(document) for document in documents]
