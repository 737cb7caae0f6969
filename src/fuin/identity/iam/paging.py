"""Pages of IAM's lists: MaxItems (100 by default), IsTruncated, and a Marker that names where the next page begins."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from fuin.gate import lists
from fuin.identity.wire.faults import QueryFault
from fuin.identity.wire.model import Given, Output

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.call import Call

T = TypeVar("T")

_BY_DEFAULT = 100


def bounds(given: Given) -> tuple[str, int]:
    """Return the name after which the page begins, and its longest length; raises ValidationError for the marker."""
    marker = given.get("Marker")
    limit: int = given.get("MaxItems", _BY_DEFAULT)
    if marker is None:
        return "", limit
    try:
        return base64.b64decode(marker, b"-_", validate=True).decode(), limit
    except ValueError:  # not base64, not UTF-8
        raise QueryFault("ValidationError", "Invalid Marker.") from None


def page(given: Given, member: str, found: Sequence[T], name: Callable[[T], str], show: Callable[[T], Any]) -> Output:
    """Return one page of the items after the marker, which are in order; another item shows that a page follows."""
    _, limit = bounds(given)
    shown = [show(item) for item in found[:limit]]
    if len(found) <= limit:
        return {member: shown, "IsTruncated": False}
    return {member: shown, "IsTruncated": True, "Marker": marker_of(name(found[limit - 1]))}


async def read(
    call: Call,
    given: Given,
    member: str,
    find: Callable[[Connection, str, int], Sequence[T]],
    name: Callable[[T], str],
    show: Callable[[T], Any],
) -> Output:
    """Return one page of `find(conn, after, limit)`, run beside the event loop: there may be thousands of items."""
    after, limit = bounds(given)
    return await lists.page(call, lambda conn: page(given, member, find(conn, after, limit + 1), name, show))


def marker_of(name: str) -> str:
    """Return the marker after whose name the next page begins."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def page_of_all(
    given: Given, member: str, every: Sequence[T], name: Callable[[T], str], show: Callable[[T], Any]
) -> Output:
    """Return one page of a complete list, which may come in any order."""
    after, _ = bounds(given)
    rest = sorted((item for item in every if name(item) > after), key=name)
    return page(given, member, rest, name, show)
