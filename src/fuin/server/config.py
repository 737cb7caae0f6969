"""What the supervisor tells a worker, as one command-line argument."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from fuin.settings import Settings


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What the supervisor tells a worker; file descriptors are inherited."""

    settings: Settings
    listener: int
    ready: int  # gets a line when the worker answers, or why it does not, and then signs of life
    supervisor: int  # its process id
    jobs: bool  # whether this worker runs the timed jobs

    def argument(self) -> str:
        """Return it as one command-line argument; it holds no secret."""
        return msgspec.json.encode(self, enc_hook=str).decode()

    @classmethod
    def from_argument(cls, text: str) -> WorkerConfig:
        """Read what `argument` wrote."""
        return msgspec.json.decode(text, type=cls, dec_hook=lambda kind, value: Path(value) if kind is Path else value)
