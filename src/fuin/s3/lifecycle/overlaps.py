"""Prefixes in the older form may not overlap; in filters they may, and then the earliest rule counts."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from fuin.s3.request.faults import S3Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuin.s3.lifecycle.rules import LifecycleRule

_MEMBERS = {
    "Expiration": ("days", "date", "expired_markers"), "NoncurrentVersionExpiration": ("noncurrent_days",),
    "AbortIncompleteMultipartUpload": ("upload_days",),
}  # fmt: skip


def check(rules: Sequence[LifecycleRule]) -> None:
    """Raise InvalidRequest if two rules of the older form do the same for keys with one beginning."""
    for action, members in _MEMBERS.items():
        prefixes = sorted(
            rule.prefix or ""
            for rule in rules
            if rule.in_rule and any(getattr(rule, member) is not None for member in members)
        )
        for shorter, longer in pairwise(prefixes):
            if longer.startswith(shorter):
                text = f"Found overlapping prefixes '{shorter}' and '{longer}' for same action type '{action}'"
                raise S3Fault("InvalidRequest", text)
