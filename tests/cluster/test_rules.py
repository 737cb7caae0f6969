"""The rules take what is right and catch each way of breaking them."""

import pytest

from tests.cluster.history import Operation, Outcome
from tests.cluster.rules import check_lists, check_revocations, measure_honoured

OK, FAIL, MISMATCH, UNKNOWN = Outcome.OK, Outcome.FAIL, Outcome.MISMATCH, Outcome.UNKNOWN
SECOND = 1_000_000_000


def right(kind: str, sent: float, answered: float, outcome: Outcome = OK, name: str = "r") -> Operation:
    """Return an operation on a right; times are in seconds."""
    return Operation("c", kind, name, int(sent * SECOND), int(answered * SECOND), outcome)


GRANT, REVOKE = right("grant", 0, 1), right("revoke", 10, 11)
OBEYED = {
    "a use before": [GRANT, right("use", 5, 6), REVOKE],
    "a use that was sent before the answer": [GRANT, REVOKE, right("use", 10.9, 30)],
    "a refused use": [GRANT, REVOKE, right("use", 12, 13, FAIL)],
    "a use without an answer": [GRANT, REVOKE, right("use", 12, 13, UNKNOWN)],
    "granted again": [GRANT, REVOKE, right("grant", 12, 13), right("use", 14, 15)],
    "perhaps granted again": [GRANT, REVOKE, right("grant", 12, 13, UNKNOWN), right("use", 14, 15)],
    "an earlier grant that may come late": [GRANT, right("grant", 2, 3, UNKNOWN), REVOKE, right("use", 14, 15)],
    "granted while it was revoked": [GRANT, REVOKE, right("grant", 9, 10.5), right("use", 14, 15)],
    "granted while it was used": [GRANT, REVOKE, right("use", 12, 15), right("grant", 14, 20)],
    "an unknown revocation": [GRANT, right("revoke", 10, 11, UNKNOWN), right("use", 12, 13)],
    "a failed revocation": [GRANT, right("revoke", 10, 11, FAIL), right("use", 12, 13)],
    "another right": [GRANT, REVOKE, right("use", 12, 13, name="other")],
}
HONOURED = {
    "a use after": [GRANT, REVOKE, right("use", 11.1, 12)],
    "a use long after": [GRANT, REVOKE, right("use", 12, 13, FAIL), right("use", 9000, 9001)],
    "a grant that failed": [GRANT, REVOKE, right("grant", 12, 13, FAIL), right("use", 14, 15)],
    "a grant that was sent after the use": [GRANT, REVOKE, right("use", 12, 13), right("grant", 14, 15)],
    "revoked, granted, and revoked again": [
        GRANT, REVOKE, right("grant", 12, 13), right("revoke", 14, 15), right("use", 16, 17)
    ],
    "while it is revoked a second time": [GRANT, REVOKE, right("revoke", 12, 30), right("use", 15, 16)],
}  # fmt: skip


@pytest.mark.parametrize("name", OBEYED)
def test_obeyed_revocation_is_taken(name: str) -> None:
    """No use is wrong."""
    assert check_revocations(OBEYED[name]) == []


@pytest.mark.parametrize("name", HONOURED)
def test_honoured_right_is_caught(name: str) -> None:
    """The use is named, with a revocation that was answered before it was sent."""
    (broken,) = check_revocations(HONOURED[name])
    assert broken.operation.kind == "use"
    assert broken.after is not None
    assert broken.after.answered < broken.operation.sent


def test_allowance_is_counted_from_the_answer() -> None:
    """Within the allowance a use may still succeed; after it not."""
    operations = [GRANT, REVOKE, right("use", 11.9, 12), right("use", 12.1, 13)]
    assert [broken.operation.sent for broken in check_revocations(operations, 1.0)] == [int(12.1 * SECOND)]
    assert len(check_revocations(operations)) == 2


