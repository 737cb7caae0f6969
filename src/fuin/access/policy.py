"""Policy documents: they are parsed from JSON and compiled into statements. Anything unknown in them is refused.

AWS: "Grammar of the IAM JSON policy language". A policy that this version cannot evaluate completely must never be
stored: evaluating only a part of it could allow what its author denied. See docs/reference/policies.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fuin.access import evidence, identity_policy
from fuin.access.document import load
from fuin.access.kinds import RULES, SIZE_LIMITS, PolicyKind, size_of
from fuin.access.shorten import shorten
from fuin.access.statement import Statement, parse_statement, statement_name
from fuin.errors import MalformedPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuin.access.evidence import PolicyEvidence
    from fuin.access.principal import Principal
    from fuin.access.principal_element import Match
    from fuin.access.question import Question

    Naming = tuple[Statement, Match]

__all__ = [
    "SIZE_LIMITS", "Policy", "PolicyKind", "PolicyTooLong", "Statement", "check_policy", "check_size", "parse_policy",
    "size_of", "statement_name",
]  # fmt: skip

_VERSIONS = ("2008-10-17", "2012-10-17")
_PLAIN_SID = re.compile(r"[0-9A-Za-z]*")
_ACTIONS_REMEMBERED = 512
_FEW = 8  # up to this number, looking at every statement is faster than an index
_PAIRS_REMEMBERED = 4096  # of a statement and a principal
_SCOPES_REMEMBERED = 128  # of a policy: about 50 KB, and each session of a role has a scope of its own


class PolicyTooLong(MalformedPolicy):
    """A policy document that is longer than AWS accepts for its kind."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """The statements on one action that name one principal, indexed by the values in their conditions.

    `by_value` has the statements that need certain values of a key: key, then value. `by_prefix` has those that need
    certain beginnings of its value: key, then length of the beginning, then beginning. `others` has all the rest.
    """

    others: list[Naming]
    by_value: dict[str, dict[str, list[Naming]]]
    by_prefix: dict[str, dict[int, dict[str, list[Naming]]]]


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled policy document."""

    kind: PolicyKind
    name: str  # for reasons
    statements: tuple[Statement, ...]
    names_principals: bool  # False for policies of identities
    evidence: PolicyEvidence  # for the records of decisions
    _by_action: dict[str, tuple[Statement, ...]] = field(default_factory=dict, repr=False, compare=False)
    _scopes: dict[object, tuple[Naming, ...] | _Scope] = field(default_factory=dict, repr=False, compare=False)

    def statements_on(self, action: str) -> tuple[Statement, ...]:
        """Return the statements on an action; they are remembered, because many requests need few actions."""
        found = self._by_action.get(action)
        if found is None:
            folded = action.lower()
            found = tuple(statement for statement in self.statements if statement.actions(folded))
            if len(self._by_action) >= _ACTIONS_REMEMBERED:
                self._by_action.clear()
            self._by_action[action] = found
        return found

    def statements_naming(self, question: Question) -> Sequence[Naming]:
        """Return the statements on a question's action that name its principal, each with its match.

        Statements with conditions that certainly fail may be left out. Resources are not compared here.
        """
        action = question.action
        statements = self._by_action.get(action)
        if statements is None:
            statements = self.statements_on(action)
        key: object = action
        if self.names_principals:
            principal = question.principal
            if len(statements) == 1:
                match = statements[0].match_principal(principal)
                return ((statements[0], match),) if match else ()
            key = (action, principal.conclusion_key)
        scope = self._scopes.get(key)
        if scope is None:
            self._make_room()
            scope = self._scopes[key] = _scope(statements, question.principal)
        return scope if isinstance(scope, tuple) else _select_statements(scope, question)

    def _make_room(self) -> None:
        known = len(self._scopes)
        if known >= _SCOPES_REMEMBERED or known * len(self.statements) >= _PAIRS_REMEMBERED:
            self._scopes.clear()


