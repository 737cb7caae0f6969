"""A resource without a policy, or no particular resource: only the caller's own policies decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import msgspec

from fuin.access.decide import decide_identity

if TYPE_CHECKING:
    from fuin.access.decide import Decision
    from fuin.access.facts import Table
    from fuin.access.question import Question
    from fuin.access.resources.resource import Policies


class OwnResource(msgspec.Struct, frozen=True, gc=False):
    """A user, an alias, a list of keys … within one account.

    It also replaces a key or bucket that does not exist: a caller without the right does not learn that it is missing.
    """

    arn: str
    account: str

    policy: ClassVar[None] = None
    rule: ClassVar[str] = "identity"
    kind: ClassVar[None] = None
    condition_keys: ClassVar[Table] = {}  # only the request brings condition keys

    def with_policy(self, policy: str | None) -> OwnResource:
        """Return the same resource: a policy cannot be put on it."""
        return self

    def decide(self, question: Question, policies: Policies) -> Decision:
        """Return the decision by the caller's own policies, inside the caller's account."""
        return decide_identity(question, self.account, policies.identity, policies.limits)
