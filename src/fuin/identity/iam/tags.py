"""Tags of users, roles, managed policies and instance profiles: the same three operations for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.identity.iam import entities, managed_policies, paging
from fuin.store.identity import identities

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from fuin.gate.call import Call
    from fuin.identity.wire.model import Given, Output
    from fuin.store.identity.identities import Identity


async def tag(kind: str, call: Call, given: Given) -> None:
    """Add tags, or replace those of the same name; conditions in policies see them when this returns."""
    pairs = entities.tags_of(given)
    one = await call.consult(_tagged_entity, kind, given, entities.request_conditions(given))
    await entities.change(call, one, identities.apply_to, one, identities.put_tags, pairs)


async def untag(kind: str, call: Call, given: Given) -> None:
    """Remove tags; names without a tag do not matter."""
    one = await call.consult(_tagged_entity, kind, given, entities.request_conditions(given))
    await entities.change(call, one, identities.apply_to, one, identities.remove_tags, given["TagKeys"])


async def list_tags(kind: str, call: Call, given: Given) -> Output:
    """Return a page of tags."""
    one = await call.consult(_tagged_entity, kind, given)
    return paging.page_of_all(
        given, "Tags", one.tags, lambda pair: pair[0], lambda pair: {"Key": pair[0], "Value": pair[1]}
    )


def _tagged_entity(call: Call, kind: str, given: Given, more: Mapping[str, Any] | None = None) -> Identity:
    if kind == identities.POLICY:
        return managed_policies.policy_of(call, given, more, owned=more is not None)
    if kind == identities.INSTANCE_PROFILE:
        return entities.instance_profile(call, given, more)
    return entities.identity_of_kind(call, kind, given, more)
