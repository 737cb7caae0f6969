"""The history notes each operation with its times, its outcome, and from any thread."""

import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cluster import history
from tests.cluster.history import History, Outcome
from tests.cluster.registers import outcome_of


def test_outcomes_are_recorded() -> None:
    """Each end of an operation is its outcome; a read has the value that it got."""
    recorded = History()
    with recorded.record("a", "read", "x") as pending:
        pending.succeed("1")
    with recorded.record("a", "write", "x", "2") as pending:
        pending.succeed()
    with recorded.record("a", "compare-and-set", "x", "3", expected="1") as pending:
        pending.mismatch()
    with recorded.record("a", "write", "x", "4") as pending:
        pending.fail()
    seen = [(one.kind, one.value, one.outcome) for one in recorded.operations()]
    assert seen == [
        ("read", "1", Outcome.OK),
        ("write", "2", Outcome.OK),
        ("compare-and-set", "3", Outcome.MISMATCH),
        ("write", "4", Outcome.FAIL),
    ]
    assert all(one.sent < one.answered == one.end for one in recorded.operations())


def test_silence_and_errors_are_unknown() -> None:
    """An operation whose client said nothing, failed, or is still waiting may have taken effect at any time."""
    recorded = History()

    def fail() -> None:
        with recorded.record("a", "write", "x", "2"):
            raise ConnectionResetError

    with recorded.record("a", "write", "x", "1"):
        pass
    with pytest.raises(ConnectionResetError):
        fail()
    with recorded.record("a", "write", "x", "3"):
        outcomes = [(one.value, one.outcome, one.end) for one in recorded.operations()]
    assert outcomes == [(value, Outcome.UNKNOWN, float("inf")) for value in "123"]


def test_threads_lose_nothing() -> None:
    """Eight threads record 200 operations each, and all are there in order."""
    recorded = History()

    def work(client: str) -> None:
        for number in range(200):
            with recorded.record(client, "write", "x", f"{client}{number}") as pending:
                pending.succeed()

    threads = [threading.Thread(target=work, args=(client,)) for client in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = recorded.operations()
    assert len({one.value for one in found}) == 1600
    assert [one.sent for one in found] == sorted(one.sent for one in found)


def test_files_of_processes_are_joined(tmp_path: Path) -> None:
    """The files of two processes are one history, as it was recorded."""
    first, second = History(), History()
    with first.record("a", "write", "b/x", "1") as pending:
        pending.succeed()
    with second.record("b", "list", "b", expected="x") as pending:
        pending.succeed((("x", "1"),))
    with first.record("a", "write", "b/x"):
        pass
    first.write(tmp_path / "first")
    second.write(tmp_path / "second")
    joined = history.read(tmp_path / "first", tmp_path / "second").operations()
    one, last = first.operations()
    assert joined == [one, *second.operations(), last]


@pytest.mark.parametrize(("status", "outcome"), [(400, Outcome.FAIL), (500, Outcome.UNKNOWN), (503, Outcome.UNKNOWN)])
def test_errors_of_a_server_leave_the_outcome_of_a_write_open(status: int, outcome: Outcome) -> None:
    """A 503 comes also when the answer to a COMMIT was lost."""
    recorded = History()
    answer: Any = {"Error": {"Code": "x"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    with recorded.record("a", "write", "x", "2") as pending, outcome_of(pending):
        raise ClientError(answer, "CreateKey")
    assert [one.outcome for one in recorded.operations()] == [outcome]
