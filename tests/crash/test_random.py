"""`kill -9` of a worker, the keyholder or the whole server at random times, under load."""

import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from tests.crash import soundness
from tests.crash.load import BUCKET, Writer, prepare
from tests.support.server import Server

pytestmark = pytest.mark.real
LONG = os.environ.get("FUIN_LONG") == "1"
SEED = int(os.environ.get("FUIN_CRASH_SEED", random.SystemRandom().randrange(1 << 32)))
ROUNDS = 200 if LONG else 6
TARGETS = ("worker", "keyholder", "server")
WRITERS = 4


def _kill(server: Server, target: str, choice: random.Random) -> None:
    if target == "worker":
        choice.choice(server.workers()).kill()
    elif target == "keyholder":
        server.keyholder().kill()
    else:
        server.kill()


def _round(server: Server, writers: list[Writer], target: str, choice: random.Random) -> None:
    """Load the server, kill something at a random moment, and end the load a little later."""
    stop = threading.Event()
    threads = [threading.Thread(target=writer.run, args=(stop,)) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        time.sleep(choice.uniform(0.1, 0.8))
        _kill(server, target, choice)
        if target != "server":
            time.sleep(choice.uniform(0.0, 0.5))  # the survivors go on, and the dead come back
    finally:
        stop.set()
        for thread in threads:
            thread.join(90)
            assert not thread.is_alive(), "a client waits for ever"


@pytest.mark.timeout(3600 if LONG else 300)
def test_random_kills_lose_nothing(new_server: Callable[..., Server]) -> None:
    """Round after round, what was acknowledged is there, and nothing half-written shows."""
    print(f"FUIN_CRASH_SEED={SEED}")  # shown when the test fails
    choice = random.Random(SEED)
    server = new_server("random", workers=2)
    server.start()
    prepare(server)
    with ExitStack() as stack:
        writers = [Writer(server, number, choice.randrange(1 << 32)) for number in range(WRITERS)]
        for writer in writers:
            stack.callback(writer.close)
        _play(server, writers, choice)
    done = sum(writer.done for writer in writers)
    print(f"{done} requests succeeded in {ROUNDS} rounds")
    assert done > 5 * ROUNDS, "hardly any request succeeded: this was no load"
    server.stop()
    server.start()
    soundness.assert_no_orphans(server)
    server.stop()


def _play(server: Server, writers: list[Writer], choice: random.Random) -> None:
    for number in range(ROUNDS):
        _round(server, writers, TARGETS[number % len(TARGETS)], choice)
        if not server.is_running():
            server.start()
        server.wait_healthy()
        for writer in writers:
            writer.check(server.client("kms"), server.client("s3"))
        soundness.assert_sound(server, BUCKET)
