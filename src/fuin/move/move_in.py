"""Moving in: an embedded server's data folder becomes an installation of many nodes."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from fuin import crash
from fuin.blobs.configuration import configured_copies, configured_store
from fuin.blobs.interface import Marker
from fuin.errors import FuinError, KeyholderUnavailable
from fuin.identity.administration import Act
from fuin.keyholder.wire.client import Keyholder
from fuin.move import finish, logs
from fuin.move.claim import FinishedMove
from fuin.move.databases import open_postgres, open_sqlite
from fuin.move.keyholder import log_end, own_keyholder
from fuin.move.stages import Outcome, Side, Transfer
from fuin.server import agreement, joining, keyholding, process, timekeeper
from fuin.server.data_lock import AlreadyRunning, lock_data
from fuin.store.engine import installation
from fuin.store.engine.configuration import configured_engine
from fuin.store.engine.glance import LogPosition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fuin.move.stages import Progress
    from fuin.secret import Secret
    from fuin.settings import Settings


async def move_in(
    source: Settings, target: Settings, passphrase: Callable[[], Secret], progress: Progress, *, reread: bool = False
) -> Outcome:
    """Copy a data folder's installation; when no server runs on the folder, finish. Raises FuinError.

    `passphrase` is called for the finish alone. It opens the root key, or seals the one that was bare.
    """
    process.forbid_core_dumps()  # it holds the passphrase, and perhaps the bare root key
    process.learn_how_children_end()
    if not source.database.exists():
        raise FuinError(f"{source.data} holds no Fuin server's data")
    async with contextlib.AsyncExitStack() as stack:
        is_last = True
        try:
            stack.enter_context(lock_data(source))
        except AlreadyRunning:
            is_last = False
        else:
            await agreement.check(source, moves_to=configured_engine(target).place)
            timekeeper.start(source)
        configured_engine(target).prepare(create=True)
        transfer = await stack.enter_async_context(_open(source, target, progress, reread=reread))
        try:
            identity = await transfer.claim()
        except FinishedMove:
            if is_last:  # a run of an earlier version may have ended before it noted that in the source
                finish.mark_moved(transfer.source.database, transfer.target.database.place)
            raise
        outcome = await transfer.bring(is_last=is_last)
        if is_last:
            await _Finish(source, target, transfer, identity, passphrase()).run(outcome)
        else:
            await _copy_running_log(source, transfer)
        return outcome


@contextlib.asynccontextmanager
async def _open(source: Settings, target: Settings, progress: Progress, *, reread: bool) -> AsyncIterator[Transfer]:
    with open_sqlite(source.database) as ours, open_postgres(target.database_url) as theirs:
        yield Transfer(
            Side(ours, configured_store(source), configured_copies(source)),
            Side(theirs, configured_store(target), configured_copies(target)),
            progress,
            reread,
        )


async def _copy_running_log(source: Settings, transfer: Transfer) -> None:
    """Copy the log of a running server as far as it is, so that the last run is short."""
    keyholder = Keyholder(source.keyholder_socket)
    with contextlib.suppress(KeyholderUnavailable):  # it is just starting or ending
        try:
            end = await log_end(keyholder)
            logs.copy_log(source.audit, transfer.target.copies, end)
        finally:
            await keyholder.close()


class _Finish:
    """The last stage: compare, record, copy the log, and make the target usable."""

    def __init__(
        self, source: Settings, target: Settings, transfer: Transfer, identity: str, passphrase: Secret
    ) -> None:
        self._source = source
        self._target = target
        self._transfer = transfer
        self._identity = identity
        self._passphrase = passphrase

    async def run(self, outcome: Outcome) -> None:
        """Finish the move; the outcome gets what both sides agree on."""
        sealed = keyholding.seal_root_key(self._source, self._passphrase)
        opens = self._passphrase if keyholding.needs_passphrase(self._source) else None
        async with own_keyholder(self._source, opens) as keyholder:
            outcome.agreement = await self._transfer.compare()
            database = self._transfer.target.database
            places = {"to": database.place, "blobsTo": self._transfer.target.blobs.place}
            account = installation.find_values(self._transfer.source.database.conn)["account"]
            act = Act("MoveOut", account, {**places, **outcome.agreement.facts()})
            await keyholder.record(act.draft(about="change"))
            await self._make_usable(keyholder, sealed)
            await keyholder.record(act.draft())
            logs.copy_log(self._source.audit, self._transfer.target.copies, await log_end(keyholder))

    async def _make_usable(self, keyholder: Keyholder, sealed: bytes) -> None:
        transfer, end = self._transfer, await log_end(keyholder)
        node = logs.copy_log(self._source.audit, transfer.target.copies, end)
        serial = finish.next_serial(transfer.source.database, transfer.target.database)
        values = {
            joining.ROOT_KEY: sealed.hex(),
            joining.BLOBS: self._target.blobs_url,
            joining.ENDPOINT: self._target.blobs_endpoint,
            # A node of this name would have to have this log.
            installation.name_for("log", node): LogPosition(end.sequence, end.head).text,
        }
        crash.point("move.before_finish")
        await transfer.target.blobs.write_marker(Marker(self._identity, serial))
        # First the source: at no moment could both be served. A run that ends in between is finished by the next one.
        finish.mark_moved(transfer.source.database, transfer.target.database.place)
        crash.point("move.marked")
        finish.finish(transfer.source.database, transfer.target.database, transfer.tables, values, serial, node)
        crash.point("move.after_finish")
