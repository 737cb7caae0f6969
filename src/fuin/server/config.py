"""The configuration that the supervisor gives to its children, through their standard input.

Not through arguments, which every user of the machine can read: the address of a database may have a password.
"""

from __future__ import annotations

import sys
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


@dataclass(frozen=True, slots=True)
class KeeperConfig:
    """The configuration of a lease keeper."""

    settings: Settings
    ready: int  # it writes `ready` or why it cannot start, and then signs of life
    supervisor: int  # its process id


def encode(config: WorkerConfig | KeeperConfig) -> bytes:
    """Return a configuration as the child reads it."""
    return msgspec.json.encode(config, enc_hook=str)


def decode(data: bytes, kind: type[T]) -> T:
    """Read what `encode` wrote."""
    return msgspec.json.decode(data, type=kind, dec_hook=lambda kind, value: Path(value) if kind is Path else value)


def receive(kind: type[T]) -> T:
    """Read this process's configuration from its standard input, to its end."""
    return decode(sys.stdin.buffer.read(), kind)
