"""Lists in sentences, kept short: what policies and requests hold may be long."""

from collections.abc import Sequence

_LISTED_AT_MOST = 4
_VALUE_AT_MOST = 120


def shorten_list(items: Sequence[str]) -> str:
    """Return a few of `items` as text, and how many more there are."""
    shown = ", ".join(shorten(item) for item in items[:_LISTED_AT_MOST])
    more = len(items) - _LISTED_AT_MOST
    return f"{shown} and {more} more" if more > 0 else shown


def shorten(text: str) -> str:
    """Return `text`, cut where it is too long for a sentence."""
    return text if len(text) <= _VALUE_AT_MOST else text[:_VALUE_AT_MOST] + "…"
