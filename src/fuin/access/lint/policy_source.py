"""A policy as its author wrote it: the elements of its statements as lists, for checks that decide nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fuin.access.kinds import PolicyKind
from fuin.access.statement import statement_name
from fuin.access.wildcard import compile_any

# The kinds that give rights to the identity that has them; boundaries and session policies only limit.
GRANTING_KINDS = frozenset({PolicyKind.IDENTITY, PolicyKind.GROUP, PolicyKind.ROLE, PolicyKind.MANAGED})


@dataclass(frozen=True, slots=True)
class ConditionSource:
    """One condition as it is written: operator, key and values."""

    operator: str
    key: str
    values: tuple[str, ...]

    @property
    def lower_key(self) -> str:
        """Return the key in lower case."""
        return self.key.lower()

    @property
    def comparison(self) -> str:
        """Return the operator without its set operator and without IfExists."""
        return self.operator.rpartition(":")[2].removesuffix("IfExists")


@dataclass(frozen=True, slots=True)
class StatementSource:
    """One statement; `action_element` is Action or NotAction, `resource_element` Resource or NotResource."""

    name: str
    effect: str
    raw: dict[str, Any]
    action_element: str
    actions: tuple[str, ...]
    resource_element: str
    resources: tuple[str, ...]
    conditions: tuple[ConditionSource, ...]

    @property
    def allows(self) -> bool:
        """Return whether it is an Allow."""
        return self.effect == "Allow"

    def covers(self, action: str) -> bool:
        """Return whether the statement is on an action."""
        matches = compile_any(written.lower() for written in self.actions)(action.lower())
        return matches is (self.action_element == "Action")

    def names(self, action: str) -> bool:
        """Return whether the action is written out, without a wildcard."""
        return self.action_element == "Action" and action.lower() in [written.lower() for written in self.actions]

    def services(self) -> set[str]:
        """Return the services of the actions; * for all services."""
        return {action.partition(":")[0].lower() for action in self.actions}

    @property
    def everyone(self) -> bool:
        """Return whether the Principal names everyone."""
        whom = self.raw.get("Principal")
        return whom == "*" or (isinstance(whom, dict) and "*" in listed_values(whom.get("AWS", [])))


@dataclass(frozen=True, slots=True)
class Document:
    """A policy document and its kind."""

    kind: PolicyKind
    version: str
    statements: tuple[StatementSource, ...]

    def allows(self, action: str) -> bool:
        """Return whether an Allow is on the action; its resource and conditions do not matter."""
        return any(statement.allows and statement.covers(action) for statement in self.statements)


def read(text: str, kind: PolicyKind) -> Document:
    """Return the source of a document that `parse_policy` accepts."""
    raw = json.loads(text)
    statements = raw["Statement"] if isinstance(raw["Statement"], list) else [raw["Statement"]]
    return Document(
        kind,
        raw.get("Version", "2008-10-17"),
        tuple(_statement(statement, index) for index, statement in enumerate(statements, 1)),
    )


def listed_values(value: object) -> tuple[str, ...]:
    """Return one value or a list of values as texts; true and false as JSON writes them."""
    items = value if isinstance(value, list) else [value]
    return tuple(item if isinstance(item, str) else json.dumps(item) for item in items)


def _statement(raw: dict[str, Any], index: int) -> StatementSource:
    action = "NotAction" if "NotAction" in raw else "Action"
    resource = "NotResource" if "NotResource" in raw else "Resource"
    return StatementSource(
        statement_name(raw.get("Sid", ""), index), raw["Effect"], raw,
        action, listed_values(raw.get(action, [])), resource, listed_values(raw.get(resource, [])),
        tuple(_conditions(raw.get("Condition", {}))),
    )  # fmt: skip


def _conditions(block: dict[str, dict[str, object]]) -> Iterator[ConditionSource]:
    for operator, keys in block.items():
        for key, values in keys.items():
            yield ConditionSource(operator, key, listed_values(values))