def test_honoured_time_is_measured() -> None:
    """The longest time is that of the last use which succeeded after the revocation was sent."""
    operations = [GRANT, REVOKE, right("use", 10.25, 10.3), right("use", 10.75, 12), right("use", 13, 14, FAIL)]
    measured = measure_honoured(operations)
    assert (measured.since_sent, measured.since_answered) == (0.75, -0.25)
    later = measure_honoured([*operations, right("use", 11.5, 12)])
    assert (later.since_sent, later.since_answered) == (1.5, 0.5)
    nothing = measure_honoured([GRANT, right("use", 5, 6), REVOKE])
    assert (nothing.since_sent, nothing.since_answered) == (None, None)


def put(name: str, sent: int, answered: int, value: str | None, outcome: Outcome = OK) -> Operation:
    """Return a write of an object, or for None its deletion."""
    return Operation("c", "write", f"b/{name}", sent, answered, outcome, value)


def listing(sent: int, answered: int, *shown: tuple[str, str], prefix: str = "", bucket: str = "b") -> Operation:
    """Return a list of a bucket."""
    return Operation("c", "list", bucket, sent, answered, OK, shown, prefix)


PUT, DELETE = put("n", 1, 2, "e"), put("n", 3, 4, None)
COMPLETE = {
    "written before": [PUT, listing(3, 4, ("n", "e"))],
    "written meanwhile, seen": [put("n", 1, 9, "e"), listing(3, 4, ("n", "e"))],
    "written meanwhile, not seen": [put("n", 1, 9, "e"), listing(3, 4)],
    "deleted before": [PUT, DELETE, listing(5, 6)],
    "deleted meanwhile": [PUT, put("n", 3, 9, None), listing(4, 6), listing(4, 6, ("n", "e"))],
    "perhaps deleted": [PUT, put("n", 3, 4, None, UNKNOWN), listing(50, 60), listing(70, 80, ("n", "e"))],
    "replaced": [PUT, put("n", 3, 4, "f"), listing(5, 6, ("n", "f"))],
    "two at once, the first one last": [put("n", 1, 9, "e"), put("n", 2, 8, "f"), listing(10, 11, ("n", "e"))],
    "another prefix": [PUT, listing(3, 4, prefix="o")],
    "another bucket": [PUT, listing(3, 4, bucket="bb"), listing(3, 4, bucket="a")],
    "a failed write": [put("n", 1, 2, "e", FAIL), put("m", 1, 2, "e", MISMATCH), listing(3, 4)],
}
INCOMPLETE = {
    "not shown": [PUT, listing(3, 4)],
    "not shown under its prefix": [
        PUT, put("m", 1, 2, "e"), listing(3, 4, prefix="n"), listing(3, 4, ("m", "e"), ("n", "e"))
    ],
    "an old value": [PUT, put("n", 3, 4, "f"), listing(5, 6, ("n", "e"))],
    "deleted, yet shown": [PUT, DELETE, listing(5, 6, ("n", "e"))],
    "shown before it was written": [put("n", 5, 6, "e"), listing(1, 2, ("n", "e"))],
    "never written": [listing(1, 2, ("n", "e"))],
    "a failed write shown": [put("n", 1, 2, "e", FAIL), listing(3, 4, ("n", "e"))],
    "shown twice": [PUT, listing(3, 4, ("n", "e"), ("n", "e"))],
}  # fmt: skip


@pytest.mark.parametrize("name", COMPLETE)
def test_complete_list_is_taken(name: str) -> None:
    """The list shows what was there at some moment."""
    assert check_lists(COMPLETE[name]) == []


@pytest.mark.parametrize("name", INCOMPLETE)
def test_incomplete_list_is_caught(name: str) -> None:
    """Exactly the wrong list is named."""
    (broken,) = check_lists(INCOMPLETE[name])
    assert broken.operation.kind == "list"
    assert "a list " in str(broken)


def test_objects_of_earlier_count() -> None:
    """What existed before the history may be listed, and has to be until it is deleted."""
    old = [("b/n", "e")]
    assert check_lists([listing(1, 2, ("n", "e"))], old) == []
    assert len(check_lists([listing(1, 2)], old)) == 1
    assert check_lists([put("n", 1, 2, None), listing(3, 4)], old) == []
