"""`fuin ledger`: hold what the index says about keys against the stored objects."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuin.cli.options import DEFAULT_DATA, Blobs, BlobsAuthority, BlobsEndpoint, Data, Database, Json, settings_of
from fuin.cli.progress import progress_bars
from fuin.cli.reading import reading
from fuin.cli.terminal_escape import escape
from fuin.ledger.blobs import open_blobs
from fuin.ledger.check import LedgerCheck
from fuin.server import joining
from fuin.store.s3 import key_use_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.ledger.check import Difference
    from fuin.settings import Settings

app = typer.Typer(help="The ledger of what depends on each key.", no_args_is_help=True)

Listed = Annotated[int, typer.Option("--limit", min=0, help="How many differences to name; all are counted.")]
_LISTED = 10_000


@app.callback()
def _ledger() -> None:
    pass


@app.command("check")
def check(
    data: Data = DEFAULT_DATA, database: Database = "", blobs: Blobs = "", blobs_endpoint: BlobsEndpoint = "",
    blobs_ca: BlobsAuthority = None, limit: Listed = _LISTED, json_output: Json = False,
) -> None:  # fmt: skip
    """Compare what the index says about keys with every stored object; the exit status is 1 if anything differs.

    For each object, older version, upload and bucket, the columns that `fuin key dependents` counts are compared with
    the stored envelope: the encryption of the row, and the header of each stored message. No key is used. It works
    whether the server runs or not.

    **Example**: `fuin ledger check --data ./fuin-data`
    """
    settings = replace(
        settings_of(data, database), blobs_url=blobs, blobs_endpoint=blobs_endpoint,
        blobs_ca=blobs_ca and blobs_ca.absolute(),
    )  # fmt: skip
    if database:
        settings = joining.with_blobs(settings, joining.read_values(settings))
    named: list[dict[str, Any]] = []

    def show(found: Difference) -> None:
        if json_output:
            named.append(asdict(found))
        else:
            typer.echo(escape(found.sentence))

    done = asyncio.run(_run(settings, limit, show))
    if json_output:
        typer.echo(json.dumps({"rows": done.rows, "differences": done.differences, "named": named}, indent=1))
    else:
        typer.echo(f"{done.rows:,} rows compared, {done.differences:,} differences")
    if done.differences:
        raise typer.Exit(1)


async def _run(settings: Settings, limit: int, show: Callable[[Difference], None]) -> LedgerCheck:
    with reading(settings) as store, progress_bars() as bars:
        blobs = await open_blobs(settings, store)
        done = LedgerCheck(store, blobs, bars.begin("rows", await store.read(key_use_rows.count_rows)))
        async for found in done.run():
            if done.differences <= limit:
                show(found)
        return done
