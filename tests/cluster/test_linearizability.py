"""The register checker takes histories that some order explains, and catches each kind of wrong one."""

import random

import pytest

from tests.cluster.history import SECOND, Operation, Outcome, Value
from tests.cluster.linearizability import check_register, check_registers

OK, FAIL, MISMATCH, UNKNOWN = Outcome.OK, Outcome.FAIL, Outcome.MISMATCH, Outcome.UNKNOWN


def read(sent: int, answered: int, value: Value, outcome: Outcome = OK) -> Operation:
    """Return a read."""
    return Operation("c", "read", "x", sent, answered, outcome, value)


def write(sent: int, answered: int, value: str | None, outcome: Outcome = OK) -> Operation:
    """Return a write, or for None a deletion."""
    return Operation("c", "write", "x", sent, answered, outcome, value)


def swap(sent: int, answered: int, expected: str | None, value: str | None, outcome: Outcome = OK) -> Operation:
    """Return a compare-and-set."""
    return Operation("c", "compare-and-set", "x", sent, answered, outcome, value, expected)


RIGHT = {
    "nothing was written": [read(1, 2, None)],
    "one after the other": [write(1, 2, "a"), read(3, 4, "a"), write(5, 6, None), read(7, 8, None)],
    "a read beside a write sees the new value": [write(1, 9, "a"), read(2, 3, "a"), read(4, 5, "a")],
    "a read beside a write sees the old value": [write(1, 9, "a"), read(2, 3, None), read(4, 5, "a")],
    "two writes at once, in either order": [write(1, 9, "a"), write(2, 8, "b"), read(10, 11, "a")],
    "an unknown write that was seen": [write(1, 2, "a", UNKNOWN), read(50, 51, None), read(60, 61, "a")],
    "an unknown write that never came": [write(1, 2, "a", UNKNOWN), read(50, 51, None), read(60, 61, None)],
    "a failed write is not seen": [write(1, 2, "a", FAIL), read(3, 4, None)],
    "conditional writes": [
        swap(1, 2, None, "a"), swap(3, 4, None, "b", MISMATCH), swap(5, 6, "a", "c"), read(7, 8, "c")
    ],
    "one of two conditional writes": [swap(1, 9, None, "a"), swap(2, 8, None, "b", MISMATCH), read(10, 11, "a")],
    "an unknown write explains a mismatch": [write(1, 2, "a", UNKNOWN), swap(3, 4, None, "b", MISMATCH)],
    "an unknown conditional write": [write(1, 2, "a"), swap(3, 4, "a", "b", UNKNOWN), read(5, 6, "a"), read(7, 8, "b")],
    "a read without an answer": [write(1, 2, "a"), read(3, 4, "nonsense", UNKNOWN)],
}  # fmt: skip
WRONG = {
    "a read of what nobody wrote": [read(1, 2, "a")],
    "a read before the write was sent": [read(1, 2, "a"), write(3, 4, "a")],
    "a stale read": [write(1, 2, "a"), write(3, 4, "b"), read(5, 6, "a")],
    "a lost write": [write(1, 2, "a"), read(3, 4, None)],
    "time goes back for readers": [write(1, 20, "a"), read(2, 3, "a"), read(4, 5, None)],
    "an unknown write is seen, then not": [write(1, 2, "a", UNKNOWN), read(3, 4, "a"), read(5, 6, None)],
    "a failed write is seen": [write(1, 2, "a", FAIL), read(3, 4, "a")],
    "a deleted value comes back": [write(1, 2, "a"), write(3, 4, None), read(5, 6, "a")],
    "both of two conditional writes": [swap(1, 9, None, "a"), swap(2, 8, None, "b")],
    "a conditional write on a wrong value": [write(1, 2, "a"), swap(3, 4, "b", "c")],
    "a mismatch though the value was the expected one": [write(1, 2, "a"), swap(3, 4, "a", "b", MISMATCH)],
    "a mismatch that was done": [write(1, 2, "a"), swap(3, 9, "z", "b", MISMATCH), read(10, 11, "b")],
    "an unknown conditional write without its value": [swap(1, 2, "z", "b", UNKNOWN), read(3, 4, "b")],
    "two readers see two writes in two orders": [
        write(1, 2, "0"), write(3, 20, "a"), write(4, 20, "b"),
        read(5, 6, "a"), read(7, 8, "b"), read(9, 10, "a"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_right_history_is_taken(name: str) -> None:
    """Some order explains all answers."""
    assert check_register("x", RIGHT[name]) is None


@pytest.mark.parametrize("name", WRONG)
def test_wrong_history_is_caught(name: str) -> None:
    """No order explains all answers, and the violation names the register."""
    violation = check_register("x", WRONG[name])
    assert violation is not None
    assert violation.stuck
    assert str(violation).startswith("x: after")


def test_registers_are_apart() -> None:
    """A wrong register is found among right ones; other kinds of operations are none of the checker's."""
    other = [Operation("c", "write", "y", 1, 2, OK, "a"), Operation("c", "read", "y", 3, 4, OK, None)]
    use = Operation("c", "use", "x", 3, 4, OK, "zzz")
    assert [violation.register for violation in check_registers([*RIGHT["conditional writes"], use, *other])] == ["y"]


def test_initial_value_counts() -> None:
    """A register may hold something before the history begins."""
    assert check_register("x", [read(1, 2, "old")], "old") is None
    assert check_register("x", [read(1, 2, None)], "old") is not None


LAG = 10  # ticks
ONLY_WITH_LAG = {
    "one node shows the new value, then another one the old value": WRONG["time goes back for readers"],
    "two readers see two writes in two orders": WRONG["two readers see two writes in two orders"],
    "an unknown write is seen, then not": WRONG["an unknown write is seen, then not"],
}
WRONG_WITH_LAG = {name: history for name, history in WRONG.items() if history not in ONLY_WITH_LAG.values()} | {
    "the old value when the lag has passed": [write(1, 90, "a"), read(2, 3, "a"), read(14, 15, None)],
    "a write that was seen is lost": [write(1, 2, "a", UNKNOWN), read(3, 4, "a"), read(15, 16, None)],
    "the new value, and then a later write's before it was sent": [
        write(1, 9, "a"), read(2, 3, "b"), write(4, 9, "b"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", [*RIGHT, *ONLY_WITH_LAG])
def test_history_that_is_right_with_a_lag_is_taken(name: str) -> None:
    """Nodes may differ for a while, as long as the write is not answered."""
    assert check_register("x", (RIGHT | ONLY_WITH_LAG)[name], lag=LAG / SECOND) is None


@pytest.mark.parametrize("name", WRONG_WITH_LAG)
def test_history_that_is_wrong_with_a_lag_is_caught(name: str) -> None:
    """A lag excuses nothing else: an answered write is seen by all, and so is one that was seen, after the lag."""
    assert check_register("x", WRONG_WITH_LAG[name], lag=LAG / SECOND) is not None


def simulate_nodes(seed: int, wait: float = 1.0) -> list[Operation]:
    """Return a history of three nodes that show a write up to 40 ticks late; it is answered when all of them do.

    With a smaller `wait` it is answered when that part of the time has passed.
    """
    choice, made = random.Random(seed), [write(1, 2, "0")]
    shown: list[list[tuple[int, str]]] = [[(0, "0")] for _ in range(3)]  # of each node: from when, which value
    moment = 10
    for number in range(1, 30):
        sent, moment = moment, moment + choice.randint(1, 10)
        late = [choice.randint(0, 40) for _ in shown]
        for values, delay in zip(shown, late, strict=True):
            values.append((moment + delay, f"{number}"))
        answered = moment + int(max(late) * wait) + 1
        made.append(write(sent, answered, f"{number}"))
        moment = answered + choice.randint(1, 20)
    for time in range(10, moment, 3):
        values = choice.choice(shown)
        answered = time + choice.randint(1, 20)
        seen = choice.randint(time, answered)
        made.append(read(time, answered, next(value for begin, value in reversed(values) if begin <= seen)))
    return made


@pytest.mark.parametrize("seed", range(10))
def test_random_histories_of_nodes(seed: int) -> None:
    """They are right with the lag that they have, wrong without one, and wrong if an answer comes too early."""
    operations = simulate_nodes(seed)
    assert check_register("x", operations, lag=41 / SECOND) is None
    assert check_register("x", operations) is not None
    assert check_register("x", operations, lag=3 / SECOND) is not None
    assert check_register("x", simulate_nodes(seed, wait=0.3), lag=41 / SECOND) is not None


def simulate(seed: int, count: int = 200, clients: int = 8) -> list[Operation]:
    """Return a random history of a real register: each operation takes effect at one moment, if at all."""
    choice = random.Random(seed)
    free = [0] * clients
    planned = []
    for number in range(count):
        client = min(range(clients), key=free.__getitem__)
        sent = free[client] + choice.randint(1, 30)
        moment, answered = (sent + extra for extra in sorted(choice.sample(range(1, 100), 2)))
        free[client] = answered
        planned.append((moment, sent, answered, number, client))
    value: str | None = None
    made = []
    for _moment, sent, answered, number, client in sorted(planned):
        kind = choice.choice(["read", "read", "write", "compare-and-set"])
        outcome, result, expected = OK, f"{number}", None
        lost = choice.random()
        if kind == "read":
            result = value or ""
        elif kind == "compare-and-set":
            expected = value if choice.random() < 0.7 else "another"
            outcome = OK if expected == value else MISMATCH
        made.append(
            Operation(f"{client}", kind, "x", sent, answered, UNKNOWN if lost < 0.03 else outcome,
                      result or None, expected)
        )  # fmt: skip
        if kind != "read" and outcome is OK and lost > 0.01:
            value = f"{number}"
    return made


@pytest.mark.parametrize("seed", range(20))
def test_random_histories(seed: int) -> None:
    """200 operations of 8 clients on a real register are right; with one read made stale they are wrong."""
    operations = simulate(seed)
    assert check_register("x", operations) is None
    reads = [one for one in operations if one.kind == "read" and one.succeeded and one.sent > 500]
    first = next(one for one in operations if one.kind == "write" and one.succeeded)
    later = [one for one in operations if one.kind == "write" and one.succeeded and one.sent > first.answered]
    stale = next(one for one in reversed(reads) if any(other.answered < one.sent for other in later))
    wrong = [read(stale.sent, stale.answered, first.value) if one is stale else one for one in operations]
    assert check_register("x", wrong) is not None
