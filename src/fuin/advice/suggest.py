"""The smallest policy for the rights that were used: from actions and resources in the log to readable statements."""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from fuin.access.variables import escape

_OBJECTS = "arn:aws:s3:::"
_ALL_OF_A_KIND = re.compile(r"arn:aws:iam::[0-9]{12}:[a-z-]+/\*")  # an asterisk is not a valid name in IAM
_NAMED_AT_MOST = 5  # objects of a bucket that are listed one by one; if there are more, their folder is listed


class Need(NamedTuple):
    """One right that was used; `via` is the service that asked on the caller's behalf, or ""."""

    action: str
    resource: str
    via: str = ""


def suggest(needs: Iterable[Need]) -> dict[str, Any]:
    """Return an identity policy that allows these needs; many objects of one bucket become their common folder."""
    wanted = set(needs)
    direct = {(need.action, need.resource) for need in wanted if not need.via}
    by_action: dict[tuple[str, str], set[str]] = defaultdict(set)
    for need in wanted:
        if not need.via or (need.action, need.resource) not in direct:
            by_action[need.action, need.via].add(need.resource)
    groups: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (action, via), resources in sorted(by_action.items()):
        for patterns in _patterns(action, resources):
            groups[via, patterns].append(action)
    statements: list[dict[str, Any]] = []
    for (via, patterns), actions in sorted(groups.items(), key=lambda item: (item[0][0], item[1])):
        statements.append(_statement(_sid(via, patterns, statements), actions, patterns, via))
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(sid: str, actions: list[str], resources: tuple[str, ...], via: str) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Sid": sid, "Effect": "Allow", "Action": _unwrap_single(tuple(actions)), "Resource": _unwrap_single(resources),
    }  # fmt: skip
    if via:
        statement["Condition"] = {"StringEquals": {"kms:ViaService": via}}
    return statement


def _unwrap_single(values: tuple[str, ...]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)


def _patterns(action: str, resources: set[str]) -> list[tuple[str, ...]]:
    """Return the Resource elements for an action: one for each bucket's objects, and one for all other resources."""
    by_bucket: dict[str, set[str]] = defaultdict(set)
    rest: set[str] = set()
    for resource in resources:
        bucket, slash, key = resource.removeprefix(_OBJECTS).partition("/")
        if resource.startswith(_OBJECTS) and slash:
            by_bucket[bucket].add(key)
        else:
            rest.add(resource if _is_general(action, resource) else escape(resource))
    found = [_object_patterns(bucket, keys) for bucket, keys in sorted(by_bucket.items())]
    return [*found, *([tuple(sorted(rest))] if rest else [])]


def _is_general(action: str, resource: str) -> bool:
    """Return whether the operation itself needs a right on all resources of a kind, as a list does.

    Otherwise the asterisk comes from the caller: a request for the key `key/*` has used no right on all keys.
    """
    if resource == "*":
        return True
    every_bucket = action == "s3:ListAllMyBuckets" and resource == f"{_OBJECTS}*"
    return every_bucket or _ALL_OF_A_KIND.fullmatch(resource) is not None


def _object_patterns(bucket: str, keys: set[str]) -> tuple[str, ...]:
    """Return the ARNs of a few objects, or the pattern of the folder that holds all of them."""
    if len(keys) <= _NAMED_AT_MOST:
        return tuple(f"{_OBJECTS}{escape(bucket)}/{escape(key)}" for key in sorted(keys))
    folder, slash, _ = _common_prefix(min(keys), max(keys)).rpartition("/")
    return (f"{_OBJECTS}{escape(bucket)}/{escape(folder)}{slash}*",)


def _common_prefix(first: str, last: str) -> str:
    """Return the common beginning of two texts; all texts that sort between them have it too."""
    return "".join(
        one for one, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    )


def _sid(via: str, patterns: tuple[str, ...], statements: list[dict[str, Any]]) -> str:
    """Return a name for a statement by its resources; a number follows if the name is already used."""
    first = patterns[0]
    if first.startswith(_OBJECTS):
        name = "Objects" if "/" in first else "Buckets"
    elif first.startswith("arn:aws:kms:"):
        name = f"Through{via.partition('.')[0].capitalize()}Keys" if via else "Keys"
    else:
        name = "General" if first == "*" else "Others"
    count = sum(statement["Sid"].rstrip("0123456789") == name for statement in statements)
    return f"{name}{count + 1}" if count else name
