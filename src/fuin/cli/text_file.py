"""Reading of the text in a file that a command was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.errors import FuinError

if TYPE_CHECKING:
    from pathlib import Path


def read_text(file: Path) -> str:
    """Return the text; raises OSError, and FuinError for a file that is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise FuinError(f"{file} is not a text in UTF-8") from None
