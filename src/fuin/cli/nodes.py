"""`fuin nodes`: the nodes of an installation, with their leases, logs and load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import typer

from fuin.cli.options import DEFAULT_DATA, Data, Database, Json, settings_of
from fuin.cli.reading import reading
from fuin.cli.terminal_escape import escape
from fuin.errors import FuinError
from fuin.store.engine import node_rows

if TYPE_CHECKING:
    from fuin.store.engine.node_rows import NodeRow, Sight

_EXACT_LEASE = 1.0  # seconds; of a node whose revocation bound is 0


def nodes(database: Database = "", data: Data = DEFAULT_DATA, json_output: Json = False) -> None:
    """List the nodes of an installation: version, lease, the epoch in force, the head of the log, and load.

    A node that has ended, or was cut off, stays in the list until another node has waited for its lease. The load is
    the records that its log gets in a second, and the processes that want to run for each core of its machine.

    **Example**: `fuin nodes --database postgresql://fuin@db1,db2/fuin`
    """
    if not database:
        raise FuinError("--database is missing: a server with its data in one folder is no node")
    with reading(settings_of(data, database)) as store:
        sight = store.read_sync(node_rows.look)
    if json_output:
        typer.echo(json.dumps([_as_object(row, sight) for row in sight.nodes], indent=1))
        return
    table = [["node", "version", "address", "lease", "epoch", "head of the log", "load"]]
    table += [_line(row, sight) for row in sight.nodes]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        typer.echo(escape("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()))
    if not sight.nodes:
        typer.echo("no node runs")


def _line(row: NodeRow, sight: Sight) -> list[str]:
    left = _seconds_left(row, sight)
    behind = "in force" if row.acked >= sight.epoch else "behind"
    name = f"{row.name} *" if row.name == sight.holder else row.name
    lease = "valid" if left > 0 else f"ran out {-left:.0f} s ago"
    head = row.log_head[:24] + "…" if len(row.log_head) > 24 else row.log_head or "-"
    load = ", ".join(f"{word} {value}" for word, value in _load(row).items()) or "-"
    return [name, row.version or "-", row.address or "-", lease, behind, head, load]


def _as_object(row: NodeRow, sight: Sight) -> dict[str, Any]:
    left = _seconds_left(row, sight)
    return {
        "Name": row.name, "Version": row.version, "Address": row.address, "Joined": row.joined,
        "LeaseValid": left > 0, "LeaseEndedSecondsAgo": max(0.0, round(-left, 1)), "RevocationBound": row.lease,
        "AcknowledgedEpoch": row.acked, "Epoch": sight.epoch, "LogHead": row.log_head, "Load": _load(row),
        "TimedWork": row.name == sight.holder,
    }  # fmt: skip


def _seconds_left(row: NodeRow, sight: Sight) -> float:
    return row.renewed + (row.lease or _EXACT_LEASE) - sight.now


def _load(row: NodeRow) -> dict[str, float]:
    try:
        found = json.loads(row.load or "{}")
    except ValueError:
        return {}
    return {str(word): value for word, value in found.items()} if isinstance(found, dict) else {}
