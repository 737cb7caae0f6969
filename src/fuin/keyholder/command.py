"""The keyholder's command line, as its supervisor writes it and `python -m fuin.keyholder` reads it."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MODULE = "fuin.keyholder"
READY = b"ready\n"  # the line for "everything is open"; any other line says why it is not

EXIT_FAILED = 1  # something cannot be opened or read now; a later start may
EXIT_PASSPHRASE = 3  # the passphrase is wrong, missing, or given for a key file
EXIT_ROOT_KEY = 4  # root.key is unsafe, missing beside existing data, or no root key
EXIT_AUDIT = 5  # the audit log is damaged, or belongs to another root key


@dataclass(frozen=True, slots=True)
class Command:
    """The arguments of a keyholder at its start; descriptors are numbers that it inherits.

    `passphrase` is a descriptor from which the passphrase is read to its end (at most 4096 bytes). `ready` gets one
    line: READY when the keyholder has opened everything, or why it could not. `parent` is the process whose end ends
    the keyholder. With `copy_limit`, no key is used once the log has had no copy in its second place for so many
    seconds; with `waits_for_copies` also, each answer waits until its record has one.
    """

    listener: int
    audit: Path
    root_key: Path
    ready: int | None = None
    passphrase: int | None = None
    parent: int | None = None
    copy_limit: float | None = None
    waits_for_copies: bool = False

    def arguments(self) -> list[str]:
        """Return the arguments after `python -m fuin.keyholder`."""
        words = ["--listener", str(self.listener), "--audit", str(self.audit), "--root-key", str(self.root_key)]
        numbers = (
            ("--ready", self.ready), ("--passphrase", self.passphrase), ("--parent", self.parent),
            ("--copy-limit", self.copy_limit),
        )  # fmt: skip
        for name, value in numbers:
            if value is not None:
                words += [name, str(value)]
        return [*words, "--waits-for-copies"] if self.waits_for_copies else words

    def descriptors(self) -> list[int]:
        """Return the descriptors that the child must inherit."""
        return [number for number in (self.listener, self.ready, self.passphrase) if number is not None]


def parse(arguments: Sequence[str]) -> Command:
    """Return the command of its arguments; a wrong command line ends the process with status 2."""
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description="Hold the keys; started by fuin serve.")
    parser.add_argument("--listener", type=int, required=True)
    parser.add_argument("--audit", type=Path, required=True)
    parser.add_argument("--root-key", type=Path, required=True)
    parser.add_argument("--ready", type=int)
    parser.add_argument("--passphrase", type=int)
    parser.add_argument("--parent", type=int)
    parser.add_argument("--copy-limit", type=float)
    parser.add_argument("--waits-for-copies", action="store_true")
    return Command(**vars(parser.parse_args(arguments)))
