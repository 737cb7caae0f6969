"""How a process knows that its catalog is not older than the request that it answers.

Decisions 0002 and 0007 rest on this. Each engine has its own way to the same promise: no change that had returned
before the call is missing in `epoch()`. SQLite answers exactly, by its data version. PostgreSQL has no such number
(decision 0020). There a node holds a lease: it knows the epoch for some hundred milliseconds, and a change returns when
all nodes have its epoch in force, or their leases from before it have ended. Or it asks the database: `epoch()` then
raises NotInMemory, whose fetch waits for the answer. Either raises StoreUnavailable while there is no lease.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import sqlite3


class Freshness(Protocol):
    """The source of the present epoch; it belongs to the event loop's thread."""

    # Whether an answer is for one caller alone: others may have been received after it was asked for.
    is_for_caller: bool

    async def ask(self) -> None:
        """Bring an answer that is in force for the calling task until it waits again; only with `is_for_caller`."""

    def epoch(self) -> int:
        """Return an epoch that is not older than the call; raises NotInMemory, or what the database raises."""

    def close(self) -> None:
        """Close the connection."""


class DataVersion:
    """Exact freshness by `PRAGMA data_version`, whose number changes when any other connection has committed.

    Other connections are those of all other processes, and the other ones of this process. The number is read from
    shared memory (https://www.sqlite.org/pragma.html#pragma_data_version): 1.6 µs. The epoch is read only after a
    change.
    """

    is_for_caller = False

    def __init__(self, raw: sqlite3.Connection) -> None:
        """Use a connection that nothing else uses, and that never writes."""
        self._raw = raw
        self._cursor = raw.cursor()  # one for all looks: a fresh one costs half a microsecond
        self._version: int | None = None
        self._epoch = -1

    async def ask(self) -> None:
        """Do nothing: `epoch` asks."""

    def epoch(self) -> int:
        """Return the epoch as it is now."""
        version = self._cursor.execute("PRAGMA data_version").fetchone()[0]
        if version != self._version:
            self._version = None
            self._epoch = self._cursor.execute("SELECT value FROM epoch").fetchone()[0]
            self._version = version
        return self._epoch

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()
