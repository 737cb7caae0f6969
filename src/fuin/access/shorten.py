"""Short forms of texts and lists for sentences: policies and requests may hold long ones."""

from collections.abc import Sequence

_LISTED_AT_MOST = 4
_VALUE_AT_MOST = 120


def shorten_list(items: Sequence[str]) -> str:
    """Return the first few items as text, and the number of the others."""
    shown = ", ".join(shorten(item) for item in items[:_LISTED_AT_MOST])
    more = len(items) - _LISTED_AT_MOST
    return f"{shown} and {more} more" if more > 0 else shown


def shorten(text: str) -> str:
    """Return a text, cut if it is too long for a sentence."""
    return text if len(text) <= _VALUE_AT_MOST else text[:_VALUE_AT_MOST] + "…"
