"""A role that the caller wants to assume, as a resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from fuin.access.decide import decide_identity, decide_role
from fuin.access.kinds import PolicyKind

if TYPE_CHECKING:
    from fuin.access.decide import Decision
    from fuin.access.facts import Table
    from fuin.access.question import Question
    from fuin.access.resources.resource import Policies

_TABLE: Table = {
    "aws:resourcetag/": lambda _, role: role.tags,
    "iam:resourcetag/": lambda _, role: role.tags,
}


class RoleResource(msgspec.Struct, frozen=True, gc=False):
    """A role with its trust policy and its tags."""

    arn: str
    account: str
    policy: str | None
    tags: tuple[tuple[str, str], ...] = ()

    rule: ClassVar[str] = "role"
    kind: ClassVar[PolicyKind] = PolicyKind.TRUST
    condition_keys: ClassVar[Table] = _TABLE

    def with_policy(self, policy: str | None) -> RoleResource:
        """Return the same role with another trust policy."""
        return msgspec.structs.replace(self, policy=policy)

    def decide(self, question: Question, policies: Policies) -> Decision:
        """Return the decision by the trust policy, and by the caller's policies if it names only the account."""
        policy, identity, limits, _ = policies
        if policy is None:
            return decide_identity(question, self.account, identity, limits)
        return decide_role(question, self.account, policy, identity, limits)
