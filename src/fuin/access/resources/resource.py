"""The properties of every resource: an ARN, an owner, perhaps a policy, condition keys, and the rule that decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from fuin.access.decide import UNLIMITED, no_grants

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fuin.access.decide import Decision, Limits
    from fuin.access.facts import Table, Values
    from fuin.access.grants import Grant
    from fuin.access.kinds import PolicyKind
    from fuin.access.policy import Policy
    from fuin.access.question import Question


class Policies(NamedTuple):
    """The compiled policies that decide a question about one resource."""

    of_resource: Policy | None  # the policy of the resource
    identity: tuple[Policy, ...] = ()  # the caller's own policies
    limits: Limits = UNLIMITED  # the limits of the caller's own policies
    grants: Callable[[], Sequence[Grant]] = no_grants  # returns the grants of a key, at least those to the caller


class KeyProperties(Protocol):
    """The properties of a KMS key that conditions can ask for, as the rows of the store have them."""

    @property
    def key_id(self) -> str:
        """Return the key's id, empty for a key that is to be made."""

    @property
    def account(self) -> str:
        """Return the account that owns the key."""

    @property
    def region(self) -> str:
        """Return the key's Region."""

    @property
    def spec(self) -> str:
        """Return the key spec: SYMMETRIC_DEFAULT …"""

    @property
    def usage(self) -> str:
        """Return the key usage: ENCRYPT_DECRYPT …"""

    @property
    def origin(self) -> str:
        """Return where the key material comes from: AWS_KMS …"""

    @property
    def multi_region(self) -> bool:
        """Return whether it is a multi-Region key."""

    @property
    def primary_region(self) -> str | None:
        """Return the Region of the primary key; None for a key that is not a multi-Region key."""

    @property
    def tags(self) -> tuple[tuple[str, str], ...]:
        """Return the tags."""


class AliasSource(Protocol):
    """An object that can look up the aliases of a key, if a condition asks for them."""

    def aliases_of(self, key: KeyProperties) -> Values:
        """Return the names of all aliases of a key."""


class Resource(Protocol):
    """A resource of a question.

    `condition_keys` is the table of the condition keys, in lower case, that follow from the resource, or from resource
    and request. Its functions take the request and the resource.
    """

    condition_keys: ClassVar[Table]

    @property
    def arn(self) -> str:
        """Return its ARN, or "*" if the action has no particular resource."""

    @property
    def account(self) -> str:
        """Return the account that owns it."""

    @property
    def policy(self) -> str | None:
        """Return the text of its own policy, or None without one."""

    @property
    def rule(self) -> str:
        """Return the name of the rule that decides, as audit records have it."""

    @property
    def kind(self) -> PolicyKind | None:
        """Return the kind of its policy, or None if it cannot have a policy."""

    def with_policy(self, policy: str | None) -> Resource:
        """Return the same resource with another policy."""

    def decide(self, question: Question, policies: Policies) -> Decision:
        """Return the decision."""
