"""A case: one question's policies and grants, under the names people know, so that it can be told, changed and retried.

Requests are decided by `decide` directly; a case asks the same functions for `fuin explain`, `who-can` and simulations.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from fuin.access import decide, public_access
from fuin.access.kinds import RULES, PolicyKind
from fuin.access.policy import Policy, parse_policy
from fuin.access.public_access import NOTHING_BLOCKED, PublicAccessBlock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.access.ask import Ask
    from fuin.access.grants import Grant

Rule = Literal["key", "bucket", "role", "identity", "retirement"]
Known = Callable[[str], bool]  # tells of a condition key, in lower case, whether the facts are certain about it
# Stand where a statement was: they match no request, and policies must have one statement at least.
_INERT: Mapping[str, object] = {"Effect": "Deny", "Action": "none:None", "Resource": "arn:aws:none:::none"}
_INERT_TRUST: Mapping[str, object] = {"Effect": "Deny", "Action": "sts:None", "Principal": "*"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """One policy in play: what people call it, its kind and its document.

    `assumed` says why it is not certain that such a policy exists; empty for those that do. `source` is what IAM's
    simulator calls it.
    """

    label: str
    kind: PolicyKind
    document: str
    assumed: str = ""
    source: str = ""
    _compiled: list[Policy] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def policy(self) -> Policy:
        """Return the compiled form, made when it is first asked for; raises MalformedPolicy."""
        if not self._compiled:
            self._compiled.append(parse_policy(self.document, self.kind))
        return self._compiled[0]

    @property
    def has_variables(self) -> bool:
        """Tell whether ${…} in the policy is a variable, and not text."""
        return bool(json.loads(self.document).get("Version") == "2012-10-17")

    def statements(self) -> list[dict[str, Any]]:
        """Return the statements as they are written, in their order."""
        raw = json.loads(self.document)["Statement"]
        return raw if isinstance(raw, list) else [raw]

    def with_statement(self, statement: Mapping[str, Any], index: int | None = None) -> Sheet:
        """Return the policy with a statement more, or with another one instead of number `index` (from 1)."""
        statements: list[Any] = self.statements()
        if index is None:
            statements.append(statement)
        else:
            statements[index - 1] = statement
        return replace(self, document=json.dumps({**json.loads(self.document), "Statement": statements}))

    def without_statement(self, index: int) -> Sheet:
        """Return the policy without its statement number `index` (from 1)."""
        if self.kind is PolicyKind.TRUST:
            return self.with_statement(_INERT_TRUST, index)
        whom = {"Principal": "*"} if RULES[self.kind].has_principal else {}
        return self.with_statement({**_INERT, **whom}, index)


def _everything(key: str) -> bool:
    """Tell that the facts are certain about a condition key: what they do not have is absent."""
    return True


@dataclass(frozen=True, slots=True)
class Case:
    """All that decides about one resource for one principal; `account` owns the resource.

    `owner` is what people call the principal, whose own policies are `identity`; `boundary` and `session` limit those.
    Where a grant is to be retired, `grants` is that one. `knows` tells which keys' absence is certain, for those who
    tell of the case: it decides nothing.
    """

    rule: Rule
    account: str
    owner: str
    resource: Sheet | None = None
    identity: tuple[Sheet, ...] = ()
    boundary: Sheet | None = None
    session: tuple[Sheet, ...] = ()
    grants: tuple[Grant, ...] = ()
    knows: Known = _everything
    block: PublicAccessBlock = NOTHING_BLOCKED  # of a bucket

    @property
    def sheets(self) -> tuple[Sheet, ...]:
        """Return all policies in play, the resource's first, the caller's limits last."""
        one = (self.resource,) if self.resource else ()
        return (*one, *self.identity, *((self.boundary,) if self.boundary else ()), *self.session)

    def with_sheet(self, old: Sheet, new: Sheet) -> Case:
        """Return the case with one policy changed."""
        return replace(
            self,
            resource=new if old is self.resource else self.resource,
            identity=tuple(new if sheet is old else sheet for sheet in self.identity),
            boundary=new if old is self.boundary else self.boundary,
            session=tuple(new if sheet is old else sheet for sheet in self.session),
        )

    def decide(self, ask: Ask) -> decide.Decision:
        """Return the decision that a request would get."""
        own = tuple(sheet.policy for sheet in self.identity)
        policy = self.resource.policy if self.resource else None
        limits = decide.Limits(
            self.boundary.policy if self.boundary else None, tuple(sheet.policy for sheet in self.session)
        )
        if self.rule == "key" and policy is not None:
            return decide.decide_key(ask, self.account, policy, own, lambda: self.grants, limits)
        if self.rule == "retirement" and policy is not None:
            grant = self.grants[0] if self.grants else None
            return decide.decide_retirement(ask, grant, self.account, policy, own, limits)
        if self.rule == "role" and policy is not None:
            return decide.decide_role(ask, self.account, policy, own, limits)
        if self.rule == "bucket":
            document = self.resource.document if self.resource else None
            restricted = public_access.is_restricted(self.block, document)
            return decide.decide_bucket(ask, self.account, policy, own, limits, restricted=restricted)
        return decide.decide_identity(ask, self.account, own, limits)