def _scope(statements: Sequence[Statement], principal: Principal) -> tuple[Naming, ...] | _Scope:
    pairs = [(one, match) for one in statements if (match := one.match_principal(principal))]
    if len(pairs) <= _FEW:
        return tuple(pairs)
    scope = _Scope([], {}, {})
    scope.others.extend(pair for pair in pairs if not _is_indexed(scope, pair))
    return scope


def _is_indexed(scope: _Scope, pair: Naming) -> bool:
    """Put a statement into the scope's index, if it has a suitable condition: exact values first, then prefixes."""
    conditions = pair[0].conditions
    for condition in conditions:
        for value in condition.exact:
            scope.by_value.setdefault(condition.key, {}).setdefault(value, []).append(pair)
        if condition.exact:
            return True
    for condition in conditions:
        for head in condition.prefixes:
            lengths = scope.by_prefix.setdefault(condition.key, {})
            lengths.setdefault(len(head), {}).setdefault(head, []).append(pair)
        if condition.prefixes:
            return True
    return False


def _select_statements(scope: _Scope, question: Question) -> Sequence[Naming]:
    facts = question.facts()
    found = list(scope.others)
    for key, values in scope.by_value.items():
        for value in facts.get(key) or ():
            found.extend(values.get(value, ()))
    for key, lengths in scope.by_prefix.items():
        for value in facts.get(key) or ():
            for length, prefixes in lengths.items():
                found.extend(prefixes.get(value[:length], ()))
    return sorted(found, key=_place)


def _place(pair: Naming) -> int:
    return pair[0].index


def check_policy(document: str, kind: PolicyKind) -> Policy:
    """Return the compiled form of a policy that is put; raises MalformedPolicy, also in the form of PolicyTooLong.

    It is stricter than `parse_policy`, which must still read policies that were put under older rules. It also checks
    AWS's sizes, the characters in the Sids of IAM's policies, and IAM's own rules for policies of identities.
    """
    if kind in identity_policy.KINDS:
        identity_policy.check(document, kind)
    policy = parse_policy(document, kind)
    check_size(document, kind)
    for statement in policy.statements:
        if RULES[kind].plain_sids and not _PLAIN_SID.fullmatch(statement.sid):
            raise MalformedPolicy(
                f"Statement {statement.index}: {shorten(statement.sid)}",
                "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression "
                "[0-9A-Za-z]*.",
            )
        for action in statement.action_names:
            if kind is PolicyKind.BUCKET and action != "*" and not action.lower().startswith("s3:"):
                raise MalformedPolicy(f"{statement.name}: {shorten(action)}", "Policy has invalid action.")
    return policy


def check_size(document: str, kind: PolicyKind) -> None:
    """Refuse a document that is longer than AWS accepts; raises PolicyTooLong."""
    if size_of(document, kind) <= SIZE_LIMITS[kind]:
        return
    if kind is PolicyKind.BUCKET:
        raise PolicyTooLong(sentence="Policy exceeds the maximum allowed document size.")
    raise PolicyTooLong(
        sentence=f"Maximum policy size of {SIZE_LIMITS[kind]} bytes exceeded, which holds for a {kind.value}."
    )


def parse_policy(document: str, kind: PolicyKind) -> Policy:
    """Return the compiled form of a policy document; raises MalformedPolicy, which says what is wrong and where."""
    policy = load(document)
    if unknown := policy.keys() - {"Version", "Id", "Statement"}:
        raise MalformedPolicy(f"unknown policy element: {shorten(min(unknown))}")
    version = policy.get("Version", _VERSIONS[0])
    if version not in _VERSIONS:
        raise MalformedPolicy("Version must be 2012-10-17 or 2008-10-17")
    identifier = policy.get("Id", "")
    if not isinstance(identifier, str):
        raise MalformedPolicy("Id must be a string")
    name = f'{kind.value} "{shorten(identifier)}"' if identifier else kind.value
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
        raise MalformedPolicy(sentence="Statement IDs (SID) in a single policy must be unique.")
    return Policy(kind, name, compiled, RULES[kind].has_principal, evidence.policy_evidence(compiled, document))
