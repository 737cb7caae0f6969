"""The finish: one transaction that makes the target a whole installation, which may be served from then on.

A database of many nodes is closed before that, in the transaction that holds all its gates: a node that was paused
during the move, or cut off, finds no gate and no row of its own when it goes on. So at no time two sides may write. A
run that ends between the two leaves none; the next run, or `--take-back`, goes on from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from fuin.move import rows
from fuin.store.engine import epoch, installation, migrate, schema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fuin.move.databases import Database

# What the values of `meta` say about the database itself, its log or its blobs; all others go along.
_OWN = frozenset({
    installation.MOVING, installation.MOVED, migrate.SERVES_FROM, "log", "log_next", "blobs", "accepted", "unswept",
    "root_key", "blobs_url", "blobs_endpoint",
})  # fmt: skip
_LOWER = 0xFFFFFFFF
_CLOSED = "/moved"  # behind the name of a gate; a node has no slash in its name
_NAME = schema.gates.c.node
_CLOSE = sa.update(schema.gates).where(_NAME.not_like(f"%{_CLOSED}")).values(node=_NAME.concat(_CLOSED))
_REOPEN = sa.update(schema.gates).values(node=sa.func.replace(_NAME, _CLOSED, ""))


def values_to_move(values: Mapping[str, str]) -> dict[str, str]:
    """Return the values of an installation that are true wherever its data is; a node's own have a slash."""
    return {name: value for name, value in values.items() if name not in _OWN and "/" not in name}


def mark_moved(source: Database, place: str) -> None:
    """Note in the source where its installation is from now on: no server starts with the source any longer."""
    with source.transaction():
        installation.put_values(source.conn, {installation.MOVED: place})


def close_source(source: Database, place: str) -> None:
    """Commit the transaction of `stopped_writes` with that note, and with closed gates, which keep their serials.

    From then on no node writes, renews its lease or joins, whatever it knew before.
    """
    installation.put_values(source.conn, {installation.MOVED: place})
    source.conn.execute(_CLOSE)
    source.run("COMMIT")


def take_back(source: Database) -> str:
    """Remove that note, open the gates, and return the place that the note named, empty without one."""
    place = installation.find_values(source.conn).get(installation.MOVED, "")
    if place:
        with source.transaction():
            epoch.lock_epoch(source.conn)  # a node that asks for a gate comes before or after
            installation.put_values(source.conn, {installation.MOVED: None})
            source.conn.execute(_REOPEN)
    return place


def next_serial(source: Database, target: Database) -> int:
    """Return a serial above all that both sides have given."""
    return (max(epoch.read_total(source.conn), epoch.read_total(target.conn)) | _LOWER) + 1


def finish(
    source: Database, target: Database, tables: Sequence[sa.Table], values: Mapping[str, str], serial: int, node: str
) -> None:
    """Make the target usable, with these values beside the source's; `node` is the name that gets the serial.

    Without a node it is the serial of the database itself.
    """
    value = max(epoch.read_epoch(source.conn), epoch.read_epoch(target.conn))
    counters: dict[str, int] = {"value": epoch.next_epoch(value, takes_rights=True)}
    with target.transaction():
        rows.set_sequences(target, tables)
        if node:
            target.conn.execute(sa.delete(schema.gates).where(schema.gates.c.node == node))
            target.conn.execute(sa.insert(schema.gates), {"node": node, "serial": serial})
        else:
            counters["serial"] = serial
        target.conn.execute(sa.update(schema.epoch).where(schema.epoch.c.id == 1).values(counters))
        moved = values_to_move(installation.find_values(source.conn))
        installation.put_values(target.conn, {**moved, **values, installation.MOVING: None})
