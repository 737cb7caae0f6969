"""What commands print: tables, values with their names, and JSON. Names that others chose are escaped."""

from __future__ import annotations

import datetime
import json
import sys
from typing import TYPE_CHECKING, Any

import typer

from fuin.cli.terminal_escape import escape
from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def print_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows below their titles, in columns; numbers are flush right."""
    listed = [[_cell(value) for value in row] for row in rows]
    numbers = [bool(listed) and all(_is_number(row[index]) for row in listed) for index in range(len(titles))]
    widths = [max(map(len, column)) for column in zip(titles, *listed, strict=True)]
    for row in ([*titles], *listed):
        cells = [
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(row, widths, numbers, strict=True)
        ]
        typer.echo("  ".join(cells).rstrip())


def print_values(values: Mapping[str, object]) -> None:
    """Print each value after its name, on a line of its own."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        typer.echo(f"{name.ljust(width)}  {_cell(value)}".rstrip())


def print_json(value: object) -> None:
    """Print a value as JSON; times are in UTC."""
    typer.echo(json.dumps(value, indent=1, default=_json_value, ensure_ascii=not _is_utf8()))


def say(text: str) -> None:
    """Say on standard error that something was done, if a person is there to read it."""
    if sys.stderr.isatty():
        typer.echo(escape(text), err=True)


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something is lost; raises FuinError for no, and where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise FuinError(f"{escape(question)} There is no terminal to ask at: give --yes")
    if not typer.confirm(escape(question), err=True):
        raise FuinError("nothing was done")


def size_text(size: int) -> str:
    """Return a size for a person: 12.3 MiB."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{size} {_UNITS[0]}" if unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def time_text(value: Any) -> str:
    """Return a time of an answer in UTC, to the second; empty without one."""
    if not isinstance(value, datetime.datetime):
        return ""
    return value.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(time_text(value) or str(value))


def _is_number(text: str) -> bool:
    return text.replace(",", "").isdigit() or not text


def _json_value(value: object) -> object:
    return time_text(value) or (value.hex() if isinstance(value, bytes) else str(value))


def _is_utf8() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
