"""The rows of nodes in the database, as the keeper writes and reads them: statements, and what their answers mean."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from fuin.store.engine.leases.protocol import NOBODY, Row, Sight

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuin.store.engine.leases.line import Line
    from fuin.store.engine.leases.protocol import Renewal

EPOCHS, ACKS = "fuin_epoch", "fuin_acks"  # channels: a change's epoch, and that a node has acknowledged one

# What the session needs for a commit to mean something, whatever the role or the database was set to.
_SESSION = """
SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply'
  THEN 'remote_apply' ELSE 'on' END, false);
SET idle_in_transaction_session_timeout = {idle};
SET lock_timeout = {milliseconds};
SET statement_timeout = {milliseconds};
LISTEN fuin_epoch;
LISTEN fuin_acks
"""
_TIMELINE = "substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)"
_EPOCH = "(SELECT value FROM epoch WHERE id = 1)"
_OTHERS = (
    "(SELECT coalesce(json_agg(json_build_array(name, encode(incarnation, 'hex'), beat, acked)), '[]') FROM nodes "
    "WHERE incarnation <> decode($1, 'hex'))"
)
_SETTINGS = ", ".join(
    f"current_setting('{name}')"
    for name in ("synchronous_standby_names", "synchronous_commit", "fsync", "full_page_writes")
)
_RENEW = (
    "UPDATE nodes SET beat = beat + 1, acked = greatest(acked, $3::bigint), "  # noqa: S608 - constants, given above
    "renewed = extract(epoch FROM clock_timestamp()) WHERE name = $2 AND incarnation = decode($1, 'hex') "
    f"RETURNING {_TIMELINE}, {_EPOCH}, {_OTHERS}, {_SETTINGS}"
)
_LOOK = f"SELECT {_TIMELINE}, {_EPOCH}, {_OTHERS}"
_BEGIN_JOIN = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT 1 FROM epoch WHERE id = 1 FOR UPDATE; "
    "SELECT name, value FROM meta WHERE name IN ('moved', 'moving'); "
    "SELECT name, encode(incarnation, 'hex'), beat, acked, lease FROM nodes"
)
_JOIN = """
INSERT INTO nodes (name, incarnation, beat, acked, joined, renewed, lease, version, address, load, log_head)
VALUES ({name}, decode({incarnation}, 'hex'), 0, {nobody}, extract(epoch FROM clock_timestamp()),
  extract(epoch FROM clock_timestamp()), {lease}, {version}, {address}, '', '')
ON CONFLICT (name) DO UPDATE SET incarnation = excluded.incarnation, beat = excluded.beat, acked = excluded.acked,
  joined = excluded.joined, renewed = excluded.renewed, lease = excluded.lease, version = excluded.version,
  address = excluded.address;
COMMIT
"""
_STRIKE = "DELETE FROM nodes WHERE name = $1 AND incarnation = decode($2, 'hex') AND beat = $3::bigint RETURNING 1"
_LEAVE = "DELETE FROM nodes WHERE name = $1 AND incarnation = decode($2, 'hex')"
# By 256 rights, not by one: a worker may have read some that the replaced server never confirmed, and that this keeper
# has not seen. Their numbers must not come again.
_RAISE = (
    "WITH raised AS (UPDATE epoch SET value = ($1::bigint | 4294967295) + 1 + 1099511627776 "
    "WHERE id = 1 AND value <= $1::bigint RETURNING value) SELECT pg_notify('fuin_epoch', value::text) FROM raised"
)


@dataclass(frozen=True, slots=True)
class Member:
    """What a node says of itself in its row."""

    name: str
    bound: float  # its --revocation-bound in seconds; the same on all nodes
    version: str = ""
    address: str = ""


class Durability(NamedTuple):
    """The server's settings that say how far a commit is kept."""

    standbys: str
    commit: str
    fsync: str
    full_pages: str

    def faults(self) -> list[str]:
        """Return a sentence for each setting with which a confirmed commit can be lost."""
        faults = []
        if not self.standbys:
            faults.append(
                "PostgreSQL confirms commits that no standby has (synchronous_standby_names is empty). After a "
                "failover a change that was answered may be undone, and a replaced primary may go on to renew leases: "
                "a revoked right may then be honoured"
            )
        if self.commit not in ("on", "remote_apply"):
            faults.append(f"PostgreSQL confirms commits before they are kept (synchronous_commit is {self.commit})")
        if self.fsync != "on":
            faults.append("PostgreSQL confirms commits that are not on a disk (fsync is off)")
        if self.full_pages != "on":
            faults.append("a crash of PostgreSQL may damage its files (full_page_writes is off)")
        return faults


