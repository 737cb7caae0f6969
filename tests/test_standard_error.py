"""Standard error that takes nothing ends no process and holds none up."""

import contextlib
import os
import time
from collections.abc import Iterator

from fuin.standard_error import write_line

PIPE = 65536


@contextlib.contextmanager
def standard_error(descriptor: int) -> Iterator[None]:
    """Put an open file in the place of standard error; in the test itself, since pytest does so between its phases."""
    old = os.dup(2)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    try:
        yield
    finally:
        os.dup2(old, 2)
        os.close(old)


def test_a_line_is_written() -> None:
    """A line arrives whole, also a long one, and one with text that is no Unicode."""
    read_end, write_end = os.pipe()
    with standard_error(write_end):
        write_line("häßlich \udc80")
        write_line("x" * 20_000)
    assert os.read(read_end, PIPE) == "häßlich \\udc80\n".encode() + b"x" * 20_000 + b"\n"
    os.close(read_end)


def test_a_reader_that_stands_still_holds_nobody_up() -> None:
    """What finds no room is lost, and when there is room again lines arrive again."""
    read_end, write_end = os.pipe()
    started = time.monotonic()
    with standard_error(write_end):
        for _ in range(100):
            write_line("x" * 3000)
        kept = len(os.read(read_end, 2 * PIPE))
        write_line("again")
    assert PIPE / 3 < kept <= PIPE
    assert os.read(read_end, PIPE).endswith(b"again\n")
    assert time.monotonic() - started < 20
    os.close(read_end)


def test_a_full_disk_is_no_error() -> None:
    """The disk of the server's log may be full when that is what it has to say."""
    with standard_error(os.open("/dev/full", os.O_WRONLY)):
        write_line("nobody hears")


def test_a_reader_that_has_gone_is_no_error() -> None:
    """Nor does one that is being restarted end who writes to it."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    with standard_error(write_end):
        write_line("nobody hears")
