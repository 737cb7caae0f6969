"""Process trees and ports of the real server under test."""

import contextlib
import os
import random
import socket
import time
from collections.abc import Callable, Iterable

import psutil

# Below the range from which the kernel takes ports for outgoing connections. Each process that runs tests has every
# eighth of them: a server that a test starts again finds its port free.
_PORTS = range(20000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8, 32768, 8)


def free_port() -> int:
    """Return a loopback TCP port below 32768 on which nothing listens, and which no other test process takes."""
    choice = random.SystemRandom()
    for _ in range(200):
        port = choice.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port found")


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process still runs; a zombie, which nobody has waited for, does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def command(process: psutil.Process) -> str:
    """Return a process's command line, empty when it is gone."""
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def descendants(pid: int) -> list[psutil.Process]:
    """Return all processes below `pid`, none when it is gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def end_all(processes: Iterable[psutil.Process]) -> None:
    """Kill processes that a test started, as far as they still run, and wait for their end."""
    remaining = list(processes)
    for process in remaining:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs([process for process in remaining if is_alive(process)], timeout=60)


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until `holds()`; raises AssertionError naming `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds} s")
        time.sleep(0.02)
