"""Rules that a history must obey, each checked in one pass over what it is about.

They need no search, so that histories of any length can be checked: a right that was taken away, and lists.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import TYPE_CHECKING

from tests.cluster.history import SECOND, by_subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.cluster.history import Operation


@dataclass(frozen=True)
class Broken:
    """A rule that was broken: by which operation, after which earlier one."""

    rule: str
    operation: Operation
    after: Operation | None

    def __str__(self) -> str:
        after = f"\n  after {self.after}" if self.after else ""
        return f"{self.rule}: {self.operation}{after}"


@dataclass(frozen=True)
class Honoured:
    """The longest time that a use of a right which had been revoked still succeeded, in seconds.

    Counted to the sending of the use: from the sending of the revocation, and from its answer. The second is negative
    when no use that was sent after an answer succeeded; both are None when no use followed a revocation.
    """

    since_sent: float | None
    since_answered: float | None


def check_revocations(operations: Iterable[Operation], allowance: float = 0.0) -> list[Broken]:
    """Return the uses that succeeded though their right had been revoked, and had not been granted again.

    A use counts when it was sent more than `allowance` seconds after a revocation had been answered.
    """
    late = int(allowance * SECOND)
    return [
        Broken("a revoked right was honoured", use, revocation)
        for use, _, revocation in _unexplained_uses(operations)
        if use.sent > revocation.answered + late
    ]


def measure_honoured(operations: Iterable[Operation]) -> Honoured:
    """Return for how long revoked rights were honoured at most."""
    uses = list(_unexplained_uses(operations))
    return Honoured(
        max(((use.sent - first.sent) / SECOND for use, first, _ in uses), default=None),
        max(((use.sent - answered.answered) / SECOND for use, _, answered in uses), default=None),
    )


def _unexplained_uses(operations: Iterable[Operation]) -> Iterator[tuple[Operation, Operation, Operation]]:
    """Yield each use that succeeded after revocations which no grant undoes: the first one sent, the first answered.

    A grant undoes a revocation for a use if it may have taken effect after the revocation was sent and before the use
    was answered: of two operations that are under way at the same time either one may have been the later one.
    """
    for group in by_subject(operations, "grant", "revoke", "use").values():
        revocations = [one for one in group if one.kind == "revoke" and one.succeeded]
        revocations.sort(key=lambda one: one.sent)
        grants = sorted((one for one in group if one.kind == "grant" and one.possible), key=lambda one: one.sent)
        latest_end = list(accumulate((grant.end for grant in grants), max, initial=-inf))
        for use in group:
            if use.kind != "use" or not use.succeeded:
                continue
            undone_to = latest_end[bisect_right(grants, use.answered, key=lambda one: one.sent)]
            first = bisect_right(revocations, undone_to, key=lambda one: one.sent)
            last = bisect_left(revocations, use.sent, key=lambda one: one.sent)
            if first < last:
                answered = min(revocations[first:last], key=lambda one: one.answered)
                yield use, revocations[first], answered


def check_lists(operations: Iterable[Operation], initial: Iterable[tuple[str, str]] = ()) -> list[Broken]:
    """Return the lists that do not show what had been written, or that show what cannot have been there.

    A list is a read of each name that has its prefix, at some time of its own while the list was under way. Registers
    are named BUCKET/NAME; `initial` are those that existed before the history, with their values.
    """
    ordered = sorted(operations, key=lambda one: one.sent)
    writes = by_subject((one for one in ordered if one.possible), "write", "compare-and-set")
    before = dict(initial)
    registers = sorted({*writes, *before})
    return [
        broken
        for listed in ordered
        if listed.kind == "list" and listed.succeeded
        for broken in _check_list(listed, writes, registers, before)
    ]


def _check_list(
    listed: Operation, writes: dict[str, list[Operation]], registers: list[str], before: dict[str, str]
) -> Iterator[Broken]:
    pairs = listed.value if isinstance(listed.value, tuple) else ()
    shown = {f"{listed.subject}/{name}": value for name, value in pairs}
    start = f"{listed.subject}/{listed.expected or ''}"
    within = (name for name in registers[bisect_left(registers, start) :] if name.startswith(start))
    if len(shown) < len(pairs):
        yield Broken("a list shows a name twice", listed, None)
    for register in {*within, *shown}:
        value, own = shown.get(register), writes.get(register, [])
        sources = [one for one in own if one.value == value and one.sent <= listed.answered]
        overwriting = [one for one in own if one.succeeded and one.answered < listed.sent]
        latest = max(overwriting, key=lambda one: one.sent, default=None)
        was_there = before.get(register) == value
        if latest is None:
            if not was_there and not sources:
                yield Broken(f"a list shows {register} as {value!r}, which nobody had written", listed, None)
        elif not any(one.end >= latest.sent for one in sources):
            rule = "a list does not show what was written" if value is None else "a list shows what was replaced"
            yield Broken(f"{rule}, {register}", listed, latest)
