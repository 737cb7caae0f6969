"""Notes at each start, hour and stop, from which later starts see whether database, log and blobs agree."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fuin.blobs.configuration import configured_store
from fuin.blobs.interface import Marker
from fuin.errors import FuinError
from fuin.identity.administration import Act
from fuin.keyholder.wire.client import Keyholder
from fuin.server.agreement import Finding
from fuin.server.process import say
from fuin.store.engine import epoch, installation
from fuin.store.engine.glance import LogPosition
from fuin.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from fuin.blobs.interface import BlobStore
    from fuin.server.agreement import Refused, Witnesses
    from fuin.settings import Settings

HOURLY = 3600.0  # seconds from one note of the log's position to the next
DAILY = 24 * HOURLY  # seconds from one mark of the blobs to the next, while a server runs
_PATIENCE = 3.0  # seconds with a keyholder that does not answer, when the server ends


async def settle(settings: Settings, seen: Witnesses, accepted: Sequence[Refused]) -> None:
    """Record the accepted disagreements, and note the positions of log and blobs at this start.

    Afterwards database, log and blobs agree, so that no later start needs an option.
    """
    remind(settings, accepted)
    store, keyholder = Store.open(settings), Keyholder(settings.keyholder_socket)
    try:
        acts = [Act(_operation(each.finding), settings.account, dict(each.values)) for each in accepted]
        for act in acts:
            await keyholder.record(act.draft(about="change"))
        if accepted:
            _, serial = store.commit_sync(lambda conn: _accept(conn, seen, settings.member))
            for act in acts:
                await keyholder.record(act.draft(commit=serial))
        # The log first, so that no older database has the mark's serial.
        await note_log(store, keyholder, settings.member)
        blobs = configured_store(settings)
        if not settings.member or await blobs.read_marker() is None:
            await mark(blobs, store, note=not settings.member)
    finally:
        await keyholder.close()
        store.close()


def remind(settings: Settings, accepted: Sequence[Refused]) -> None:
    """Report options with nothing to accept: if they stay, they accept the next loss without a question."""
    used = {refused.finding.option for refused in accepted}
    for option in sorted({finding.option for finding in Finding if finding.option} - used):
        if getattr(settings, option):
            say(f"--{option.replace('_', '-')} has nothing to accept: remove it, or it accepts the next loss unasked")


def _operation(finding: Finding) -> str:
    return "Accept" + finding.title.title().replace(" ", "")


def _accept(conn: Connection, seen: Witnesses, node: str) -> None:
    """Raise the database's serial above all that the others know; blobs moved to orphans before are kept for good."""
    marked = 0 if seen.mark is None else seen.mark.serial
    epoch.begin_branch(conn, max(seen.commit, marked), node)
    accepted = epoch.read_total(conn) + 1  # that of this very commit
    values: dict[str, str | None] = {"accepted": str(accepted), "unswept": str(accepted)}
    if seen.mark is not None and seen.database is not None and seen.database.blobs is None:
        values["installation"] = seen.mark.installation  # a database from before there were any
    installation.put_values(conn, values)


async def mark(blobs: BlobStore, store: Store, *, note: bool = True) -> None:
    """Mark the store of blobs with the database's present serial, and note that in the database.

    A node of many writes a mark only where none is, and notes nothing: another node may write a mark at the same time,
    and the lower one of the two may be the last.
    """
    standing = await store.read(installation.find_standing)
    await blobs.write_marker(Marker(standing.installation, standing.serial))
    if note:
        await store.write(installation.put_values, {"blobs": str(standing.serial)})


async def raise_mark(blobs: BlobStore, serial: int) -> None:
    """Raise the mark to a serial of a day ago, so that an older database is detected even if no server started since.

    It is a day late, since a backup of a running server copies the database before it ends with the blobs. The database
    does not note it: blobs that were copied a moment earlier are not older than the database. A missing mark is not
    made: an unmounted disk's empty folder would be taken for the blobs. Raises StoreUnavailable.
    """
    there = await blobs.read_marker()
    if there is not None and there.serial < serial:
        await blobs.write_marker(Marker(there.installation, serial))


async def note_log(store: Store, keyholder: Keyholder, node: str = "") -> None:
    """Note the log's last record in the database, at a start and a stop: a later log without it was cut off."""
    position = await keyholder.status()
    noted = LogPosition(position.sequence, position.head).text
    values = {installation.name_for("log", node): noted, installation.name_for("log_next", node): None}
    await store.write(installation.put_values, values)


async def note_log_ahead(store: Store, keyholder: Keyholder, node: str = "") -> None:
    """Note the log's last record for use in an hour, and put the note of an hour ago into force.

    So a copy of the log may be up to an hour older than the copy of the database beside it: a backup of a running
    server copies the log first.
    """
    position = await keyholder.status()
    noted = LogPosition(position.sequence, position.head).text
    await store.write(_note_ahead, noted, node)


def _note_ahead(conn: Connection, noted: str, node: str) -> None:
    log, log_next = installation.name_for("log", node), installation.name_for("log_next", node)
    values: dict[str, str | None] = {log_next: noted}
    ahead = installation.find_values(conn).get(log_next)
    if ahead is not None:
        values[log] = ahead
    installation.put_values(conn, values)


async def note_stop(settings: Settings) -> None:
    """Note the log's last record after the workers have ended and before the keyholder ends; report a failure."""
    try:
        store, keyholder = Store.open(settings, create=False), Keyholder(settings.keyholder_socket)
        try:
            await asyncio.wait_for(note_log(store, keyholder, settings.member), _PATIENCE)
        finally:
            await keyholder.close()
            store.close()
    except (FuinError, TimeoutError) as error:
        say(f"the log's position could not be noted: {str(error) or 'the keyholder does not answer'}")
