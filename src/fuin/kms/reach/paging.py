"""Markers: where the next page of a list starts.

A marker names its list, so that one list's marker is not taken by another, and the last item that was given out.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from fuin.gate import lists
from fuin.gate.throttle import Throttled
from fuin.kms.model.faults import KmsFault

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from fuin.gate.call import Call

P = ParamSpec("P")
T = TypeVar("T")


async def read_page(call: Call, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `fn(conn, …)`, read beside the event loop; raises ThrottlingException when too many lists wait."""
    try:
        return await lists.page(call, fn, *args, **kwargs)
    except Throttled:
        raise KmsFault("ThrottlingException") from None


def parse_marker(kind: str, marker: str | None) -> str:
    """Return the item after which a page starts, empty for the first page; raises InvalidMarkerException."""
    if marker is None:
        return ""
    try:
        raw = base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        raise KmsFault("InvalidMarkerException", "Could not deserialize marker") from None
    given, _, after = raw.partition(":")
    if given != kind or not after:
        raise KmsFault("InvalidMarkerException", "Could not deserialize marker")
    return after


def cut_page(
    kind: str, items: Sequence[T], limit: int, name: Callable[[T], str]
) -> tuple[Sequence[T], str | None, bool]:
    """Return the items of a page, the marker of the next (None on the last) and whether there is a next.

    `items` were read with one more than `limit`; the list is sorted by `name`.
    """
    if len(items) <= limit:
        return items, None, False
    shown = items[:limit]
    marker = base64.b64encode(f"{kind}:{name(shown[-1])}".encode(), altchars=b"-_").decode()
    return shown, marker, True
