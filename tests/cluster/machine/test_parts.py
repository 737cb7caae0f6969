"""Processes can be paused, killed with their children, and end with their machine; proxies do each fault."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.cluster.machine.processes import ENDS, Machine, Process, machine, wait_for
from tests.cluster.machine.proxy import Proxy
from tests.cluster.machine.wall_clock import COMPILER, WallClock
from tests.support.processes import is_alive
from tests.support.server import REPOSITORY

PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
print("ready", flush=True)
child.wait()
"""
INNER = """
import os, sys, time
from tests.cluster.machine.processes import machine
with machine() as made:
    sleeper = made.process("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"])
    end = sleeper.end
    sleeper.end = lambda: [os.kill(os.getpid(), int(sys.argv[1])), end()]  # a second signal while all ends
    sleeper.start()
    print(made.folder, flush=True)
    time.sleep(600)
"""
CLOCKS = """
import select, time
while True:
    print(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), flush=True)
    select.select([], [], [], 0.05)
"""


@pytest.fixture
def place() -> Iterator[Machine]:
    """Give a machine."""
    with machine() as made:
        yield made


def test_nothing_outlives_the_machine() -> None:
    """A child in a session of its own ends too, also when its parent had been killed before; the folder is gone."""
    with machine() as made:
        process = made.process("parent", [sys.executable, "-c", PARENT])
        process.start()
        wait_for(lambda: "ready" in process.log.read_text(), 60, "the child", made)
        parent, child = process.processes()
        parent.kill()
        wait_for(lambda: process.processes() == [child], 60, "the parent's end", made)
    assert not is_alive(child)
    assert not made.folder.exists()


def test_nothing_starts_while_the_machine_ends() -> None:
    """A thread that starts a process again and again, as a fault does, leaves none behind."""
    refused = threading.Event()

    def start_again(process: Process) -> None:
        try:
            while True:
                if not process.is_running:
                    process.start()
        except AssertionError:
            refused.set()

    with machine() as made:
        made.on_close(lambda: refused.wait(30))  # the folder is still there
        process = made.process("sleeper", [sys.executable, "-c", "import time; time.sleep(600)"])
        threading.Thread(target=start_again, args=(process,), daemon=True).start()
        wait_for(lambda: process.is_running, 60, "the process", made)
    assert refused.is_set()
    assert not process.is_running


def test_pause_stops_children_too(place: Machine) -> None:
    """SIGSTOP reaches all, and SIGCONT too; after a kill the process can start again."""
    process = place.process("parent", [sys.executable, "-c", PARENT])
    process.start()
    wait_for(lambda: len(process.processes()) == 2, 60, "the child", place)
    process.pause()
    wait_for(lambda: _states(process.processes()) == {psutil.STATUS_STOPPED}, 10, "the stop of both", place)
    process.go_on()
    wait_for(lambda: psutil.STATUS_STOPPED not in _states(process.processes()), 10, "their going on", place)
    process.kill()
    assert not process.is_running
    process.start()
    assert process.is_running


def test_failure_shows_the_logs(place: Machine) -> None:
    """What did not come about is said with the last lines of each part."""
    process = place.process("talker", [sys.executable, "-c", "print('last words')"])
    process.start()
    wait_for(lambda: not process.is_running, 60, "the end", place)
    with pytest.raises(AssertionError, match=r"(?s)the moon.*talker\nlast words"):
        wait_for(lambda: False, 0.0, "the moon", place)


@pytest.mark.skipif(not COMPILER, reason="there is no C compiler to build the clock with")
def test_wall_clock_is_stepped(place: Machine) -> None:
    """The wall clock of a running process jumps by an hour; the time since the start of the machine does not."""
    clock = WallClock(place.part("clocks"))
    process = place.process("clocks", [sys.executable, "-c", CLOCKS], clock.variables)
    process.start()
    wait_for(lambda: bool(_clocks(process.log.read_text())), 60, "the first line", place)
    clock.step(3600)
    wait_for(lambda: _clocks(process.log.read_text())[-1][0] > time.time() + 3500, 60, "the step", place)
    assert abs(_clocks(process.log.read_text())[-1][1] - time.clock_gettime(time.CLOCK_BOOTTIME)) < 60


