"""Hanging and slow processes are distinguished: by signs of life, the kernel's state, and time that really passed."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from fuin.server import pulse
from fuin.server.children import wait_forever
from fuin.server.pulse import Patience, silence, state_of

PATIENCE = Patience(silent=0.5, stopped=0.2)


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look twenty times a second."""
    monkeypatch.setattr(pulse, "STEP", 0.05)


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Give a process that sleeps."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as sleeping:
        yield sleeping
        sleeping.kill()


async def once(verdict: Awaitable[str], seconds: float) -> str | None:
    """Return the verdict, or None when there is none after some seconds."""
    with contextlib.suppress(TimeoutError):
        return await asyncio.wait_for(verdict, seconds)
    return None


def judged(pid: int, sign: Callable[[], Awaitable[object]], seconds: float = 30.0) -> str | None:
    """Return what is said of a process with these signs of life."""
    return asyncio.run(once(silence("it", pid, sign, PATIENCE), seconds))


def test_no_sign_of_life(process: subprocess.Popen[bytes]) -> None:
    """A process that runs and gives no sign is given up after the time that it is granted, not before."""
    started = time.monotonic()
    assert str(judged(process.pid, wait_forever)).startswith("it has given no sign of life for ")
    assert time.monotonic() - started > 0.45


def test_signs_that_come_slowly(process: subprocess.Popen[bytes]) -> None:
    """Somebody who answers late, and late again, lives: one sign is as good as many."""
    assert judged(process.pid, lambda: asyncio.sleep(0.3), 1.5) is None


def test_answers_that_fail(process: subprocess.Popen[bytes]) -> None:
    """A failure is no sign of life."""

    async def refused() -> None:
        raise ConnectionRefusedError

    assert judged(process.pid, refused) is not None


def test_stopped_by_a_signal(process: subprocess.Popen[bytes]) -> None:
    """A stopped process does nothing at all, so less time is needed to see that; one that goes on is left alone."""
    os.kill(process.pid, signal.SIGSTOP)
    assert judged(process.pid, lambda: asyncio.sleep(0)) == "it has been stopped for 0 s"
    os.kill(process.pid, signal.SIGCONT)
    assert judged(process.pid, lambda: asyncio.sleep(0), 0.5) is None


def test_waiting_for_a_disk(process: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for a disk is not ended: SIGKILL would wait as well, and the next one too."""
    monkeypatch.setattr(pulse, "state_of", lambda pid: "D")
    assert judged(process.pid, wait_forever, 1.5) is None


def test_what_the_kernel_says(process: subprocess.Popen[bytes]) -> None:
    """The state is read behind the name, which may hold anything."""
    assert state_of(process.pid) in {"R", "S", "D"}
    assert state_of(2**22 + 1) == ""
