"""Tags in requests: those for a new resource, and their rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fuin.ec2.wire.faults import Ec2Fault

if TYPE_CHECKING:
    from fuin.ec2.wire.members import Tag, TagSpecification

_KEY_AT_MOST, _VALUE_AT_MOST, _TAGS_AT_MOST = 128, 256, 50


def tags_for(kind: str, specifications: Sequence[TagSpecification]) -> dict[str, str]:
    """Return the tags that a new resource of a kind is to have; a specification for another kind is refused."""
    found: dict[str, str] = {}
    for specification in specifications:
        if specification.ResourceType != kind:
            text = f"'{specification.ResourceType[:64]}' is not a valid taggable resource type for this operation."
            raise Ec2Fault("InvalidParameterValue", text)
        if not specification.Tag:
            raise Ec2Fault("InvalidParameterValue", "Tag specification must have at least one tag")
        found |= checked_tags(specification.Tag)
    return found


def checked_tags(tags: Sequence[Tag]) -> dict[str, str]:
    """Return the values of tags by key; raises InvalidParameterValue or TagLimitExceeded."""
    found: dict[str, str] = {}
    for tag in tags:
        value = tag.Value or ""
        if not tag.Key or len(tag.Key) > _KEY_AT_MOST:
            text = "Tag key must have between 1 and 128 characters."
            raise Ec2Fault("InvalidParameterValue", text)
        if tag.Key.lower().startswith("aws:"):
            raise Ec2Fault("InvalidParameterValue", f"Tag keys starting with 'aws:' are reserved: {tag.Key}")
        if len(value) > _VALUE_AT_MOST:
            raise Ec2Fault("InvalidParameterValue", "Tag value must have at most 256 characters.")
        if tag.Key in found:
            raise Ec2Fault("InvalidParameterValue", f"Duplicate tag key '{tag.Key}' specified.")
        found[tag.Key] = value
    if len(found) > _TAGS_AT_MOST:
        raise too_many_tags()
    return found


def too_many_tags() -> Ec2Fault:
    """Return the fault for a resource that would have more tags than it may have."""
    return Ec2Fault("TagLimitExceeded", f"The maximum number of Tags for a resource has been reached: {_TAGS_AT_MOST}.")


def tag_set(tags: dict[str, str]) -> list[dict[str, str]] | None:
    """Return tags as an answer has them; None, so no member, for a resource without tags."""
    return [{"key": key, "value": value} for key, value in tags.items()] or None
