"""Moving out: an installation of many nodes becomes the data folder of one embedded server."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import sqlalchemy as sa

from fuin import crash
from fuin.blobs.configuration import configured_copies, configured_store
from fuin.blobs.interface import Marker
from fuin.errors import FuinError
from fuin.identity.administration import Act
from fuin.move import finish, logs
from fuin.move.databases import lease_seconds, open_postgres, open_sqlite, stopped_writes
from fuin.move.keyholder import log_end, own_keyholder
from fuin.move.stages import Outcome, Side, Transfer
from fuin.server import joining, keyholding, process
from fuin.server.data_lock import lock_data
from fuin.store.engine import installation, schema
from fuin.store.engine.glance import LogPosition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fuin.move.databases import Database
    from fuin.move.stages import Progress
    from fuin.secret import Secret
    from fuin.settings import Settings

_SLACK = 0.5  # seconds beyond the longest lease
_BEATS = sa.select(schema.nodes.c.name, schema.nodes.c.incarnation, schema.nodes.c.beat, schema.nodes.c.lease)


def find_blobs(source: Settings) -> Settings:
    """Return the settings with the blobs that the installation itself names; raises FuinError for other ones.

    Call it before the event loop runs: it waits for the database.
    """
    return joining.with_blobs(source, joining.read_values(source))


async def move_out(
    source: Settings, target: Settings, passphrase: Callable[[], Secret], progress: Progress, *, reread: bool = False
) -> Outcome:
    """Copy the installation of a database into a new data folder; when no node runs, finish. Raises FuinError.

    The settings of the source are those of `find_blobs`. `passphrase` is called for the finish alone: it opens the
    root key.
    """
    process.forbid_core_dumps()  # it holds the passphrase
    process.learn_how_children_end()
    with lock_data(target):
        if joining.name_of(target):
            raise FuinError(f"{target.data} belongs to the node {joining.name_of(target)}: move into a new folder")
        async with _open(source, target, progress, reread=reread) as transfer:
            identity = await transfer.claim()
            if await running_nodes(transfer.source.database):
                return await transfer.bring(is_last=False)
            secret = passphrase()  # nobody is asked while all nodes wait
            with stopped_writes(transfer.source.database) as leases:
                await asyncio.sleep(leases)  # of nodes that seemed to be stopped, and have gone on since
                outcome = await transfer.bring(is_last=True)
                await _Finish(target, transfer, identity, secret).run(outcome)
            return outcome


@contextlib.asynccontextmanager
async def _open(source: Settings, target: Settings, progress: Progress, *, reread: bool) -> AsyncIterator[Transfer]:
    with open_postgres(source.database_url) as ours, open_sqlite(target.database, create=True) as theirs:
        yield Transfer(
            Side(ours, configured_store(source), configured_copies(source)),
            Side(theirs, configured_store(target), configured_copies(target)),
            progress,
            reread,
        )


async def running_nodes(database: Database) -> list[str]:
    """Return the names of the nodes that renew their leases; the rows of dead ones may have stayed.

    One that is paused is not among them. The finish counts on none of this: it takes gate and row from every node.
    """
    before = database.conn.execute(_BEATS).all()
    if not before:
        return []
    await asyncio.sleep(max(lease_seconds(row.lease) for row in before) + _SLACK)
    return sorted(row.name for row in database.conn.execute(_BEATS).all() if row not in before)


class _Finish:
    """The last stage: take over the root key, compare, record, and make the folder usable."""

    def __init__(self, target: Settings, transfer: Transfer, identity: str, passphrase: Secret) -> None:
        self._target = target
        self._transfer = transfer
        self._identity = identity
        self._passphrase = passphrase

    async def run(self, outcome: Outcome) -> None:
        """Finish the move; the outcome gets what both sides agree on."""
        source = self._transfer.source
        values = installation.find_values(source.database.conn)
        logs.require_copies(values, source.copies)
        keyholding.adopt_root_key(self._target, bytes.fromhex(values[joining.ROOT_KEY]))
        async with own_keyholder(self._target, self._passphrase) as keyholder:
            outcome.agreement = await self._transfer.compare()
            places = {"from": source.database.place, "blobsFrom": source.blobs.place}
            act = Act("MoveIn", values["account"], {**places, **outcome.agreement.facts()})
            await keyholder.record(act.draft(about="change"))
            end = await log_end(keyholder)
            serial = await self._make_usable(LogPosition(end.sequence, end.head))
            await keyholder.record(act.draft(commit=serial))
            # The other side has no node that could record it: it gets a copy of this log.
            logs.copy_log(self._target.audit, source.copies, await log_end(keyholder))

    async def _make_usable(self, end: LogPosition) -> int:
        source, target = self._transfer.source, self._transfer.target
        serial = finish.next_serial(source.database, target.database)
        crash.point("move.before_finish")
        finish.close_source(source.database, target.database.place)
        crash.point("move.closed")
        await target.blobs.write_marker(Marker(self._identity, serial))
        values = {"log": end.text, "blobs": str(serial)}
        finish.finish(source.database, target.database, self._transfer.tables, values, serial, "")
        crash.point("move.after_finish")
        return serial
