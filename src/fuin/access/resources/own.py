"""What only the caller's own policies govern: a resource without a policy, or no particular resource."""

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
    """A user, an alias, a list of keys, a key or bucket that does not exist … within one account.

    Also in the place of a resource that does not exist: anyone who would not be allowed to ask learns nothing more.
    """

    arn: str
    account: str

    policy: ClassVar[None] = None
    rule: ClassVar[str] = "identity"
    kind: ClassVar[None] = None
    condition_keys: ClassVar[Table] = {}  # what is known of it is what the request says

    def with_policy(self, policy: str | None) -> OwnResource:
        """Return the same resource: a policy cannot be put on it."""
        return self

    def decide(self, question: Question, policies: Policies) -> Decision:
        """Return the decision: by the caller's own policies, inside the caller's account."""
        return decide_identity(question, self.account, policies.identity, policies.limits)
