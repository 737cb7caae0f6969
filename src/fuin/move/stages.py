"""The stages that both directions share: claim the target, copy what it lacks, compare the two sides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from fuin.errors import FuinError
from fuin.move import blobs, claim, logs, rows, witnesses
from fuin.store.engine import schema

if TYPE_CHECKING:
    from collections.abc import Callable

    import sqlalchemy as sa

    from fuin.audit.copies import Copies
    from fuin.blobs.interface import BlobStore
    from fuin.move.blobs import BlobChanges
    from fuin.move.databases import Database
    from fuin.move.rows import RowChanges
    from fuin.move.witnesses import Agreement


class Progress(Protocol):
    """Shows how far a stage is."""

    def begin(self, title: str, total: int, *, is_bytes: bool = False) -> Callable[[int], None]:
        """Begin a stage; return a function that takes how much of it was done."""


@dataclass(slots=True)
class Side:
    """One side of a move: its database, its blobs, and the copies of nodes' logs beside them."""

    database: Database
    blobs: BlobStore
    copies: Copies


@dataclass(slots=True)
class Outcome:
    """What a run has done. Without an agreement it has only copied, since a server still serves the source."""

    rows: RowChanges
    blobs: BlobChanges
    agreement: Agreement | None = None


@dataclass(slots=True)
class Transfer:
    """Copies from one side to the other; it may be repeated, and then copies what is new."""

    source: Side
    target: Side
    progress: Progress
    reread: bool = False  # compare also the blobs that an earlier run has copied
    tables: list[sa.Table] = field(default_factory=schema.tables_to_move)

    async def claim(self) -> str:
        """Mark the target as being filled, and return the installation's id; raises FuinError if it is not empty."""
        identity = claim.identify(self.source.database, self.target.database)
        claim.claim_database(self.target.database, identity)
        await claim.claim_blobs(self.target.blobs, identity)
        return identity

    async def bring(self, *, is_last: bool) -> Outcome:
        """Copy rows, blobs and logs; in the last run all of them, or FuinError is raised."""
        source, target = self.source, self.target
        report = self.progress.begin("rows", rows.count_rows(source.database, self.tables))
        changes = rows.RowMover(source.database, target.database, report).bring(self.tables)
        if is_last and changes.put_off:
            raise FuinError(f"{target.database.place} does not take {changes.put_off} rows, such as {changes.why}")
        report = self.progress.begin("blobs", blobs.count_bytes(source.database, self.tables), is_bytes=True)
        mover = blobs.BlobMover(source.blobs, target.blobs, report)
        copied = await mover.bring(source.database, self.tables, reread=self.reread)
        if is_last and copied.missing:
            raise FuinError(
                f"{source.blobs.place} lacks {copied.missing} blobs that {source.database.place} names, such as "
                f"{copied.example}: restore them, or delete their objects"
            )
        logs.copy_copies(source.copies, target.copies, self.progress.begin("copies of logs", 0, is_bytes=True))
        return Outcome(changes, copied)

    async def compare(self) -> Agreement:
        """Read both sides anew; raises SidesDiffer or BlobsDiffer unless they hold the same."""
        report = self.progress.begin("comparison", rows.count_rows(self.source.database, self.tables))
        return await witnesses.compare(
            self.source.database, self.target.database, self.target.blobs, self.tables, report
        )
