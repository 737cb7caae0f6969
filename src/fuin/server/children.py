"""Child processes: start them with only the environment and descriptors that they need, watch and end them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from fuin.errors import FuinError
from fuin.server import pulse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

START_LIMIT = 60.0  # seconds from a child's start to its readiness
STOP_LIMIT = 40.0  # seconds from SIGTERM to SIGKILL
_READY = "ready"
WAITS = "waits: "  # before the reason, on the line of a child that cannot serve before the database is there
_LINE_LIMIT = 4096  # bytes of a child's line about its start
# The environment variables that a child gets. All others stay here: people often start a server in a shell where they
# have exported its access key for a client, and a worker must never hold a secret key.
_PASSED_ON = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "FUIN_CRASH_POINT", "FUIN_PAUSE_POINT",
})  # fmt: skip
_PASSED_ON_STARTS = ("LC_", "PYTHON", "OPENSSL_", "MALLOC_", "COVERAGE_")

# The standard chain of credentials, and the way to S3: for the workers of a server whose blobs are there. What names an
# endpoint is left out by `blobs/s3/client.py`.
_FOR_AWS = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
# What libpq reads, for the children that connect to PostgreSQL: they must reach it as the supervisor does. They name
# files, modes and people. Left out are those that Fuin always decides itself, such as PGHOST, and PGPASSWORD, which
# `joining.check_password` refuses.
_FOR_DATABASE = (
    "PGCHANNELBINDING", "PGCLIENTENCODING", "PGDATABASE", "PGGSS", "PGKRBSRVNAME", "PGMAXPROTOCOLVERSION",
    "PGMINPROTOCOLVERSION", "PGOPTIONS", "PGPASSFILE", "PGREQUIREAUTH", "PGREQUIREPEER", "PGSERVICE", "PGSSL",
    "PGSYSCONFDIR", "PGUSER",
)  # fmt: skip


class ChildFailed(FuinError):
    """A child process did not become ready; the text says which one, and why."""


class ChildWaits(ChildFailed):
    """A child process cannot serve yet, since the database is away."""


class Child:
    """A child process and the pipe from it, which carries a line about its start, then signs of life."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, pipe: int) -> None:
        os.set_blocking(pipe, False)
        self.name = name
        self.pid = process.pid
        self._process = process
        self._pipe = pipe

    async def line(self) -> str:
        """Return its line about its start, without the line's end; empty when it ends without a line."""
        received = b""
        while b"\n" not in received and len(received) < _LINE_LIMIT:
            piece = await self._piece()
            if not piece:
                break
            received += piece
        return received.split(b"\n", 1)[0].decode(errors="replace")

    async def sign(self) -> None:
        """Return when it gives a sign of life; never return if it has closed the pipe."""
        if not await self._piece():
            await wait_forever()

    async def wait(self) -> None:
        """Return when it has ended."""
        await self._process.wait()

    def close(self) -> None:
        """Close the pipe; nobody may listen to it afterwards."""
        os.close(self._pipe)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def ending(self) -> str:
        """Return in words how it has ended."""
        status = self._process.returncode
        if status is not None and status < 0:
            with contextlib.suppress(ValueError):
                return f"it was ended by {signal.Signals(-status).name}"
        return f"it ended with exit status {status}"

    async def _piece(self) -> bytes:
        while True:
            try:
                return os.read(self._pipe, _LINE_LIMIT)
            except BlockingIOError:
                await _wait_readable(self._pipe)


async def spawn(
    name: str, module: str, arguments: Callable[[int], Sequence[str]] = lambda _: (), descriptors: Sequence[int] = (),
    limit: float = START_LIMIT, *, configuration: Callable[[int], bytes] = lambda _: b"",
    reaches_aws: bool = False, reaches_database: bool = False,
) -> Child:  # fmt: skip
    """Start `python -m module`, and return when it has written `ready`.

    `arguments` and `configuration` get the descriptor to which it writes. The configuration is its standard input,
    since other users of the machine can read the arguments of a process.

    With -P, since Python would otherwise look for each module first in the folder where the server was started.
    Raises ChildFailed when it writes something else, ends, hangs, or stays silent for `limit` seconds before that;
    ChildWaits when it waits for the database.
    """
    read_end, write_end = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", module, *arguments(write_end),
            pass_fds=(*descriptors, write_end), stdin=asyncio.subprocess.PIPE,
            env=environment(reaches_aws=reaches_aws, reaches_database=reaches_database),
            start_new_session=True,  # Ctrl-C reaches the supervisor alone, which ends its children in order
        )  # fmt: skip
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    child = Child(name, process, read_end)
    try:
        await _fill_input(process, configuration(write_end))
        why = await _refusal(child, limit)
    except BaseException:
        await _discard(child)
        raise
    if why:
        await _discard(child)
        if why.startswith(WAITS):
            raise ChildWaits(why.removeprefix(WAITS))
        raise ChildFailed(f"{name} did not start: {why}")
    return child


async def _fill_input(process: asyncio.subprocess.Process, data: bytes) -> None:
    """Write the standard input of a process, and close it; a process that has ended is found out by its silence."""
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.write(data)
            await process.stdin.drain()
        process.stdin.close()


async def _discard(child: Child) -> None:
    child.signal(signal.SIGKILL)
    await child.wait()
    child.close()


async def _refusal(child: Child, limit: float) -> str:
    """Return why a child does not become ready: its own line, its end or its silence; empty when it is ready."""
    line = asyncio.ensure_future(child.line())
    patience = pulse.Patience(silent=limit, stopped=pulse.KEYHOLDER.stopped)
    silence = asyncio.ensure_future(pulse.silence("it", child.pid, wait_forever, patience))
    try:
        await asyncio.wait({line, silence}, return_when=asyncio.FIRST_COMPLETED)
        if not line.done():
            return silence.result()
        if line.result():
            return "" if line.result() == _READY else line.result()
        await child.wait()
        return child.ending()
    finally:
        line.cancel()
        silence.cancel()


def environment(*, reaches_aws: bool = False, reaches_database: bool = False) -> dict[str, str]:
    """Return the part of this process's environment that a child needs.

    `reaches_aws`: it stores on S3; `reaches_database`: it connects to PostgreSQL.
    """
    starts = (*_PASSED_ON_STARTS, *(_FOR_AWS if reaches_aws else ()), *(_FOR_DATABASE if reaches_database else ()))
    return {name: value for name, value in os.environ.items() if name in _PASSED_ON or name.startswith(starts)}


async def wait_forever() -> NoReturn:
    """Never return."""
    while True:
        await asyncio.get_running_loop().create_future()


async def _wait_readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    event = asyncio.Event()
    loop.add_reader(descriptor, event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(descriptor)


async def stop(child: Child) -> None:
    """End a child: SIGTERM, and SIGKILL when that does not end it in time."""
    child.signal(signal.SIGTERM)
    child.signal(signal.SIGCONT)  # a stopped one would not take it
    try:
        await asyncio.wait_for(child.wait(), STOP_LIMIT)
    except TimeoutError:
        child.signal(signal.SIGKILL)
        await child.wait()
