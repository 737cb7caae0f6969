"""Requests of a few milliseconds each have their share of every turn, and no more."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from fuin.formats import context
from fuin.keyholder.backends.software.kinds.specs import SPECS
from fuin.keyholder.loop.slow_operations import QUEUE_LIMIT, SLOW_CODES, SlowOperationQueue, is_slow_operation
from fuin.keyholder.wire import requests
from fuin.keyholder.wire.client import Keyholder
from tests.keyholder.process import DRAFT, KEY_ID, Holder, play
from tests.support.waiting import until

SIGNERS = 64


def test_others_go_on_beside_many_signers(holder: Holder) -> None:
    """With 64 signatures of RSA_4096 always under way, a data key is answered in a few turns, not after all of them."""
    took: list[float] = []
    rounds: list[float] = []  # how long one signature of each takes, meanwhile

    async def story(client: Keyholder) -> int:
        slow = await client.create_material(KEY_ID, "RSA_4096", DRAFT)
        material = await client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", DRAFT)
        signed = 0
        ending = False

        async def signer() -> None:
            nonlocal signed
            other = Keyholder(holder.path)  # another worker
            while not ending:
                await other.sign(slow, "RSASSA_PSS_SHA_512", "RAW", b"message", DRAFT)
                signed += 1
            await other.close()

        signers = [asyncio.create_task(signer()) for _ in range(SIGNERS)]
        await until(lambda: signed > SIGNERS, "each has signed")
        begun, before = time.monotonic(), signed
        for _ in range(40):
            started = time.monotonic()
            await client.data_key(material, context.EMPTY, 32, DRAFT)
            took.append(time.monotonic() - started)
        await until(lambda: signed >= before + SIGNERS, "each signs once more")
        rounds.append((time.monotonic() - begun) * SIGNERS / (signed - before))
        ending = True
        await asyncio.gather(*signers)
        return signed

    assert play(holder, story) > SIGNERS
    took.sort()
    median = took[len(took) // 2]
    assert median < rounds[0] / 5, f"the median data key took {median:.3f} s, a signature of each {rounds[0]:.3f} s"


def test_slow_operations_are_known_by_their_material(holder: Holder) -> None:
    """Signing and opening with RSA and ML-DSA material is slow, everything else is not."""

    async def story(client: Keyholder) -> dict[str, bytes]:
        return {spec: (await client.create_material(KEY_ID, spec, DRAFT)).encoded for spec in SPECS}

    encoded = play(holder, story)
    slow = {spec for spec, material in encoded.items() if is_slow_operation([material])}
    assert slow == {spec for spec in SPECS if spec.startswith(("RSA_", "ML_DSA"))}
    assert is_slow_operation([encoded["RSA_2048"], b"", b""])
    assert not is_slow_operation([])
    assert {requests.SIGN.code, requests.DECRYPT.code} <= SLOW_CODES
    assert requests.VERIFY.code not in SLOW_CODES


def test_share_of_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn takes at least one request and stops when its time is over; the queue is bounded."""
    times = iter((10.0, 10.003, 10.006))  # seconds: at the start, and after each request
    clock = SimpleNamespace(monotonic=lambda: next(times))  # for this module alone: other threads need the real one
    monkeypatch.setattr("fuin.keyholder.loop.slow_operations.time", clock)
    queue: SlowOperationQueue[int] = SlowOperationQueue()
    for number in range(QUEUE_LIMIT):
        assert not queue.is_full
        queue.add(number)
    assert queue.is_full
    assert list(queue.take_share()) == [0, 1]
    assert len(queue) == QUEUE_LIMIT - 2
