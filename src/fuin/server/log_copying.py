"""The log's copier as a child of the server, and where a node's data folder says that its copies are."""

from __future__ import annotations

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from fuin.audit.segments import write_durably
from fuin.blobs.configuration import configured_copies
from fuin.server import children, keeping, pulse
from fuin.server.config import KeeperConfig, encode
from fuin.server.process import say
from fuin.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NAME = "the copier of the audit log"
MODULE = "fuin.server.log_copier"
_PLACE = "log-copies.json"

__all__ = ["CopyPlace", "configured_copies", "keep_copies", "read_place"]


class CopyPlace(msgspec.Struct, frozen=True):
    """Where the copies of a node's log are, by its settings, and the node's name."""

    node: str
    blobs_url: str
    blobs_endpoint: str
    blobs_ca: str

    def settings(self, data: Path) -> Settings:
        """Return settings for reading the copies."""
        authority = Path(self.blobs_ca) if self.blobs_ca else None
        return Settings(
            data=data, node=self.node, blobs_url=self.blobs_url, blobs_endpoint=self.blobs_endpoint, blobs_ca=authority
        )


def read_place(data: Path) -> CopyPlace | None:
    """Return where the copies of the log in a data folder are; None for a server that is not one of many."""
    with contextlib.suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode((data / _PLACE).read_bytes(), type=CopyPlace)
    return None


def note_place(settings: Settings) -> None:
    """Write into the data folder where the copies are; raises OSError."""
    authority = str(settings.blobs_ca or "")
    place = CopyPlace(settings.node, settings.blobs_url, settings.blobs_endpoint, authority)
    write_durably(settings.data / _PLACE, msgspec.json.encode(place) + b"\n")


async def start(settings: Settings) -> children.Child:
    """Start a copier, and return when it has begun."""
    return await children.spawn(
        NAME, MODULE, configuration=lambda ready: encode(KeeperConfig(settings, ready, os.getpid())),
        reaches_aws=bool(settings.blobs_url),
    )  # fmt: skip


async def watch(copier: children.Child) -> str:
    """Return a sentence when the copier gives no sign of life."""
    return await pulse.silence(copier.name, copier.pid, copier.sign, pulse.KEYHOLDER)


def is_copied(settings: Settings) -> bool:
    """Return whether this server's log is copied: on a node among many."""
    return bool(settings.node)


@contextlib.asynccontextmanager
async def keep_copies(settings: Settings) -> AsyncIterator[None]:
    """Keep the copier running as long as this block runs, on a node among many. Raises ChildFailed or OSError."""
    if not is_copied(settings):
        yield
        return
    note_place(settings)
    if not settings.blobs_url:
        say(f"the log is copied to {settings.blobs / 'audit'}: a second place only if that is another disk")
    async with keeping.keep_beside(partial(start, settings), watch):
        yield
