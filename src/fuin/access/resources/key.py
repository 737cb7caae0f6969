"""A KMS key as a resource, and a grant of a key that the caller wants to retire.

Source of the condition keys: AWS KMS developer guide, "AWS KMS condition keys". The table is the only list of the keys
that follow from a KMS key. The gate, who-can and explain read it, and so does a request that creates a key.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import msgspec

from fuin.access.decide import decide_identity, decide_key, decide_retirement
from fuin.access.kinds import PolicyKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.access.decide import Decision
    from fuin.access.facts import Table, Values
    from fuin.access.grants import Grant
    from fuin.access.question import Question
    from fuin.access.resources.resource import AliasSource, KeyProperties, Policies


def _multi_region_type(key: KeyProperties, _: AliasSource) -> Values | None:
    if key.primary_region is None:
        return None
    return ("PRIMARY",) if key.primary_region == key.region else ("REPLICA",)


# Condition keys as AWS writes them, each with the function that finds its values.
CONDITION_KEYS: Table = {
    "kms:KeySpec": lambda key, _: (key.spec,),
    "kms:CustomerMasterKeySpec": lambda key, _: (key.spec,),
    "kms:KeyUsage": lambda key, _: (key.usage,),
    "kms:CustomerMasterKeyUsage": lambda key, _: (key.usage,),
    "kms:KeyOrigin": lambda key, _: (key.origin,),
    "kms:MultiRegion": lambda key, _: ("true",) if key.multi_region else ("false",),
    "kms:MultiRegionKeyType": _multi_region_type,
    "kms:ResourceAliases": lambda key, aliases: aliases.aliases_of(key) if key.key_id else None,
}


def _from_key(find: Callable[..., Values | None]) -> Callable[..., Values | None]:
    return lambda request, resource: None if resource.key is None else find(resource.key, request)


_TABLE: Table = {
    **{name.lower(): _from_key(find) for name, find in CONDITION_KEYS.items()},
    "aws:resourcetag/": lambda _, resource: () if resource.key is None else resource.key.tags,
}
_TABLE_BY_ALIAS: Table = {
    **_TABLE,
    "kms:requestalias": lambda _, resource: (resource.alias,) if resource.alias else None,
}


class NewKey(NamedTuple):
    """The properties of a key that is about to be created: it has no id yet, and so no aliases."""

    spec: str
    usage: str
    origin: str
    multi_region: bool = False
    replica: bool = False
    tags: tuple[tuple[str, str], ...] = ()
    region: str = "here"
    key_id: str = ""
    account: str = ""

    @property
    def primary_region(self) -> str | None:
        """Return the key's own Region, or another one if the key becomes a replica."""
        return ("elsewhere" if self.replica else self.region) if self.multi_region else None


class _NoAliases:
    def aliases_of(self, key: KeyProperties) -> Values:
        return ()


_NO_ALIASES = _NoAliases()


def condition_keys(key: KeyProperties, aliases: AliasSource = _NO_ALIASES) -> dict[str, Values]:
    """Return the condition keys of a key, as AWS writes them, with its tags.

    AWS: aws:ResourceTag/NAME is also present "in requests that create a resource with an attached tag".
    """
    keys = {name: values for name, find in CONDITION_KEYS.items() if (values := find(key, aliases))}
    return keys | {f"aws:ResourceTag/{name}": (value,) for name, value in key.tags}


class KeyResource(msgspec.Struct, frozen=True, gc=False):
    """A KMS key.

    A key that does not exist has no policy, so only the caller's own policies decide. A caller without the right does
    not learn which keys exist.
    """

    arn: str
    account: str
    policy: str | None
    key: KeyProperties | None = None  # its properties are the condition keys
    alias: str = ""  # the alias by which the request names it

    kind: ClassVar[PolicyKind] = PolicyKind.KEY
    condition_keys: ClassVar[Table] = _TABLE_BY_ALIAS

    @property
    def rule(self) -> str:
        """Return the name of the rule that decides, as audit records have it."""
        return "identity" if self.policy is None else "key"

    def with_policy(self, policy: str | None) -> KeyResource:
        """Return the same key with another policy."""
        return msgspec.structs.replace(self, policy=policy)

    def decide(self, question: Question, policies: Policies) -> Decision:
        """Return the decision by the key policy and grants; for a missing key, by the caller's policies alone."""
        policy, identity, limits, grants = policies
        if policy is None:
            return decide_identity(question, self.account, identity, limits)
        return decide_key(question, self.account, policy, identity, grants, limits)


class RetirementResource(msgspec.Struct, frozen=True, gc=False):
    """A grant that the caller wants to retire, and the policy of its key; `grant` is None if it does not exist."""

    arn: str  # of the key
    account: str  # of the key
    policy: str | None  # of the key
    key: KeyProperties | None
    grant: Grant | None

    rule: ClassVar[str] = "retirement"
    kind: ClassVar[PolicyKind] = PolicyKind.KEY
    condition_keys: ClassVar[Table] = _TABLE

    def with_policy(self, policy: str | None) -> RetirementResource:
        """Return the same grant with another key policy."""
        return msgspec.structs.replace(self, policy=policy)

    def decide(self, question: Question, policies: Policies) -> Decision:
        """Return the decision; usually the grant itself says who may retire it."""
        policy, identity, limits, _ = policies
        if policy is None:
            return decide_identity(question, self.account, identity, limits)
        return decide_retirement(question, self.grant, self.account, policy, identity, limits)
