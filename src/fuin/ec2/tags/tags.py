"""CreateTags, DeleteTags, DescribeTags: for volumes and snapshots of the caller's account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.access.resources.ec2 import Ec2Resource
from fuin.ec2.request import filters, pages, resource_ids, rights
from fuin.ec2.request.tags import checked_tags, too_many_tags
from fuin.ec2.wire.faults import Ec2Fault
from fuin.ec2.wire.form import Input
from fuin.ec2.wire.members import Filter, Tag
from fuin.gate import lists
from fuin.store.errors import TooManyTags
from fuin.store.volumes import ec2_tags, snapshots, volumes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from fuin.ec2.wire.answers import Output
    from fuin.gate.call import Call

_KINDS = {resource_ids.VOLUME: "volume", resource_ids.SNAPSHOT: "snapshot"}
_RESOURCES_AT_MOST = 1000
_FILTERS: dict[str, filters.Values[ec2_tags.Tag]] = {
    "key": lambda tag: (tag.key,),
    "resource-id": lambda tag: (tag.resource_id,),
    "resource-type": lambda tag: (_KINDS[resource_ids.kind_of(tag.resource_id)],),
    "value": lambda tag: (tag.value,),
}


class CreateTagsInput(Input):
    """The input of CreateTags."""

    ResourceId: list[str] = []
    Tag: list[Tag] = []


class DeleteTagsInput(Input):
    """The input of DeleteTags."""

    ResourceId: list[str] = []
    Tag: list[Tag] = []


class DescribeTagsInput(Input):
    """The input of DescribeTags."""

    Filter: list[Filter] = []
    MaxResults: int | None = None
    NextToken: str | None = None


async def create_tags(call: Call, input: CreateTagsInput) -> Output:
    """Give tags to volumes and snapshots, or new values to tags that they have."""
    if not input.Tag:
        raise Ec2Fault("MissingParameter", "The request must contain the parameter tagSet")
    given = checked_tags(input.Tag)
    names = await _permitted_resources(call, "CreateTags", input.ResourceId, rights.requested_tags(given))
    rights.end_dry_run(input)
    try:
        await call.write(_set_tags, call.account, call.region, names, given)
    except TooManyTags:
        raise too_many_tags() from None
    return {"return": True}


async def delete_tags(call: Call, input: DeleteTagsInput) -> Output:
    """Remove tags by key, with a value only if the tag has it; without tags in the request all of them."""
    conditions: rights.Conditions = {"aws:TagKeys": tuple(tag.Key for tag in input.Tag)} if input.Tag else {}
    names = await _permitted_resources(call, "DeleteTags", input.ResourceId, conditions)
    rights.end_dry_run(input)
    wanted = tuple((tag.Key, tag.Value) for tag in input.Tag)
    await call.write(_remove_tags, call.account, call.region, names, wanted)
    return {"return": True}


async def _permitted_resources(
    call: Call, action: str, names: Sequence[str], more: rights.Conditions
) -> tuple[str, ...]:  # fmt: skip
    """Return the ids of resources whose tags the caller may change; each must exist in the account."""
    if not names:
        raise Ec2Fault("MissingParameter", "The request must contain the parameter resourceIdSet")
    if len(names) > _RESOURCES_AT_MOST:
        raise Ec2Fault("InvalidParameterValue", f"The request names more than {_RESOURCES_AT_MOST} resources.")
    for name in names:
        await call.consult(_permit, action, name, more)
    return tuple(dict.fromkeys(names))


def _permit(call: Call, action: str, name: str, more: rights.Conditions) -> None:
    kind = resource_ids.kind_of(name)
    if kind not in _KINDS:
        raise Ec2Fault("InvalidID", f"The ID '{name[:64]}' is not valid")
    has_account = kind != resource_ids.SNAPSHOT
    present = call.services.store.look_up(_find_resource, call.account, call.region, name)
    arn = rights.arn(call, _KINDS[kind], name, has_account=has_account)
    rights.permit(call, action, Ec2Resource(arn, call.account, present or ()), more)
    if present is None:
        raise resource_ids.missing_fault(kind, name)


def _find_resource(conn: Connection, account: str, region: str, name: str) -> tuple[tuple[str, str], ...] | None:
    """Return the tags of a resource of the account, or None without such a resource."""
    found = (
        volumes.find_volume(conn, name)
        if resource_ids.kind_of(name) == resource_ids.VOLUME
        else snapshots.find_snapshot(conn, name)
    )
    if found is None or (found.account, found.region) != (account, region):
        return None
    return tuple(ec2_tags.find_tags(conn, account, region, [name]).get(name, {}).items())


def _set_tags(conn: Connection, account: str, region: str, names: Sequence[str], given: dict[str, str]) -> None:
    for name in names:
        ec2_tags.set_tags(conn, account, region, name, given)


def _remove_tags(
    conn: Connection, account: str, region: str, names: Sequence[str], wanted: Sequence[tuple[str, str | None]]
) -> None:
    for name in names:
        if wanted:
            ec2_tags.remove_tags(conn, account, region, name, wanted)
        else:
            ec2_tags.remove_all_tags(conn, account, region, name)


async def describe_tags(call: Call, input: DescribeTagsInput) -> Output:
    """Return the account's tags in the Region, by resource and key."""
    await rights.check_describe(call, input)
    page = pages.requested_page(input.MaxResults, input.NextToken)
    holds = filters.make_filter(input.Filter, _FILTERS, lambda tag: {tag.key: tag.value})
    found = await lists.page(call, ec2_tags.list_tags, call.account, call.region)
    shown, more = pages.take_page(
        [tag for tag in found if holds(tag)], page, lambda tag: f"{tag.resource_id}\0{tag.key}"
    )
    return {"tagSet": [_item(tag) for tag in shown], **more}


def _item(tag: ec2_tags.Tag) -> Output:
    kind = _KINDS[resource_ids.kind_of(tag.resource_id)]
    return {"resourceId": tag.resource_id, "resourceType": kind, "key": tag.key, "value": tag.value}
