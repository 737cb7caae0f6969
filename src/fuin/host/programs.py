"""Programs of the system, such as cryptsetup: started with argument lists, and with secrets by pipes only."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuin.secret import Secret

# Programs see no variable of ours: credentials of AWS are in some. Their messages are English.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
_PATIENCE = 600.0  # seconds


class HostError(FuinError):
    """The host cannot do this; the text is one line for a person."""


class ProgramError(HostError):
    """A program has failed; `status` is its exit status."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


def find_missing(programs: Sequence[str]) -> list[str]:
    """Return the programs that are not installed."""
    return [name for name in programs if shutil.which(name, path=ENVIRONMENT["PATH"]) is None]


def run(
    command: Sequence[str], secrets: Sequence[Secret] = (), *, text: str = "", patience: float | None = _PATIENCE
) -> str:
    """Run a program and return its output; raises ProgramError with its last line of errors.

    `{0}`, `{1}` … in the command are the paths at which it reads the secrets, each one a pipe. `text` is its input.
    """
    with ExitStack() as pipes:
        ends = [_open_pipe(secret, pipes) for secret in secrets]
        paths = [f"/proc/self/fd/{end}" for end in ends]
        arguments = [_fill(argument, paths) for argument in command]
        try:
            done = subprocess.run(
                arguments, input=text, env=ENVIRONMENT, pass_fds=ends, capture_output=True, text=True, check=False,
                timeout=patience,
            )  # fmt: skip
        except FileNotFoundError:
            raise HostError(f"{command[0]} is not installed") from None
        except subprocess.TimeoutExpired:
            raise HostError(f"{command[0]} did not end within {patience:.0f} seconds") from None
    if done.returncode:
        raise ProgramError(f"{command[0]} failed: {_last_line(done.stderr)}", done.returncode)
    return done.stdout


def succeeds(command: Sequence[str]) -> bool:
    """Return whether a program ends well."""
    try:
        run(command)
    except HostError:
        return False
    return True


def _fill(argument: str, paths: Sequence[str]) -> str:
    for number, path in enumerate(paths):
        argument = argument.replace(f"{{{number}}}", path)
    return argument


def _open_pipe(secret: Secret, pipes: ExitStack) -> int:
    """Return the end to read of a pipe that holds the secret: it is short, so that the pipe takes it at once."""
    read_end, write_end = os.pipe()
    pipes.callback(os.close, read_end)
    try:
        os.write(write_end, secret.reveal())
    finally:
        os.close(write_end)
    return read_end


def _last_line(errors: str) -> str:
    lines = [line.strip() for line in errors.splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
