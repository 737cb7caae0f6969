"""Tags: TagResource, UntagResource, ListResourceTags, and the checks of tags that are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.model.faults import KmsFault, NotFoundException
from fuin.kms.model.quotas import TAGS_PER_KEY
from fuin.kms.model.shapes_keys import (
    ListResourceTagsInput,
    ListResourceTagsOutput,
    TagResourceInput,
    UntagResourceInput,
)
from fuin.kms.model.shapes_parts import Tag
from fuin.kms.reach import paging, rights
from fuin.kms.reach.key import authorized_key, existing_key
from fuin.store.errors import NotFound, TooManyTags
from fuin.store.kms import key_tags

if TYPE_CHECKING:
    from fuin.gate.call import Call

MOST = TAGS_PER_KEY
_PAGE = 50


async def tag_resource(call: Call, input: TagResourceInput) -> None:
    """Add tags to a key, or give those it has new values."""
    given = check_tags(input.Tags)
    named = await call.consult(authorized_key, input.KeyId or "", "kms:TagResource", extra=rights.tag_conditions(given))
    key = existing_key(named)
    try:
        await call.change(key_tags.set_tags, key.key_id, key.region, given, MOST)
    except TooManyTags:
        raise KmsFault("LimitExceededException", f"A key has at most {MOST} tags.") from None
    except NotFound:
        raise NotFoundException(f"Key '{named.arn}' does not exist") from None


async def untag_resource(call: Call, input: UntagResourceInput) -> None:
    """Remove tags from a key; names that it does not have are ignored."""
    names = list(dict.fromkeys(input.TagKeys or []))
    _check_names(names)
    _check_count(names)  # a condition may ask for them, so they are to fit a record
    key = existing_key(
        await call.consult(authorized_key, input.KeyId or "", "kms:UntagResource", extra={"aws:TagKeys": tuple(names)})
    )
    await call.change(key_tags.remove_tags, key.key_id, key.region, names)


async def list_resource_tags(call: Call, input: ListResourceTagsInput) -> ListResourceTagsOutput:
    """Return a key's tags, sorted by name, a page at a time."""
    key = existing_key(await call.consult(authorized_key, input.KeyId or "", "kms:ListResourceTags"))
    after = paging.parse_marker("tags", input.Marker)
    limit = min(input.Limit or _PAGE, _PAGE)
    rest = [Tag(TagKey=name, TagValue=value) for name, value in key.tags if name > after]
    shown, marker, more = paging.cut_page("tags", rest[: limit + 1], limit, lambda tag: tag.TagKey or "")
    return ListResourceTagsOutput(Tags=list(shown), NextMarker=marker, Truncated=more)


def check_tags(given: list[Tag] | None) -> dict[str, str]:
    """Return tags by name, sorted; raises TagException in AWS's words."""
    tags_given = given or []
    names = [tag.TagKey or "" for tag in tags_given]
    _check_names(names)
    if len(set(names)) != len(names):
        raise KmsFault("TagException", "Duplicate tag keys")
    _check_count(names)
    return {tag.TagKey or "": tag.TagValue or "" for tag in sorted(tags_given, key=lambda tag: tag.TagKey or "")}


def _check_names(names: list[str]) -> None:
    if any(name[:4].lower() == "aws:" for name in names):
        raise KmsFault("TagException", "Tags beginning with aws: are reserved")


def _check_count(names: list[str]) -> None:
    if len(names) > MOST:
        raise KmsFault("TagException", "Too many tags")
