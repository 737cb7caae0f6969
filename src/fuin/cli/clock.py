"""`fuin clock`: show the wall clock, the counted time and what waits for them to agree, and confirm the wall clock."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuin.cli.admin import with_server
from fuin.cli.options import DEFAULT_DATA, Data, Database, Json, PassphraseFile, settings_of
from fuin.cli.reading import reading
from fuin.errors import FuinError
from fuin.server import timekeeper
from fuin.server.timekeeper import ClockReport, describe_clocks, iso
from fuin.store.engine import steady_time as rows

if TYPE_CHECKING:
    from fuin.keyholder.wire.client import Keyholder
    from fuin.store.store import Store

app = typer.Typer(help="The wall clock, the counted time, and what waits for them to agree.")

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
_KINDS = {
    "keys": "keys whose deletion is due by the wall clock but not by the counted time:",
    "materials": "keys whose imported material has expired by the wall clock but not by the counted time:",
    "rotations": "keys whose rotation is due by the wall clock but not by the counted time:",
    "buckets": "buckets whose lifecycle rules rest; what they end by the wall clock is not counted here:",
}


@app.callback(invoke_without_command=True)
def show(context: typer.Context, data: Data = DEFAULT_DATA, database: Database = "", json_output: Json = False) -> None:
    """Show the wall clock, the counted time, and what waits.

    It works whether the server runs or not.

    **Example**: `fuin clock --data ./fuin-data`
    """
    if context.invoked_subcommand is not None:
        return
    with reading(settings_of(data, database)) as store:
        shown = _read_clocks(store)
    if json_output:
        typer.echo(json.dumps(_values(shown)))
    else:
        _print(shown)


@app.command("confirm")
def confirm(
    data: Data = DEFAULT_DATA, database: Database = "", passphrase_file: PassphraseFile = None, yes: Yes = False
) -> None:
    """Confirm that this machine's wall clock is right: everything that is due by it is carried out, for good.

    First check the time that it shows, and what waits. A running server knows within 15 seconds.

    **Example**: `fuin clock confirm --data ./fuin-data`
    """
    with reading(settings_of(data, database)) as store:
        shown = _read_clocks(store)
    _print(shown)
    if not yes and not typer.confirm("Is the wall clock right, and shall this be carried out?"):
        raise FuinError("nothing was confirmed")

    async def act(store: Store, keyholder: Keyholder, first: str) -> None:
        await timekeeper.confirm(store, keyholder, first, shown)

    with_server(settings_of(data, database), passphrase_file, act)
    typer.echo("confirmed")


def _read_clocks(store: Store) -> ClockReport:
    if store.read_sync(rows.find) is None:
        raise FuinError("no time has been counted yet; the server begins to count at its next start")
    return timekeeper.report_clocks(store)


def _values(shown: ClockReport) -> dict[str, Any]:
    kept = shown.kept
    since = None if kept.since is None else iso(kept.since)
    return {
        "Wall": iso(kept.wall), "Counted": iso(kept.steady), "LimitSeconds": kept.limit, "Held": kept.held,
        "HeldSince": since, "Waiting": shown.waiting._asdict(),
    }  # fmt: skip


def _print(shown: ClockReport) -> None:
    kept = shown.kept
    typer.echo(f"wall clock:    {iso(kept.wall)}\ncounted time:  {iso(kept.steady)}")
    since = "" if kept.since is None else f" (since {iso(kept.since)}, counted time)"
    sentence = describe_clocks(kept)
    typer.echo(f"{sentence[0].upper()}{sentence[1:]}{since}.")
    for kind, names in shown.waiting._asdict().items():
        if names:
            typer.echo(f"{len(names)} {_KINDS[kind]}")
            typer.echo("\n".join(f"  {name}" for name in names))
