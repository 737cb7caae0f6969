"""Processes in a folder of their own, which all end with it, and signals to each of them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.support import environment
from tests.support.processes import end_all, is_alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # what ends a run from outside
UNPRIVILEGED = "postgres"  # the user of the servers that refuse to run as root


class Process:
    """One program with all its children; its output is in `log`.

    Its processes are those that work in its folder: also those that are left when their parent has been killed.
    """

    def __init__(
        self, name: str, command: Sequence[str | Path], folder: Path, variables: Mapping[str, str], user: str | None
    ) -> None:
        self.user = user if _is_root() else None
        self.name, self.command, self.folder = name, [str(part) for part in command], folder
        self.log = folder / f"{name}.log"
        self._variables = dict(variables)
        self._process: subprocess.Popen[bytes] | None = None
        self._starting, self._has_ended = threading.Lock(), False

    def start(self) -> None:
        """Start it, or start it again; it may not be running, and its end may not be for good."""
        assert not self.is_running, f"{self.name} already runs"
        with self._starting, self.log.open("ab") as log:
            assert not self._has_ended, f"{self.name} has ended for good"
            self._process = subprocess.Popen(
                self.command, cwd=self.folder, env=environment.clean(self.folder, **self._variables),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                user=self.user, group=self.user, extra_groups=[] if self.user else None,
            )  # fmt: skip

    @property
    def is_running(self) -> bool:
        """Return whether its first process has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Return the id of its first process."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL it with all its children, as if its machine had lost its power."""
        self.pause()  # so that none of them starts another one, or says goodbye
        end_all(self.processes())
        if self._process is not None:
            self._process.wait()

    def end(self) -> None:
        """Kill it, and let no thread start it again, such as one that carries out a fault."""
        with self._starting:
            self._has_ended = True
        self.kill()

    def stop(self, seconds: float = 30.0) -> None:
        """SIGTERM its first process, wait for its end, and kill what is left."""
        if self._process is not None and self.is_running:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(seconds)
        self.kill()

    def processes(self) -> list[psutil.Process]:
        """Return all its processes, the oldest one first."""
        return [process for process in psutil.process_iter() if _works_below(process, self.folder)]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all its processes."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)

    def pause(self) -> None:
        """SIGSTOP it and all its children."""
        self.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT it and all its children."""
        self.signal(signal.SIGCONT)


class Machine:
    """A folder for parts, readable by their user, and the processes that were started in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: list[Process] = []
        self._closing = contextlib.ExitStack()

    def process(
        self,
        name: str,
        command: Sequence[str | Path],
        variables: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> Process:
        """Return a process of this machine, not started, in a folder of its own; root can start it as another user."""
        process = Process(name, command, self.part(name), variables or {}, user)
        self._processes.append(process)
        return process

    def part(self, name: str) -> Path:
        """Return the folder of one part, which its user may write."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        give_away(folder)
        return folder

    def on_close(self, action: Callable[[], object]) -> None:
        """Call an action when the machine ends, after its processes have ended."""
        self._closing.callback(action)

    def close(self) -> None:
        """End everything, the last one first."""
        try:
            for process in reversed(self._processes):
                process.end()
        finally:
            self._closing.close()

    def logs(self, lines: int = 20) -> str:
        """Return the last lines of each process's output, for a failure's message."""
        texts = []
        for process in self._processes:
            if process.log.exists():
                last = process.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
                texts.append("\n".join([f"--- {process.name}", *last]))
        return "\n".join(texts)


@contextlib.contextmanager
def machine() -> Iterator[Machine]:
    """Give a machine; whatever happens, its processes end and its folder is removed."""
    # Not below pytest's folders: those are closed to other users, and too long for the names of sockets.
    folder = Path(tempfile.mkdtemp(prefix="fuin-cluster-"))
    give_away(folder)
    made = Machine(folder)
    before = {number: signal.getsignal(number) for number in ENDS}
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell has started in the background
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))  # so that `finally` runs
    try:
        yield made
    finally:
        for number in ENDS:  # often sent twice: by timeout(1) to its child and to the group, or by a second Ctrl-C
            signal.signal(number, signal.SIG_IGN)
        try:
            made.close()
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            for number, handler in before.items():
                signal.signal(number, handler)


def give_away(path: Path) -> None:
    """Let the user of the parts own a file or folder; root is the only one who has to."""
    if _is_root():
        shutil.chown(path, UNPRIVILEGED, UNPRIVILEGED)


def missing_programs(*programs: str) -> list[str]:
    """Return those programs that are not installed; a program is a name or a path."""
    return [program for program in programs if shutil.which(program) is None]


def wait_for(holds: Callable[[], bool], seconds: float, what: str, of: Machine) -> None:
    """Wait until `holds()`; a failure shows the logs of all processes."""
    try:
        wait_until(holds, seconds, what)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{of.logs()}") from None


def _is_root() -> bool:
    return os.geteuid() == 0


def _works_below(process: psutil.Process, folder: Path) -> bool:
    try:
        return is_alive(process) and Path(process.cwd()).is_relative_to(folder)
    except (psutil.Error, OSError):
        return False
