"""The structures that several operations take: filters, tags, and tags for what is to be made."""

from __future__ import annotations

import msgspec

# Named by the wire: the model's own names of lists are in the plural, which nobody sends.


class Filter(msgspec.Struct, forbid_unknown_fields=True):
    """A filter: it holds if one of the values matches."""

    Name: str
    Value: list[str] = []


class Tag(msgspec.Struct, forbid_unknown_fields=True):
    """A tag; without a value DeleteTags removes it whatever its value is."""

    Key: str
    Value: str | None = None


class TagSpecification(msgspec.Struct, forbid_unknown_fields=True):
    """The tags that a new resource is to have."""

    ResourceType: str = ""
    Tag: list[Tag] = []
