"""Lifecycle rules: which objects, versions and uploads a rule is for, and at which midnight their time ends.

Source: Amazon S3 User Guide, "Lifecycle configuration elements" and "Expiring objects". A time is rounded up to the
next midnight UTC. If more than one rule ends the same object, the earliest one counts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from fuin.s3.request import tags as object_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fuin.store.s3.buckets import Bucket

SETTING = "lifecycle"  # of the bucket
DAY = 86_400.0  # seconds
ALL_CLASSES, BY_CLASS = "all_storage_classes_128K", "varies_by_storage_class"


class LifecycleRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """One rule: its filter, and what it does; a member of None is not part of it.

    `in_rule` says that the prefix is an element of the rule itself, as in the form before filters. `date` is in seconds
    since 1970.
    """

    id: str
    enabled: bool
    prefix: str | None = None
    in_rule: bool = False
    tags: tuple[tuple[str, str], ...] = ()
    larger_than: int | None = None
    smaller_than: int | None = None
    days: int | None = None
    date: int | None = None
    expired_markers: bool | None = None
    noncurrent_days: int | None = None
    newer_versions: int | None = None
    upload_days: int | None = None

    @property
    def ends_objects(self) -> bool:
        """Return whether the rule ends objects, which then get a delete marker in a bucket with versions."""
        return self.days is not None or self.date is not None

    @property
    def looks_at_versions(self) -> bool:
        """Return whether the rule does anything about objects, versions or delete markers."""
        return self.ends_objects or self.expired_markers is True or self.noncurrent_days is not None

    @property
    def takes_markers(self) -> bool:
        """Return whether the filter takes delete markers that are left over: it asks for no tags and sizes."""
        return not self.tags and self.larger_than is None and self.smaller_than is None

    def has_prefix_of(self, key: str) -> bool:
        """Return whether a key begins as the rule wants it."""
        return not self.prefix or key.startswith(self.prefix)

    def is_for(self, key: str, size: int, tags: str | None) -> bool:
        """Return whether the rule's filter takes an object or a version; `tags` are in the index's form."""
        if not self.has_prefix_of(key):
            return False
        if self.larger_than is not None and size <= self.larger_than:
            return False
        if self.smaller_than is not None and size >= self.smaller_than:
            return False
        return not self.tags or set(self.tags) <= object_tags.parse_column(tags).items()

    def end_of_object(self, modified: float) -> float:
        """Return the midnight at which an object ends, by a rule that ends objects."""
        return float(self.date) if self.date is not None else midnight_after(modified, self.days or 0)


class LifecycleConfiguration(msgspec.Struct, frozen=True):
    """The rules of a bucket, and the smallest object that a transition would take, which nothing here uses."""

    rules: tuple[LifecycleRule, ...]
    minimum_size: str = ALL_CLASSES

    def column(self) -> str:
        """Return the setting's document."""
        return msgspec.json.encode(self).decode()

    def select(self, holds: Callable[[LifecycleRule], bool]) -> tuple[LifecycleRule, ...]:
        """Return the enabled rules of one kind."""
        return tuple(rule for rule in self.rules if rule.enabled and holds(rule))


_decode = msgspec.json.Decoder(LifecycleConfiguration).decode
NONE = LifecycleConfiguration(())


@lru_cache(maxsize=256)
def parse_setting(document: str) -> LifecycleConfiguration:
    """Return the rules of a stored setting."""
    return _decode(document)


@lru_cache(maxsize=256)
def object_rules(document: str) -> tuple[LifecycleRule, ...]:
    """Return the enabled rules of a stored setting that end objects."""
    return parse_setting(document).select(lambda rule: rule.ends_objects)


@lru_cache(maxsize=256)
def upload_rules(document: str) -> tuple[LifecycleRule, ...]:
    """Return the enabled rules of a stored setting that end uploads."""
    return parse_setting(document).select(lambda rule: rule.upload_days is not None)


def rules_of(bucket: Bucket | None) -> LifecycleConfiguration:
    """Return the rules of a bucket; one that is missing has none."""
    document = None if bucket is None else bucket.setting(SETTING)
    return NONE if document is None else parse_setting(document)


def midnight_after(moment: float, days: int) -> float:
    """Return the first midnight UTC later than a moment plus so many days."""
    return (moment // DAY + days + 1) * DAY


def find_earliest(ends: Iterable[tuple[float, LifecycleRule]]) -> tuple[float, LifecycleRule] | None:
    """Return the earliest of some ends with its rule, of equal ones the first; None without any."""
    return min(ends, key=lambda end: end[0], default=None)
