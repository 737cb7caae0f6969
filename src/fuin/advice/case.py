"""A case: the policies and grants that decide one question, with names that people know.

`fuin explain`, `who-can` and the simulations explain a case, change it and decide it again. The rules are the same as
for requests (`access/decide.py`).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from fuin.access.kinds import RULES, PolicyKind
from fuin.access.policy import Policy, parse_policy
from fuin.access.policy_sides import Limits
from fuin.access.resources.resource import Policies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.access.decide import Decision
    from fuin.access.grants import Grant
    from fuin.access.question import Question
    from fuin.access.resources.resource import Resource

KeyTest = Callable[[str], bool]  # returns whether the facts are certain about a condition key (in lower case)
# They replace a statement that is removed. They match no request; a policy must have at least one statement.
_INERT: Mapping[str, object] = {"Effect": "Deny", "Action": "none:None", "Resource": "arn:aws:none:::none"}
_INERT_TRUST: Mapping[str, object] = {"Effect": "Deny", "Action": "sts:None", "Principal": "*"}


@dataclass(frozen=True, slots=True)
class LabelledPolicy:
    """One policy with its label (the name that people know), its kind and its document.

    `assumed` is empty for a policy that exists; for an assumed policy, it is the assumption, in words. `source` is the
    name that IAM's simulator gives the policy.
    """

    label: str
    kind: PolicyKind
    document: str
    assumed: str = ""
    source: str = ""
    _compiled: list[Policy] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def compiled_policy(self) -> Policy:
        """Return the compiled form, which is made once, at first use; raises MalformedPolicy."""
        if not self._compiled:
            self._compiled.append(parse_policy(self.document, self.kind))
        return self._compiled[0]

    @property
    def has_variables(self) -> bool:
        """Return whether ${…} is a variable in the policy, not text."""
        return bool(json.loads(self.document).get("Version") == "2012-10-17")

    def statements(self) -> list[dict[str, Any]]:
        """Return the statements as they are in the document, in order."""
        raw = json.loads(self.document)["Statement"]
        return raw if isinstance(raw, list) else [raw]

    def with_statement(self, statement: Mapping[str, Any], index: int | None = None) -> LabelledPolicy:
        """Return the policy with one more statement, or with the statement in place of number `index` (from 1)."""
        statements: list[Any] = self.statements()
        if index is None:
            statements.append(statement)
        else:
            statements[index - 1] = statement
        return replace(self, document=json.dumps({**json.loads(self.document), "Statement": statements}))

    def remove_statement(self, index: int) -> LabelledPolicy:
        """Return the policy without its statement number `index` (from 1)."""
        if self.kind is PolicyKind.TRUST:
            return self.with_statement(_INERT_TRUST, index)
        whom = {"Principal": "*"} if RULES[self.kind].has_principal else {}
        return self.with_statement({**_INERT, **whom}, index)


def _knows_every_key(key: str) -> bool:
    """Return True: all condition keys are known, and a key that is missing is absent."""
    return True


@dataclass(frozen=True, slots=True)
class Case:
    """All policies and grants that decide about one resource for one principal.

    `owner` is the name of the principal that people know. `identity` are the principal's own policies; `boundary` and
    `session` limit them. `resource_policy` is the policy of the resource. `knows` returns whether a condition key is
    certain. It is for explanations and does not affect the decision.
    """

    resource: Resource
    owner: str
    resource_policy: LabelledPolicy | None = None
    identity: tuple[LabelledPolicy, ...] = ()
    boundary: LabelledPolicy | None = None
    session: tuple[LabelledPolicy, ...] = ()
    grants: tuple[Grant, ...] = ()
    knows: KeyTest = _knows_every_key

    @property
    def policies(self) -> tuple[LabelledPolicy, ...]:
        """Return all policies, the resource's first, the caller's limits last."""
        one = (self.resource_policy,) if self.resource_policy else ()
        return (*one, *self.identity, *((self.boundary,) if self.boundary else ()), *self.session)

    def with_policy(self, old: LabelledPolicy, new: LabelledPolicy) -> Case:
        """Return the case with one policy changed."""
        return replace(
            self,
            resource_policy=new if old is self.resource_policy else self.resource_policy,
            identity=tuple(new if policy is old else policy for policy in self.identity),
            boundary=new if old is self.boundary else self.boundary,
            session=tuple(new if policy is old else policy for policy in self.session),
        )

    def decide(self, question: Question) -> Decision:
        """Return the decision that a request would get."""
        limits = Limits(
            boundary=self.boundary.compiled_policy if self.boundary else None,
            session=tuple(policy.compiled_policy for policy in self.session),
        )
        policies = Policies(
            of_resource=self.resource_policy.compiled_policy if self.resource_policy else None,
            identity=tuple(policy.compiled_policy for policy in self.identity),
            limits=limits,
            grants=lambda: self.grants,
        )
        document = self.resource_policy.document if self.resource_policy else None
        return self.resource.with_policy(document).decide(question, policies)
