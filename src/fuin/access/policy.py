"""Policy documents: JSON text in, compiled statements out; whatever is not understood is refused.

AWS: "Grammar of the IAM JSON policy language". A policy that this version cannot evaluate completely must never be
stored, since evaluating the rest of it could allow what its author denied. See docs/reference/policies.md.
"""

import re
from dataclasses import dataclass, field

from fuin.access.document import load
from fuin.access.kinds import RULES, SIZE_LIMITS, PolicyKind, size_of
from fuin.access.statement import Statement, parse_statement, statement_name
from fuin.access.words import short
from fuin.errors import MalformedPolicy

__all__ = [
    "SIZE_LIMITS", "Policy", "PolicyKind", "PolicyTooLong", "Statement", "check_policy", "check_size", "parse_policy",
    "size_of", "statement_name",
]  # fmt: skip

_VERSIONS = ("2008-10-17", "2012-10-17")
_PLAIN_SID = re.compile(r"[0-9A-Za-z]*")
_ACTIONS_REMEMBERED = 512


class PolicyTooLong(MalformedPolicy):
    """A policy document that is longer than AWS takes for its kind."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled policy document."""

    kind: PolicyKind
    name: str  # for reasons
    statements: tuple[Statement, ...]
    _by_action: dict[str, tuple[Statement, ...]] = field(default_factory=dict, repr=False, compare=False)

    def on_action(self, action: str) -> tuple[Statement, ...]:
        """Return the statements on an action; remembered, since there are few actions and many requests."""
        found = self._by_action.get(action)
        if found is None:
            folded = action.lower()
            found = tuple(statement for statement in self.statements if statement.actions(folded))
            if len(self._by_action) >= _ACTIONS_REMEMBERED:
                self._by_action.clear()
            self._by_action[action] = found
        return found


def check_policy(document: str, kind: PolicyKind) -> Policy:
    """Return the compiled form of a policy that is put; raises MalformedPolicy, of which PolicyTooLong is one.

    It refuses more than `parse_policy`, which must read what was put under older rules: AWS's sizes, and characters in
    the Sids of IAM's policies.
    """
    policy = parse_policy(document, kind)
    check_size(document, kind)
    for statement in policy.statements:
        if RULES[kind].plain_sids and not _PLAIN_SID.fullmatch(statement.sid):
            raise MalformedPolicy(
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
                f"[0-9A-Za-z]*. Statement {statement.index}: {short(statement.sid)}"
            )
        for action in statement.action_names:
            if kind is PolicyKind.BUCKET and action != "*" and not action.lower().startswith("s3:"):
                raise MalformedPolicy(f"Policy has invalid action. {statement.name}: {short(action)}")
    return policy


def check_size(document: str, kind: PolicyKind) -> None:
    """Refuse a document that is longer than AWS takes; raises PolicyTooLong."""
    if size_of(document, kind) <= SIZE_LIMITS[kind]:
        return
    if kind is PolicyKind.BUCKET:
        raise PolicyTooLong("Policy exceeds the maximum allowed document size.")
    raise PolicyTooLong(f"Maximum policy size of {SIZE_LIMITS[kind]} bytes exceeded, which holds for a {kind.value}.")


def parse_policy(document: str, kind: PolicyKind) -> Policy:
    """Return the compiled form of a policy document; raises MalformedPolicy, saying what is wrong and where."""
    policy = load(document)
    if unknown := policy.keys() - {"Version", "Id", "Statement"}:
        raise MalformedPolicy(f"unknown policy element: {short(min(unknown))}")
    version = policy.get("Version", _VERSIONS[0])
    if version not in _VERSIONS:
        raise MalformedPolicy("Version must be 2012-10-17 or 2008-10-17")
    identifier = policy.get("Id", "")
    if not isinstance(identifier, str):
        raise MalformedPolicy("Id must be a string")
    name = f'{kind.value} "{short(identifier)}"' if identifier else kind.value
    raw = policy.get("Statement")
    statements = raw if isinstance(raw, list) else [raw]
    if raw is None or not statements:
        raise MalformedPolicy("the policy must have at least one Statement")
    variables = version == _VERSIONS[1]
    compiled = tuple(
        parse_statement(item, index, kind, name, variables=variables) for index, item in enumerate(statements, 1)
    )
    sids = [statement.sid for statement in compiled if statement.sid]
    if len(sids) != len(set(sids)):
        raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
    return Policy(kind, name, compiled)
