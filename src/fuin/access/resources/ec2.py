"""A volume, a snapshot or a host as a resource: no policy of its own, but tags that conditions can ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from fuin.access.decide import decide_identity

if TYPE_CHECKING:
    from fuin.access.decide import Decision
    from fuin.access.facts import Table
    from fuin.access.question import Question
    from fuin.access.resources.resource import Policies

_TABLE: Table = {
    "aws:resourcetag/": lambda _, resource: resource.tags,
    "ec2:resourcetag/": lambda _, resource: resource.tags,
}


class Ec2Resource(msgspec.Struct, frozen=True, gc=False):
    """A resource of EC2 with its tags, or "*" for an action without a particular one.

    It also replaces one that does not exist: a caller without the right does not learn that it is missing.
    """

    arn: str
    account: str
    tags: tuple[tuple[str, str], ...] = ()

    policy: ClassVar[None] = None
    rule: ClassVar[str] = "identity"
    kind: ClassVar[None] = None
    condition_keys: ClassVar[Table] = _TABLE

    def with_policy(self, policy: str | None) -> Ec2Resource:
        """Return the same resource: a policy cannot be put on it."""
        return self

    def decide(self, question: Question, policies: Policies) -> Decision:
        """Return the decision by the caller's own policies, inside the caller's account."""
        return decide_identity(question, self.account, policies.identity, policies.limits)
