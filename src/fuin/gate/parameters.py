"""Request parameters as the audit record holds them: as they are, or as a note if they are long.

`drafts.py` bounds records, whatever they hold; the notes keep long parameters from being repeated in each record.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuin.formats import notes

if TYPE_CHECKING:
    from fuin.formats.notes import Note

AT_MOST = 8192  # characters of a text
TOGETHER_AT_MOST = 32 * 1024  # bytes of the JSON of a list or a map


def text(value: str) -> str | Note:
    """Return the text itself if it is short enough for a record, else its note."""
    return value if len(value) <= AT_MOST else notes.text_note(value)


def members(given: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters, with a note in place of each long list or map; their texts must be short already."""
    return {name: _whole_or_note(value) for name, value in given.items()}


def _whole_or_note(value: Any) -> Any:
    if not isinstance(value, list | dict) or notes.size(value) <= TOGETHER_AT_MOST:
        return value
    return notes.json_note(value)
