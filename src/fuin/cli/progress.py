"""Bars that show how far a command is, on standard error if that is a terminal."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Bars:
    """The progress of each stage; without a terminal it shows nothing."""

    def __init__(self, bars: Progress | None) -> None:
        self._bars = bars

    @property
    def are_shown(self) -> bool:
        """Return whether there is a terminal to show them."""
        return self._bars is not None

    def begin(self, title: str, total: int, *, is_bytes: bool = False) -> Callable[[int], None]:
        """Begin a stage; without a total it shows only that it goes on. The result takes how much of it was done."""
        bars = self._bars
        if bars is None:
            return lambda _: None
        task = bars.add_task(f"{title} (bytes)" if is_bytes else title, total=total or None)
        return lambda count: bars.advance(task, count)


@contextlib.contextmanager
def progress_bars() -> Iterator[Bars]:
    """Show the bars until the block ends."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield Bars(None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        yield Bars(bars)
