"""Token buckets."""

import pytest

from fuin.gate.throttle import ConcurrencyLimit, Throttle, Throttled

ME, YOU = ("123456789012", "us-east-1"), ("123456789012", "eu-west-1")


def taken(throttle: Throttle, name: str, who: tuple[str, ...], now: float, most: int = 100) -> int:
    """Return how many requests are admitted at a moment."""
    for number in range(most):
        try:
            throttle.take(name, who, now)
        except Throttled:
            return number
    return most


def test_bucket_holds_a_second_and_fills_again() -> None:
    """A rate of ten admits ten at once, and then one each tenth of a second, never more than ten."""
    throttle = Throttle({"a": 10})
    assert taken(throttle, "a", ME, 1000.0) == 10
    assert taken(throttle, "a", ME, 1000.0) == 0
    assert taken(throttle, "a", ME, 1000.35) == 3
    assert taken(throttle, "a", ME, 2000.0) == 10


def test_buckets_are_apart() -> None:
    """Each Region, and each name, is counted alone; what has no rate is not counted."""
    throttle = Throttle({"a": 2, "b": 3})
    assert [taken(throttle, name, who, 1.0) for name, who in (("a", ME), ("a", YOU), ("b", ME))] == [2, 2, 3]
    assert taken(throttle, "c", ME, 1.0) == 100


def test_rates_below_one() -> None:
    """A slow rate still lets one request through, and then one in its time."""
    throttle = Throttle({"a": 0.5})
    assert taken(throttle, "a", ME, 1.0) == 1
    assert taken(throttle, "a", ME, 2.9) == 0
    assert taken(throttle, "a", ME, 5.1) == 1


def test_processes_share_a_rate() -> None:
    """Of two processes each admits half."""
    assert taken(Throttle({"a": 10}, 2), "a", ME, 1.0) == 5
    assert taken(Throttle({"a": 1}, 4), "a", ME, 1.0) == 1


def test_several_tokens_at_once() -> None:
    """A request that counts twice takes two, and passes a bucket that is full even if it holds one."""
    throttle = Throttle({"a": 1})
    throttle.take("a", ME, 1.0, 2.0)
    with pytest.raises(Throttled):
        throttle.take("a", ME, 1.5, 2.0)
    throttle.take("a", ME, 3.0, 2.0)


def test_clock_that_goes_back() -> None:
    """A clock that is set back gives and takes nothing."""
    throttle = Throttle({"a": 2})
    throttle.take("a", ME, 1000.0)
    assert taken(throttle, "a", ME, 10.0) == 1


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names more Regions than there is room for starts anew."""
    monkeypatch.setattr("fuin.gate.throttle._BUCKETS_AT_MOST", 3)
    throttle = Throttle({"a": 1})
    for number in range(10):
        throttle.take("a", (str(number),), 1.0)
    assert len(throttle._buckets) <= 3


def test_shares() -> None:
    """Nobody has more than a share under way, each has one of their own, and what has ended, or failed, makes room."""
    shares = ConcurrencyLimit(2)
    with shares.slot("me"), shares.slot("me"), shares.slot("you"), pytest.raises(Throttled), shares.slot("me"):
        raise AssertionError("a third one was let in")
    with pytest.raises(ValueError, match="failed"), shares.slot("me"), shares.slot("me"):
        raise ValueError("failed")
    with shares.slot("me"), shares.slot("me"):
        pass
