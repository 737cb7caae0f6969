"""The keeper of bucket keys: bounded in number, time and use, wiped at every end, asked for by one at a time."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import pytest

from fuin.gate import bucket_keys
from fuin.gate.bucket_keys import AT_MOST, LIFETIME, WRAPS_AT_MOST, BucketKey, BucketKeys

ARN, MATERIAL, WIPED = "arn:aws:kms:us-east-1:123456789012:key/k", b"material", bytes(32)


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the seconds that were set."""
        return self.now


def new_key(arn: str = ARN, material: bytes = MATERIAL) -> BucketKey:
    """Return a bucket key with random plaintext."""
    return BucketKey(os.urandom(32), b"blob", arn, material)


def run(test: Callable[[BucketKeys, Clock], Awaitable[None]]) -> None:
    """Run a test with a keeper of its own."""

    async def inside() -> None:
        clock = Clock()
        await test(BucketKeys(clock), clock)

    asyncio.run(inside())


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until a condition holds."""
    if not condition():
        await asyncio.sleep(0)
        await until(condition)


def test_a_key_is_found_until_its_time_is_over() -> None:
    """By name, KMS key and key material; what does not fit any longer is wiped."""

    async def test(keys: BucketKeys, clock: Clock) -> None:
        for arn, material, later in ((ARN, MATERIAL, LIFETIME), (ARN, b"newer", 0.0), ("other", MATERIAL, 0.0)):
            key = keys.keep("name", new_key())
            assert keys.find("other", ARN, MATERIAL) is None
            clock.now += later and later - 0.001
            assert keys.find("name", ARN, MATERIAL) is key
            clock.now += later and 0.001
            assert keys.find("name", arn, material) is None
            assert key.plaintext.reveal() == WIPED
            assert len(keys) == 0

    run(test)


def test_a_key_is_used_up() -> None:
    """It encrypts so many data keys and no more."""

    async def test(keys: BucketKeys, clock: Clock) -> None:
        key = keys.keep("name", new_key())
        assert WRAPS_AT_MOST == 2**20
        key.wraps_left = 1
        assert keys.find("name", ARN, MATERIAL) is key
        assert key.take_wrap() != WIPED
        assert keys.find("name", ARN, MATERIAL) is None
        assert key.plaintext.reveal() == WIPED

    run(test)


def test_the_oldest_goes_when_there_are_many() -> None:
    """And one is replaced by another one of its name."""

    async def test(keys: BucketKeys, clock: Clock) -> None:
        made = [keys.keep(number, new_key()) for number in range(AT_MOST)]
        replaced = keys.keep(1, new_key())
        assert made[1].plaintext.reveal() == WIPED
        assert keys.find(0, ARN, MATERIAL) is made[0]
        keys.keep("one more", new_key())
        assert len(keys) == AT_MOST
        assert [one.plaintext.reveal() == WIPED for one in (made[0], made[2], replaced)] == [True, False, False]

    run(test)


def test_what_nobody_asks_for_is_wiped_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer does it, and comes again for the ones that are left."""
    monkeypatch.setattr(bucket_keys, "LIFETIME", 0.01)

    async def test(keys: BucketKeys, clock: Clock) -> None:
        first = keys.keep("first", new_key())
        clock.now += 0.006
        second = keys.keep("second", new_key())
        clock.now += 0.006
        await until(lambda: len(keys) < 2)
        assert (first.plaintext.reveal() == WIPED, second.plaintext.reveal() == WIPED) == (True, False)
        clock.now += 1
        await until(lambda: len(keys) == 0)
        assert second.plaintext.reveal() == WIPED
        keys.keep("third", new_key())
        clock.now += 1
        await until(lambda: len(keys) == 0)

    run(test)


def test_one_asks_and_the_others_wait() -> None:
    """Also when it fails: then the next one asks. A waiter that is cancelled disturbs nobody."""

    async def test(keys: BucketKeys, clock: Clock) -> None:
        asked: list[int] = []

        async def need(number: int) -> None:
            while await keys.wait_for_request("name"):
                if keys.find("name", ARN, MATERIAL) is not None:
                    return
            with keys.request("name"):
                asked.append(number)
                await asyncio.sleep(0)
                if number == 0:
                    raise OSError
                keys.keep("name", new_key())

        tasks = [asyncio.ensure_future(need(number)) for number in range(5)]
        await asyncio.sleep(0)
        tasks[4].cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert asked == [0, 1]
        assert [type(one) for one in ended] == [OSError, type(None), type(None), type(None), asyncio.CancelledError]
        assert await keys.wait_for_request("name") is False

    run(test)


def test_nothing_shows_the_plaintext() -> None:
    """Neither the key's own text nor that of its parts."""
    plaintext = os.urandom(32)
    key = BucketKey(plaintext, b"blob", ARN, MATERIAL)
    assert repr(key) == f"BucketKey({ARN})"
    for name in BucketKey.__slots__:
        assert repr(plaintext) not in repr(getattr(key, name))
