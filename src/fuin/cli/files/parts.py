"""Parts of large objects: their sizes, and several at once."""

from __future__ import annotations

import io
import os
import threading
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from typing_extensions import Buffer

Result = TypeVar("Result")

MIB = 1024 * 1024
PART = 8 * MIB
_LAST = 3.0  # seconds that threads have to clean up after a signal
LIMIT = 10_000  # parts of one upload: AWS
LARGEST = 5 * 1024 * 1024 * MIB  # an object: AWS


class Span(NamedTuple):
    """Some bytes of an object, from a place on."""

    start: int
    length: int


class Stopped(FuinError):
    """Another part has failed, or the command is ending."""


def split(size: int, part: int = PART) -> list[Span]:
    """Return the parts of so many bytes; raises FuinError if that is more than an object may have."""
    if size > LARGEST:
        raise FuinError("an object has at most 5 TiB")
    part = max(part, -(-size // LIMIT))
    return [Span(start, min(part, size - start)) for start in range(0, size, part)]


class FilePart(io.RawIOBase):
    """Some bytes of an open file as a file of their own; several threads may read parts of one file."""

    def __init__(self, descriptor: int, span: Span) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._span = span
        self._at = 0

    def seekable(self) -> bool:
        """Return True: a request may be sent again."""
        return True

    def tell(self) -> int:
        """Return how much was read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, and return it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._span.length}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Buffer) -> int:
        """Fill the buffer; raises FuinError if the file has become shorter."""
        view = memoryview(buffer)
        wanted = max(0, min(len(view), self._span.length - self._at))
        data = os.pread(self._descriptor, wanted, self._span.start + self._at)
        if wanted and not data:
            raise FuinError("the file became shorter while it was read")
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def __len__(self) -> int:
        """Return the number of all bytes."""
        return self._span.length


class Workers:
    """Threads for files and threads for parts; the first failure stops all others."""

    def __init__(self, parallel: int) -> None:
        self.parallel = parallel
        self._files = ThreadPoolExecutor(max(1, parallel // 2), "file")
        self._parts = ThreadPoolExecutor(parallel, "part")
        self._stop = threading.Event()
        self._running: set[Future[None]] = set()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Wait for all threads; after an error let none begin anything, and after a signal wait only shortly."""
        if kind is None or issubclass(kind, Exception):
            self._stop_all(is_failed=kind is not None, wait_for_all=True)
        else:
            self._stop_all(is_failed=True, wait_for_all=False)
            wait(self._running, timeout=_LAST)

    def _stop_all(self, *, is_failed: bool, wait_for_all: bool) -> None:
        if is_failed:
            self._stop.set()
        for pool in (self._files, self._parts):
            pool.shutdown(wait=wait_for_all, cancel_futures=is_failed)

    def stop(self, futures: list[Future[Result]]) -> None:
        """Let no further part begin, and wait for these."""
        self._stop.set()
        wait(futures)

    def check(self) -> None:
        """Raise Stopped if this thread is to end."""
        if self._stop.is_set():
            raise Stopped("stopped")

    def run_files(self, acts: Iterable[Callable[[], None]], failed: Callable[[FuinError | OSError], None]) -> None:
        """Do all these, each of which may use `run_parts`; an error of one does not stop the others."""
        for act in acts:
            self._running.add(self._files.submit(act))
            if len(self._running) >= 4 * self.parallel:  # so that a million of files needs no memory
                self._running = _report(self._running, FIRST_COMPLETED, failed)
        self._running = _report(self._running, ALL_COMPLETED, failed)

    def start_part(self, act: Callable[[], Result]) -> Future[Result]:
        """Begin a part of a file, which may not wait for others."""

        def run() -> Result:
            self.check()
            return act()

        return self._parts.submit(run)

    def run_parts(self, acts: Iterator[Callable[[], Result]]) -> list[Result]:
        """Do all these, several at once, and return their results in order; raises the first error."""
        futures = [self.start_part(act) for act in acts]
        return finish(futures)


def finish(futures: list[Future[Result]]) -> list[Result]:
    """Wait for all, and return their results in order; the first error is raised when none runs any longer."""
    _, rest = wait(futures, return_when=FIRST_EXCEPTION)
    for future in rest:
        future.cancel()
    wait(rest)
    errors = [future.exception() for future in futures if not future.cancelled()]
    failed = [error for error in errors if error is not None]
    real = [error for error in failed if not isinstance(error, Stopped)]
    if failed:
        raise (real or failed)[0]
    return [future.result() for future in futures]


def _report(running: set[Future[None]], until: str, failed: Callable[[FuinError | OSError], None]) -> set[Future[None]]:
    """Wait, report the errors of those that have ended, and return the others."""
    done, rest = wait(running, return_when=until)
    for future in done:
        error = future.exception()
        if isinstance(error, FuinError | OSError):
            failed(error)
        elif error is not None:
            raise error
    return rest
