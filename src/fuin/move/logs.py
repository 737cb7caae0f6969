"""The audit logs: each goes, as it is, to the place where the copies of nodes' logs lie, and stays a chain of its own.

An embedded server's log has no node's name. It gets one that no node has, and that is the same in every run: from the
hash of its first record.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from fuin.audit.copier import LogCopier
from fuin.audit.copies import AlreadyThere, CopiedLog, CopyMissing
from fuin.audit.segments import entries, read, read_public_key, segments
from fuin.errors import FuinError
from fuin.store.engine import installation
from fuin.store.engine.glance import LogPosition

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fuin.audit.chain import ChainPosition
    from fuin.audit.copies import Copies

_PREFIX = "embedded-"
_NOTED = installation.name_for("log", "\0").removesuffix("\0")  # what the names of nodes' positions begin with


def log_name(folder: Path) -> str:
    """Return the name among nodes of the log in a data folder; raises FuinError when it has no record."""
    for segment in segments(folder):
        for entry in entries(read(segment.path)):
            return _PREFIX + entry.hash.hex()[:12]
    raise FuinError(f"{folder} holds no audit log: the server has not finished its first start")


def copy_log(folder: Path, copies: Copies, end: ChainPosition) -> str:
    """Copy a log up to a record that is durable, checked against its chain; return its name among the nodes'.

    Raises CopyConflict or StoreUnavailable.
    """
    name = log_name(folder)
    copier = LogCopier(folder, copies, name)
    copier.resume(read_public_key(folder))
    copier.copy(end)
    return name


def copy_copies(source: Copies, target: Copies, report: Callable[[int], None]) -> int:
    """Copy the copies that the target lacks, read back; return how many. Raises FuinError when two of a name differ."""
    there = dict(target.names(""))
    copied = 0
    for name, length in source.names(""):
        if name in there:
            if there[name] != length:
                raise FuinError(f"{target.place}/{name} is another copy of a log than the one in {source.place}")
            continue
        try:
            content = source.read(name)
        except CopyMissing:
            continue  # a node that runs has merged it into a larger piece: the last run finds that one
        try:
            target.put(name, memoryview(content))
        except AlreadyThere:
            raise FuinError(f"somebody else writes {target.place}/{name}") from None
        if target.read(name) != content:
            raise FuinError(f"{target.place}/{name} does not hold what was written")
        copied += 1
        report(length)
    return copied


def require_copies(values: Mapping[str, str], copies: Copies) -> None:
    """Raise FuinError unless the copies hold the record of each node's log that the database has seen."""
    for name, text in values.items():
        if name.startswith(_NOTED):
            node, noted = name.removeprefix(_NOTED), LogPosition.parse(text)
            if _hash_at(copies, node, noted.sequence) != noted.head:
                raise FuinError(
                    f"{copies.place} does not hold record {noted.sequence} of the log of node {node}, which the "
                    "database has seen: start that node once more and stop it, so that it copies its log"
                )


def _hash_at(copies: Copies, node: str, sequence: int) -> bytes | None:
    with tempfile.TemporaryDirectory() as folder:
        log = CopiedLog(copies, node, Path(folder))
        older = [segment for segment in log.segments() if segment.first <= sequence]
        if not older:
            return None
        number = older[-1].first
        for entry in entries(log.read(older[-1])):
            if number == sequence:
                return entry.hash
            number += 1
    return None
