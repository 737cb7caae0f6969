"""The `fuin` command, its exit statuses, and its end by a signal.

An error that is expected is one line on standard error and status 1; a word or an option that does not exist is status
2. A signal that ends a command lets it clean up first: no file appears in part, also when a terminal is closed.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING

from fuin.cli.deferred_crt import defer_crt
from fuin.cli.error_text import text_of_error
from fuin.cli.verbs import command
from fuin.envelope.output import remove_unfinished
from fuin.errors import FuinError

if TYPE_CHECKING:
    from types import FrameType

_ENDING = {signal.SIGINT: "interrupted", signal.SIGTERM: "ended by SIGTERM", signal.SIGHUP: "ended by SIGHUP"}
_GRACE = 5.0  # seconds that a command has to clean up: longer than Workers wait for their threads
_OWN_ENDING = ("serve",)  # it ends as its supervisor decides


def main() -> None:
    """Run the command line."""
    asked = [word for word in sys.argv[1:] if not word.startswith("-")][:3]
    defer_crt()
    if not asked or asked[0] not in _OWN_ENDING:
        _end_on_signals()
    try:
        command(asked)()
    except _Ended as ending:
        _leave(ending.number)
    except (FuinError, OSError) as error:
        sys.stderr.write(f"fuin: {text_of_error(error)}\n")
        sys.exit(1)


class _Ended(BaseException):
    """A signal has ended the command."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def _end_on_signals() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    threading.Thread(target=_watch, args=(reader,), daemon=True).start()
    for number in _ENDING:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, _end)


def _end(number: int, _frame: FrameType | None) -> None:
    """End the command as an error would: what it has begun is taken back; a second signal ends it at once."""
    for each in _ENDING:
        signal.signal(each, signal.SIG_DFL)
    sys.stderr.write(f"fuin: {_ENDING[signal.Signals(number)]}\n")
    raise _Ended(number)


def _watch(reader: int) -> None:
    """End the process by a thread, if the command did not end by itself.

    A signal that comes in the moment before a call that waits is only noted by Python, until that call returns.
    """
    number = os.read(reader, 1)[0]
    while signal.getsignal(number) not in {_end, signal.SIG_DFL}:  # the command has a handler of its own
        number = os.read(reader, 1)[0]
    threading.Event().wait(_GRACE)
    sys.stderr.write(f"fuin: {_ENDING[signal.Signals(number)]}\n")
    _leave(number)


def _leave(number: int) -> None:
    """End the process without waiting for threads: one may wait for a connection."""
    remove_unfinished()
    sys.stderr.flush()
    os._exit(128 + number)


if __name__ == "__main__":
    main()
