"""A bucket as a resource.

Every bucket can be reached with a signature for this server's Region; AWS accepts only the bucket's own Region. So
conditions see the Region of the bucket, not of the signature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

import msgspec

from fuin.access import public_access
from fuin.access.decide import decide_bucket
from fuin.access.kinds import PolicyKind

if TYPE_CHECKING:
    from fuin.access.decide import Decision
    from fuin.access.facts import Table, Values
    from fuin.access.question import Question
    from fuin.access.request_keys import Call as Request
    from fuin.access.resources.resource import Policies


class BucketProperties(Protocol):
    """The properties of a bucket that decisions need, as the rows of the store have them."""

    @property
    def region(self) -> str:
        """Return the bucket's Region."""

    def setting(self, name: str) -> str | None:
        """Return the document of a setting, or None if it is not set."""


def _region(request: Request, resource: BucketResource) -> Values:
    return (request.region if resource.bucket is None else resource.bucket.region,)


_TABLE: Table = {"aws:requestedregion": _region}


class BucketResource(msgspec.Struct, frozen=True, gc=False):
    """A bucket that exists; `bucket` is None in a simulation, which has only the policy."""

    arn: str
    account: str
    policy: str | None
    bucket: BucketProperties | None = None

    rule: ClassVar[str] = "bucket"
    kind: ClassVar[PolicyKind] = PolicyKind.BUCKET
    condition_keys: ClassVar[Table] = _TABLE

    def with_policy(self, policy: str | None) -> BucketResource:
        """Return the same bucket with another policy."""
        return msgspec.structs.replace(self, policy=policy)

    def decide(self, question: Question, policies: Policies) -> Decision:
        """Return the decision by the caller's policies and the bucket policy."""
        policy, identity, limits, _ = policies
        restricted = question.principal.account != self.account and self.is_restricted
        return decide_bucket(question, self.account, policy, identity, limits, restricted=restricted)

    @property
    def is_restricted(self) -> bool:
        """Return whether the policy is public and RestrictPublicBuckets keeps it from other accounts."""
        if self.bucket is None:
            return False
        block = public_access.parse_setting(self.bucket.setting(public_access.SETTING))
        return public_access.is_restricted(block, self.policy)
