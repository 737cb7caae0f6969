"""Pages of lists: MaxResults and NextToken."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from fuin.ec2.wire.faults import Ec2Fault

if TYPE_CHECKING:
    from fuin.ec2.wire.answers import Output

T = TypeVar("T")
LEAST, MOST = 5, 1000


class Page(NamedTuple):
    """The page that is asked for: what it comes after, and how many entries it has at most (None: all)."""

    after: str
    limit: int | None


def requested_page(max_results: int | None, next_token: str | None, *, has_ids: bool = False, ids: str = "") -> Page:
    """Return the page that a request asks for; `ids` is the name of the list of ids, which excludes pages."""
    if max_results is not None and has_ids:
        text = f"The parameter {ids} cannot be used with the parameter maxResults"
        raise Ec2Fault("InvalidParameterCombination", text)
    if max_results is not None and not LEAST <= max_results <= MOST:
        text = f"Value ( {max_results} ) for parameter maxResults is invalid. Expecting a value from {LEAST} to {MOST}."
        raise Ec2Fault("InvalidParameterValue", text)
    return Page(_open_token(next_token) if next_token else "", max_results)


def take_page(found: Sequence[T], page: Page, name: Callable[[T], str]) -> tuple[list[T], Output]:
    """Return the entries of a page, and the member that says how to go on; `found` is in the order of the names."""
    rest = [entry for entry in found if name(entry) > page.after] if page.after else list(found)
    if page.limit is None or len(rest) <= page.limit:
        return rest, {}
    shown = rest[: page.limit]
    return shown, {"nextToken": base64.urlsafe_b64encode(name(shown[-1]).encode()).decode()}


def _open_token(token: str) -> str:
    try:
        return base64.b64decode(token.encode("ascii"), b"-_", validate=True).decode()
    except (ValueError, binascii.Error):
        raise Ec2Fault("InvalidNextToken", "The token is not valid.") from None
