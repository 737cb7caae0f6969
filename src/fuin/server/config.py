"""The configuration that the supervisor gives to a worker, as one command-line argument."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from fuin.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """A worker's configuration; it inherits the file descriptors."""

    settings: Settings
    listener: int
    ready: int  # the worker writes `ready` or why it cannot start, and then signs of life
    supervisor: int  # its process id
    jobs: bool  # whether this worker runs the timed jobs

    def argument(self) -> str:
        """Return it as one command-line argument; it holds no secret."""
        return msgspec.json.encode(self, enc_hook=str).decode()

    @classmethod
    def from_argument(cls, text: str) -> WorkerConfig:
        """Read what `argument` wrote."""
        return decode(text, cls)


@dataclass(frozen=True, slots=True)
class KeeperConfig:
    """The configuration of a lease keeper."""

    settings: Settings
    ready: int  # it writes `ready` or why it cannot start, and then signs of life
    supervisor: int  # its process id

    def argument(self) -> str:
        """Return it as one command-line argument, which shows the address of the database to this machine's users."""
        return msgspec.json.encode(self, enc_hook=str).decode()


def decode(text: str, kind: type[T]) -> T:
    """Read the configuration of a child process from its command-line argument."""
    return msgspec.json.decode(text, type=kind, dec_hook=lambda kind, value: Path(value) if kind is Path else value)
