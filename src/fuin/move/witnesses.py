"""The witnesses of a finish: both sides are read anew, and must agree before the target may be used."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fuin.errors import FuinError
from fuin.move import blobs, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import sqlalchemy as sa

    from fuin.blobs.interface import BlobStore
    from fuin.move.databases import Database
    from fuin.move.rows import TableDigest


class SidesDiffer(FuinError):
    """The target does not hold what the source holds."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What both sides hold: a digest of each table, and the blobs that the index names."""

    tables: dict[str, TableDigest]
    blobs: int
    size: int  # bytes

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return sum(each.rows for each in self.tables.values())

    @property
    def sha256(self) -> str:
        """Return one digest of all tables."""
        lines = [f"{name} {each.rows} {each.sha256}\n" for name, each in sorted(self.tables.items())]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def facts(self) -> dict[str, Any]:
        """Return the members of the audit records about a move."""
        full = {name: f"{each.rows} {each.sha256}" for name, each in self.tables.items() if each.rows}
        return {"rows": self.rows, "sha256": self.sha256, "blobs": self.blobs, "bytes": self.size, "tables": full}


async def compare(
    source: Database, target: Database, stored: BlobStore, tables: Sequence[sa.Table], report: Callable[[int], None]
) -> Agreement:
    """Return what both sides hold; raises SidesDiffer or BlobsDiffer unless they hold the same."""
    digests = {}
    for table in tables:
        ours, theirs = rows.digest(source, table, report), rows.digest(target, table)
        if ours != theirs:
            raise SidesDiffer(
                f"{table.name} has {theirs.rows} rows in {target.place}, and {ours.rows} in {source.place}, or they "
                "differ. Nothing was made usable; run the move again"
            )
        digests[table.name] = theirs
    count, size = await blobs.require_blobs(stored, target, tables)
    return Agreement(digests, count, size)
