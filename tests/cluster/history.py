"""A history: what clients sent and got, in the order of one machine's clock, written down by many threads.

Times are nanoseconds of CLOCK_BOOTTIME, which all processes of a machine share and which no step of the wall clock
moves. Histories of several processes are joined by their files: one operation on each line.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SECOND = 1_000_000_000  # of the history's clock
Pairs = tuple[tuple[str, str], ...]  # names and values of a list, such as keys and ETags
Value = str | Pairs | None  # None: nothing is there


class Outcome(StrEnum):
    """The effect of an operation, as far as its client knows."""

    OK = "ok"
    FAIL = "fail"  # certainly without effect; says nothing about the value
    MISMATCH = "mismatch"  # without effect, because the value was not the expected one
    UNKNOWN = "unknown"  # perhaps done, perhaps still to be done, perhaps never


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a client.

    Kinds: `read`, `write` and `compare-and-set` of a register (`value` None deletes); `list` of a bucket, with the
    prefix in `expected` and the names with their values in `value`; `grant`, `revoke` and `use` of a right.
    """

    client: str
    kind: str
    subject: str
    sent: int
    answered: int
    outcome: Outcome = Outcome.OK
    value: Value = None
    expected: Value = None

    @property
    def end(self) -> float:
        """Return the latest time at which it can have taken effect."""
        return float("inf") if self.outcome is Outcome.UNKNOWN else self.answered

    @property
    def succeeded(self) -> bool:
        """Return whether it was certainly done."""
        return self.outcome is Outcome.OK

    @property
    def possible(self) -> bool:
        """Return whether it was done, or may have been done."""
        return self.outcome in {Outcome.OK, Outcome.UNKNOWN}


class Pending:
    """An operation under way; until its client says how it ended, its outcome is unknown."""

    def __init__(self) -> None:
        self.outcome = Outcome.UNKNOWN
        self.value: Value = None

    def succeed(self, value: Value = None) -> None:
        """Record that it was done; a read or a list gives its value."""
        self.outcome, self.value = Outcome.OK, value

    def fail(self) -> None:
        """Record that it certainly had no effect."""
        self.outcome = Outcome.FAIL

    def mismatch(self) -> None:
        """Record that it had no effect because the value was not the expected one."""
        self.outcome = Outcome.MISMATCH


class History:
    """All operations so far; any thread may record."""

    def __init__(self, operations: Iterable[Operation] = ()) -> None:
        self._lock = threading.Lock()
        self._done = list(operations)
        self._open: dict[int, Operation] = {}
        self._number = 0

    @contextlib.contextmanager
    def record(
        self, client: str, kind: str, subject: str, value: Value = None, expected: Value = None
    ) -> Iterator[Pending]:
        """Record one operation; without a word from the client, and after an error, its outcome is unknown."""
        with self._lock:
            self._number += 1
            number = self._number
            begun = Operation(client, kind, subject, now(), 0, Outcome.UNKNOWN, value, expected)
            self._open[number] = begun
        pending = Pending()
        try:
            yield pending
        finally:
            answered = now()
            seen = begun.value if pending.value is None else pending.value
            with self._lock:
                del self._open[number]
                self._done.append(replace(begun, answered=answered, outcome=pending.outcome, value=seen))

    def __len__(self) -> int:
        """Return the number of operations that have ended."""
        return len(self._done)

    def operations(self) -> list[Operation]:
        """Return the operations in the order in which they were sent; those under way are unknown."""
        with self._lock:
            under_way = [replace(operation, answered=now()) for operation in self._open.values()]
            return sorted([*self._done, *under_way], key=lambda operation: operation.sent)

    def write(self, path: Path) -> None:
        """Write all operations to a file, one on each line."""
        lines = [json.dumps(asdict(operation), separators=(",", ":")) for operation in self.operations()]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read(*paths: Path) -> History:
    """Return the history that the files of several processes of one machine make together."""
    texts = [path.read_text(encoding="utf-8") for path in paths]
    return History(_parse(line) for text in texts for line in text.splitlines())


def now() -> int:
    """Return the time of the history's clock."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def by_subject(operations: Iterable[Operation], *kinds: str) -> dict[str, list[Operation]]:
    """Return the operations of some kinds by their subject, in their order."""
    groups: dict[str, list[Operation]] = {}
    for operation in operations:
        if operation.kind in kinds:
            groups.setdefault(operation.subject, []).append(operation)
    return groups


def _parse(line: str) -> Operation:
    members = json.loads(line)
    if isinstance(members["value"], list):
        members["value"] = tuple((name, value) for name, value in members["value"])
    return Operation(**members | {"outcome": Outcome(members["outcome"])})
