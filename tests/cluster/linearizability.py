"""Whether what clients saw of a register can have happened one operation after the other.

The search is Wing and Gong's ("Testing and verifying concurrent objects", 1993) with a memory of the states that led
nowhere (Lowe, "Testing for linearizability", 2017). A state is which operations are done, and the value. It is fast for
up to about 200 operations of one register, and exponential at its worst: use many small registers, write each value
once, and keep unknown outcomes few.

Under leases a key's registers are weaker by a stated lag (docs/decisions/0020): while a write is under way one node may
show the new value and then another one the old value. Reads are ordered among writes, and not among each other; and
a write counts as done at the latest when the lag has passed since somebody saw its value.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

from tests.cluster.history import SECOND, Operation, Outcome, Value, by_subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

KINDS = ("read", "write", "compare-and-set")
MOST_STATES = 1_000_000  # about 20 s


class UndecidedError(Exception):
    """The search took too many states: neither right nor wrong was found."""


@dataclass(frozen=True)
class Violation:
    """A register whose history no order explains: the longest order that was found stops before `stuck`."""

    register: str
    placed: int
    value: Value
    stuck: tuple[Operation, ...]

    def __str__(self) -> str:
        lines = "".join(f"\n  {operation}" for operation in self.stuck)
        return f"{self.register}: after {self.placed} operations its value is {self.value!r}; no order goes on:{lines}"


def check_registers(operations: Iterable[Operation], initial: Value = None) -> list[Violation]:
    """Return the registers that are not linearizable; every one holds `initial` at first."""
    groups = by_subject(operations, *KINDS)
    found = (check_register(register, group, initial) for register, group in groups.items())
    return [violation for violation in found if violation is not None]


def check_register(
    register: str, operations: Sequence[Operation], initial: Value = None, lag: float = 0.0
) -> Violation | None:
    """Return None if some order of the operations explains all answers, else the violation.

    With a `lag`, in seconds, readers may differ for so long while a write is under way.
    """
    shown = _with_ends(operations, lag) if lag else operations
    relevant = sorted(_relevant(shown), key=lambda operation: operation.sent)
    required = sum(1 << place for place, one in enumerate(relevant) if one.outcome is not Outcome.UNKNOWN)
    stack, seen = [(0, initial)], {(0, initial)}
    furthest = (0, initial)
    while stack:
        done, value = stack.pop()
        done = _with_observations(relevant, done, value, lag)
        if done & required == required:
            return None
        if (done & required).bit_count() >= (furthest[0] & required).bit_count():
            furthest = (done, value)
        for place in _candidates(relevant, done, lag):
            one = relevant[place]
            state = (done | 1 << place, one.value)
            if _writes(one) and _is_explained(one, value) and state not in seen:
                seen.add(state)
                stack.append(state)
        if len(seen) > MOST_STATES:
            raise UndecidedError(f"{register}: {len(relevant)} operations")
    done, value = furthest
    stuck = tuple(relevant[place] for place in _candidates(relevant, done, lag))
    return Violation(register, done.bit_count(), value, stuck)


def _relevant(operations: Sequence[Operation]) -> Iterator[Operation]:
    """Yield what has to be ordered: not what had no effect, nor an unknown write that nobody can have seen."""
    observed = {one.value for one in operations if one.kind == "read" and one.succeeded}
    observed |= {one.expected for one in operations if one.kind == "compare-and-set"}
    anything = any(one.outcome is Outcome.MISMATCH for one in operations)
    for one in operations:
        if one.outcome is Outcome.FAIL or (one.outcome is Outcome.UNKNOWN and one.kind == "read"):
            continue
        if one.outcome is not Outcome.UNKNOWN or anything or one.value in observed:
            yield one


def _with_ends(operations: Sequence[Operation], lag: float) -> list[Operation]:
    """Return the operations; each write that was seen has ended when the lag has passed since then, if not before."""
    seen: dict[Value, float] = {}
    for one in operations:
        if one.kind == "read" and one.succeeded:
            seen[one.value] = min(seen.get(one.value, inf), one.answered)
    late = int(lag * SECOND)
    return [
        replace(one, answered=int(min(one.end, seen[one.value] + late)), outcome=Outcome.OK)
        if _writes(one) and one.possible and one.value is not None and one.value in seen
        else one
        for one in operations
    ]


def _candidates(relevant: list[Operation], done: int, lag: float) -> list[int]:
    """Return the places of the operations that can be next: sent before any open one had ended.

    With a lag it is enough for a read that no open write had ended: it may come before a read that was earlier.
    """
    places, first_end, first_write_end = [], inf, inf
    for place, one in enumerate(relevant):
        if one.sent > (first_write_end if lag else first_end):
            break
        if not done >> place & 1:
            if one.sent <= first_end or one.kind == "read":
                places.append(place)
            first_end = min(first_end, one.end)
            if one.kind != "read":
                first_write_end = min(first_write_end, one.end)
    return places


def _with_observations(relevant: list[Operation], done: int, value: Value, lag: float) -> int:
    """Return `done` with all operations that only observe, can be next, and are explained by the value.

    They change nothing, so that it never helps to place them later.
    """
    before = -1
    while before != done:
        before = done
        for place in _candidates(relevant, done, lag):
            one = relevant[place]
            if not _writes(one) and _is_explained(one, value):
                done |= 1 << place
    return done


def _writes(one: Operation) -> bool:
    return one.kind != "read" and one.outcome is not Outcome.MISMATCH


def _is_explained(one: Operation, value: Value) -> bool:
    """Return whether an operation can have had its answer while the register had this value."""
    if one.kind == "read":
        return one.value == value
    if one.outcome is Outcome.MISMATCH:
        return one.expected != value
    return one.kind == "write" or one.expected == value
