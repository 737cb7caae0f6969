"""`fuin move`: an embedded server's data into an installation of many nodes, and back."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from fuin.cli import passphrase
from fuin.cli.options import DEFAULT_DATA, BlobsAuthority, BlobsEndpoint, Data, PassphraseFile
from fuin.cli.progress import progress_bars
from fuin.errors import FuinError
from fuin.move import finish
from fuin.move.databases import open_postgres, open_sqlite
from fuin.move.move_in import move_in
from fuin.move.move_out import find_blobs, move_out
from fuin.server import keyholding
from fuin.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from fuin.move.stages import Outcome
    from fuin.secret import Secret

ToDatabase = Annotated[
    str,
    typer.Option("--to-database", metavar="URL", help="Move the data folder into this PostgreSQL database."),
]
ToBlobs = Annotated[
    str,
    typer.Option("--to-blobs", metavar="s3://BUCKET/PREFIX", help="With --to-database: where the blobs go."),
]
FromDatabase = Annotated[
    str,
    typer.Option("--from-database", metavar="URL", help="Move the installation of this database into a new folder."),
]
FromBlobs = Annotated[
    str,
    typer.Option(
        "--from-blobs", metavar="s3://BUCKET/PREFIX", help="With --from-database: where the blobs are, as a check."
    ),
]
Reread = Annotated[
    bool, typer.Option("--reread", help="Read also the blobs again that an earlier run has copied and compared.")
]
TakeBack = Annotated[
    bool,
    typer.Option(
        "--take-back",
        help="Let servers start again with a source that was moved, --data or --from-database; nothing is moved.",
    ),
]


def move(
    data: Data = DEFAULT_DATA,
    to_database: ToDatabase = "",
    to_blobs: ToBlobs = "",
    from_database: FromDatabase = "",
    from_blobs: FromBlobs = "",
    blobs_endpoint: BlobsEndpoint = "",
    blobs_ca: BlobsAuthority = None,
    passphrase_file: PassphraseFile = None,
    reread: Reread = False,
    take_back: TakeBack = False,
) -> None:
    """Move a server's data into an installation of many nodes, or back into a new data folder.

    The first run may take long; servers may serve meanwhile. Then stop them and run it again: it copies what is new,
    compares both sides, and only then makes the target usable. It may be interrupted and repeated at any time. The
    source keeps all its data, but no server starts with it after the finish; see --take-back.

    The passphrase opens the root key. If the data folder's root key has none, it seals the copy
    that the nodes get.

    **Examples**:

    * `fuin move --data ./fuin-data --to-database postgresql://fuin@db1,db2/fuin --to-blobs s3://fuin-blobs`
    * `fuin move --from-database postgresql://fuin@db1,db2/fuin --data ./new-data`
    """
    if take_back:
        typer.echo(_take_back(data, from_database))
        return
    if bool(to_database) == bool(from_database) or bool(to_blobs) != bool(to_database):
        raise FuinError("give --to-database and --to-blobs, or --from-database")
    shared = Settings(
        data=data.absolute(), database_url=to_database or from_database, blobs_url=to_blobs or from_blobs,
        blobs_endpoint=blobs_endpoint, blobs_ca=blobs_ca and blobs_ca.absolute(),
    )  # fmt: skip
    outcome = _run(Settings(data=data.absolute()), shared, passphrase_file, is_in=bool(to_database), reread=reread)
    typer.echo("\n".join(_report(outcome, str(data), is_in=bool(to_database))))


def _run(folder: Settings, shared: Settings, passphrase_file: Path | None, *, is_in: bool, reread: bool) -> Outcome:
    read = partial(_read_passphrase, passphrase_file, new=is_in and not keyholding.needs_passphrase(folder))
    with progress_bars() as bars:
        if is_in:
            return asyncio.run(move_in(folder, shared, read, bars, reread=reread))
        return asyncio.run(move_out(find_blobs(shared), folder, read, bars, reread=reread))


def _take_back(data: Path, url: str) -> str:
    source = open_postgres(url) if url else open_sqlite(Settings(data=data.absolute()).database)
    with source as database:
        place = finish.take_back(database)
    if not place:
        return f"{database.place} was not moved: nothing to take back"
    return f"Servers may start with {database.place} again. What has changed at {place} since is unknown there"


def _read_passphrase(file: Path | None, *, new: bool) -> Secret:
    secret = passphrase.read(file, needed=True, new=new)
    if secret is None:
        raise FuinError("a passphrase is needed")
    return secret


def _report(outcome: Outcome, data: str, *, is_in: bool) -> list[str]:
    rows, blobs, agreed = outcome.rows, outcome.blobs, outcome.agreement
    copied = f"{rows.brought} rows and {blobs.copied} blobs ({blobs.bytes} bytes) copied, {rows.removed} rows removed"
    if agreed is None:
        whose = "the server" if is_in else "all nodes"
        return [copied, f"The target is not usable yet: stop {whose}, and run the same command again"]
    both = f"Both sides agree: {agreed.rows} rows, {agreed.blobs} blobs ({agreed.size} bytes), sha256 {agreed.sha256}"
    whose = "server" if is_in else "nodes"
    end = f"The move has finished. The old {whose} will not start again"
    following = f"fuin serve --data {data}"
    if is_in:
        following = "fuin serve --database … --node NAME --data FOLDER, with a new folder for each node"
    return [copied, both, end, f"  next: {following}"]
