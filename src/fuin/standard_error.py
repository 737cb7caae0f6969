"""Lines on standard error, the server's log. A log that is full, gone or not read ends no process and holds none up.

Standard error is often a file on the very disk that is full, or a pipe to a program that is being restarted.
"""

import contextlib
import os
import select

_DESCRIPTOR = 2
_PIECE = select.PIPE_BUF  # bytes; what is said to be writable takes so many at once: pipe(7)


def write_line(text: str) -> None:
    """Write a line, or as much of it as can be written now; the rest is lost, as nobody would read it."""
    data = text.encode("utf-8", "backslashreplace") + b"\n"
    ready = select.poll()
    ready.register(_DESCRIPTOR, select.POLLOUT)
    with contextlib.suppress(OSError):
        while data and ready.poll(0):
            data = data[os.write(_DESCRIPTOR, data[:_PIECE]) :]
