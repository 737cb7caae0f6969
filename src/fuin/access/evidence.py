"""What a decision's record holds, so that it can be evaluated anew later: which policies decided, and by which values.

The texts of policies are not in the log; their SHA-256 is, and says whether a policy is still the one of that time.
Of the request's condition keys those are kept that the policies name: no others could have mattered.
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

DIGEST_LENGTH = 32  # hex digits of the SHA-256: enough that nobody makes two policies with the same


class PolicyEvidence(NamedTuple):
    """What is noted of one policy: the start of its text's SHA-256, and the condition keys it names, in lower case."""

    digest: str
    keys: frozenset[str]


def policy_evidence(statements: Sequence[Statement], document: str) -> PolicyEvidence:
    """Return what is noted of a policy; made once, when it is compiled."""
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
    """Return a decision's part of the audit record; `rule` names the function that decided.

    The request's values are in it where they were looked at, and for every refusal.
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
    if question.principal.session_policies:  # no table holds them, and they are long: their texts are kept of refusals
        if decision.allowed:
            record["sessionDigests"] = _digests(question.principal.session_policies)
        else:
            record["sessionPolicies"] = question.principal.session_policies
    return record


@lru_cache(maxsize=1024)
def _digests(documents: tuple[str, ...]) -> list[str]:
    return [digest(document) for document in documents]