def set_up(line: Line, seconds: float, idle: int) -> None:
    """Prepare a session that may rest in a transaction for some milliseconds, and listen to the two channels."""
    line.ask(_SESSION.format(milliseconds=int(seconds * 1000), idle=idle), seconds)


def begin_join(line: Line, seconds: float) -> dict[str, tuple[Row, float]]:
    """Begin the transaction of a join, one at a time in the installation; return all rows, with their bounds.

    Raises MovedAway or UnfinishedMove, without the transaction, when nothing may serve the database.
    """
    *_, moves, rows = line.ask(_BEGIN_JOIN, seconds)
    if moves:
        abandon_join(line, seconds)
        _refuse_join(moves)
    found = {}
    for row in rows:
        name, incarnation, beat, acked, bound = ((value or b"").decode() for value in row)
        found[name] = Row(name, bytes.fromhex(incarnation), int(beat), int(acked)), float(bound)
    return found


def _refuse_join(moves: Sequence[Sequence[bytes | None]]) -> None:
    from fuin.store.engine import installation  # noqa: PLC0415 - SQLAlchemy, which a keeper needs for nothing else

    installation.require_served(
        {(name or b"").decode(): (value or b"").decode() for name, value in moves}, "the database"
    )


def end_join(line: Line, member: Member, incarnation: bytes, seconds: float) -> None:
    """Write the row of this node, and commit."""
    values = {
        "name": member.name, "incarnation": incarnation.hex(), "nobody": NOBODY, "lease": member.bound,
        "version": member.version, "address": member.address,
    }  # fmt: skip
    filled = sql.SQL(_JOIN).format(**{name: sql.Literal(value) for name, value in values.items()})
    line.ask(filled.as_string(), seconds)


def abandon_join(line: Line, seconds: float) -> None:
    """End the transaction of a join without a row."""
    line.ask("ROLLBACK", seconds)


def renew(line: Line, name: str, renewal: Renewal, seconds: float) -> tuple[Sight, Durability] | None:
    """Renew the row of this node; returns None when it is gone. Raises LineFailed unless the commit is confirmed."""
    [rows] = line.ask(_RENEW, seconds, (renewal.incarnation.hex(), name, str(renewal.acked)))
    if not rows:
        return None
    timeline, epoch, others, *settings = ((value or b"").decode() for value in rows[0])
    return _sight(timeline, epoch, others), Durability(*settings)


def look(line: Line, incarnation: bytes, seconds: float) -> Sight:
    """Read what the other nodes have acknowledged."""
    [[row]] = line.ask(_LOOK, seconds, (incarnation.hex(),))
    return _sight(*((value or b"").decode() for value in row))


def _sight(timeline: str, epoch: str, others: str) -> Sight:
    rows = (Row(name, bytes.fromhex(incarnation), beat, acked) for name, incarnation, beat, acked in json.loads(others))
    return Sight(int(timeline, 16), int(epoch), tuple(rows))


def announce_ack(line: Line, seconds: float) -> None:
    """Say that this node has acknowledged an epoch. Nothing is written, so this waits for no disk."""
    line.ask(f"NOTIFY {ACKS}", seconds)


def raise_epoch(line: Line, past: int, seconds: float) -> None:
    """Make the epoch of the database greater than one that was seen, both halves, unless it is already."""
    line.ask(_RAISE, seconds, (str(past),))


def strike(line: Line, row: Row, seconds: float) -> bool:
    """Remove the row of another node, unless it has been renewed; return whether this has removed it."""
    [removed] = line.ask(_STRIKE, seconds, (row.name, row.incarnation.hex(), str(row.beat)))
    return bool(removed)


def leave(line: Line, name: str, incarnation: bytes, seconds: float) -> None:
    """Remove the row of this node."""
    line.ask(_LEAVE, seconds, (name, incarnation.hex()))
