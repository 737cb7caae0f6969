"""The logs of all nodes for the commands that read them: a node's own from its folder, the others' from the copies."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fuin.audit import copies as log_copies
from fuin.audit.copies import CopiedLog
from fuin.errors import FuinError
from fuin.server import joining
from fuin.server.log_copying import configured_copies, read_place
from fuin.settings import Settings

if TYPE_CHECKING:
    from fuin.audit.copies import Copies

CopiesUrl = Annotated[
    str,
    typer.Option(
        "--blobs",
        metavar="s3://BUCKET/PREFIX",
        help="Where an installation of many nodes has its blobs and the copies of its logs; by default as the data "
        "folder of a node says.",
    ),
]
CopiesEndpoint = Annotated[str, typer.Option("--blobs-endpoint", metavar="URL", help="The endpoint of that S3.")]
CopiesAuthority = Annotated[
    Path | None,
    typer.Option("--blobs-ca", help="PEM certificate authority of that S3.", exists=True, dir_okay=False),
]


@dataclass(frozen=True, slots=True)
class NodeLog:
    """The log of one node, or of an embedded server, whose name is empty: in its `folder`, or its `copy`, or both."""

    node: str
    folder: Path | None
    copy: CopiedLog | None

    @property
    def source(self) -> Path | CopiedLog:
        """Return the log to read: the folder's, since it is the newest."""
        if self.folder is not None:
            return self.folder
        if self.copy is not None:
            return self.copy
        raise FuinError(f"there is no log of {self.node}")


@dataclass(frozen=True, slots=True)
class NodeLogs:
    """All logs that can be read from here, this folder's first; `copies` is their place on a node among many."""

    logs: list[NodeLog]
    copies: Copies | None


@contextlib.contextmanager
def open_logs(
    data: Path, url: str = "", endpoint: str = "", authority: Path | None = None, *, database: str = ""
) -> Iterator[NodeLogs]:
    """Yield the logs of a data folder, and of the copies that `url`, the folder or the database names.

    Raises FuinError without any.
    """
    own = Settings(data=data.absolute())
    folder = own.audit if own.audit.is_dir() else None
    place = read_place(own.data)
    settings: Settings | None = None
    if url:
        settings = replace(own, blobs_url=url, blobs_endpoint=endpoint, blobs_ca=authority)
    elif place is not None:
        settings = place.settings(own.data)
    elif database:
        asked = replace(own, database_url=database, blobs_endpoint=endpoint, blobs_ca=authority)
        settings = joining.with_blobs(asked, joining.read_values(asked))
    elif folder is None:
        raise FuinError(f"{data} holds no audit log")
    copies = None if settings is None else configured_copies(settings)
    node = "" if place is None else place.node
    with tempfile.TemporaryDirectory(prefix="fuin-logs-") as temporary:
        yield NodeLogs(_list_logs(node, folder, copies, Path(temporary)), copies)


def _list_logs(own: str, folder: Path | None, copies: Copies | None, temporary: Path) -> list[NodeLog]:
    copied: dict[str, CopiedLog] = {}
    if copies is not None:
        for node in log_copies.nodes(copies):
            (temporary / node).mkdir()
            copied[node] = CopiedLog(copies, node, temporary / node)
    first = [] if folder is None else [NodeLog(own, folder, copied.pop(own, None))]
    return [*first, *(NodeLog(node, None, log) for node, log in sorted(copied.items()))]
