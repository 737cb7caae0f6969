"""Whole numbers in what clients send."""

from __future__ import annotations


def whole_number(text: str, least: int, most: int) -> int | None:
    """Return the number that a text is in decimal ASCII digits, or None when it is none between `least` and `most`.

    The length is looked at before the conversion: `int` refuses thousands of digits, and takes digits of other
    scripts, some of which `str.isdigit` counts as digits and `int` does not.
    """
    if not text or len(text) > len(str(most)) or not (text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if least <= number <= most else None
