"""What each client did, how it went and how long it took: the table at the end of `make clients`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One action of a client."""

    client: str
    version: str
    action: str
    place: str
    result: str
    seconds: float


ROWS: list[Row] = []


@contextmanager
def step(client: str, version: str, action: str, place: str) -> Iterator[None]:
    """Do an action, and write down its result and its time."""
    begin, result = time.monotonic(), "failed"
    try:
        yield
        result = "passed"
    finally:
        ROWS.append(Row(client, version, action, place, result, time.monotonic() - begin))


def table(rows: list[Row]) -> list[str]:
    """Return the lines of a Markdown table: an action a line, with its seconds in each place."""
    places = sorted({row.place for row in rows})
    lines = [f"| client | version | action | {' | '.join(places)} |", "|---|---|---|" + "---|" * len(places)]
    for client, version, action in dict.fromkeys((row.client, row.version, row.action) for row in rows):
        of_action = [row for row in rows if (row.client, row.action) == (client, action)]
        cells = [_cell([row for row in of_action if row.place == place]) for place in places]
        lines.append(f"| {client} | {version} | {action} | {' | '.join(cells)} |")
    return lines


def _cell(rows: list[Row]) -> str:
    if not rows:
        return ""
    failed = any(row.result != "passed" for row in rows)
    return "failed" if failed else f"{sum(row.seconds for row in rows):.1f} s"