@pytest.mark.parametrize("number", ENDS)
def test_termination_ends_the_machine(number: signal.Signals) -> None:
    """Ctrl-C, SIGTERM or SIGHUP to the tests themselves, and once more while they end, leaves no process, no folder."""
    with machine() as outer:
        inner = outer.process("tests", [sys.executable, "-c", INNER, str(int(number))], {"PYTHONPATH": str(REPOSITORY)})
        inner.start()
        wait_for(lambda: "/" in inner.log.read_text(), 60, "the inner machine", outer)
        folder = Path(inner.log.read_text().strip())
        (child,) = (process for process in psutil.process_iter() if _works_in(process, folder / "sleeper"))
        os.kill(inner.pid, number)
        wait_for(lambda: not is_alive(child), 60, "the sleeper's end", outer)
        wait_for(lambda: not inner.is_running, 60, "the end of the tests", outer)
    assert not is_alive(child)
    assert not folder.exists()


@pytest.fixture
def echo() -> Iterator[int]:
    """Give the port of a server that returns what it gets, and closes when its client has finished."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                while piece := connection.recv(65536):
                    connection.sendall(piece)

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxy(echo: int) -> Iterator[Proxy]:
    """Give a proxy to the echo."""
    made = Proxy(echo)
    yield made
    made.close()


def test_open_way_carries_everything(proxy: Proxy) -> None:
    """A megabyte comes back unchanged, and the end of one direction is passed on."""
    sent = bytes(range(256)) * 4096
    with _connect(proxy) as client:

        def send() -> None:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=send)
        writer.start()
        got = b"".join(iter(lambda: client.recv(65536), b""))
        writer.join()
    assert got == sent


def test_delay_is_for_each_direction(proxy: Proxy) -> None:
    """A question and its answer take twice the delay."""
    with _connect(proxy) as client:
        assert _ask(client, b"quick") == b"quick"
        proxy.delay(0.1)
        begun = time.monotonic()
        assert _ask(client, b"slow") == b"slow"
        assert time.monotonic() - begun >= 0.2


def test_cut_way_resets_and_refuses(proxy: Proxy) -> None:
    """What is open is reset, new connections too, until the way is healed."""
    with _connect(proxy) as client:
        assert _ask(client, b"one") == b"one"
        proxy.cut()
        assert _is_reset(client)
    with _connect(proxy) as client:
        assert _is_reset(client)
    proxy.heal()
    with _connect(proxy) as client:
        assert _ask(client, b"two") == b"two"


def test_held_way_is_silent_and_loses_nothing(proxy: Proxy) -> None:
    """Nobody gets anything, old connections and new ones; then everything comes."""
    with _connect(proxy) as old:
        assert _ask(old, b"one") == b"one"
        proxy.hold()
        with _connect(proxy) as new:
            for client in (old, new):
                client.settimeout(0.1)
                client.sendall(b"lost?")
                with pytest.raises(TimeoutError):
                    client.recv(10)
            proxy.heal()
            for client in (old, new):
                client.settimeout(60)
                assert client.recv(10) == b"lost?"


def test_some_connections_are_reset(proxy: Proxy) -> None:
    """At half of the pieces a connection is reset."""
    proxy.reset_some(0.5)
    ends = []
    for _ in range(40):
        with _connect(proxy) as client:
            ends.append(_is_reset(client))
    assert 0 < ends.count(True) < 40


def _connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=60)


def _ask(client: socket.socket, text: bytes) -> bytes:
    client.sendall(text)
    return client.recv(100)


def _is_reset(client: socket.socket) -> bool:
    try:
        return _ask(client, b"hello") == b""
    except ConnectionError:
        return True


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()) == folder
    except (psutil.Error, OSError):
        return False


def _states(processes: list[psutil.Process]) -> set[str]:
    return {process.status() for process in processes}


def _clocks(text: str) -> list[tuple[float, float]]:
    """Return the clocks of each whole line; the library may have written lines of its own."""
    words = [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return [(float(line[0]), float(line[1])) for line in words if len(line) == 2]
