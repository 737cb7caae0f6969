"""`fuin init`: make an installation of many nodes, or bring its database to the schema of this version."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from fuin.cli import passphrase
from fuin.cli.options import (
    DEFAULT_DATA,
    Account,
    Blobs,
    BlobsAuthority,
    BlobsEndpoint,
    Data,
    Database,
    Node,
    PassphraseFile,
    Region,
    check_account,
    default_node,
)
from fuin.errors import FuinError
from fuin.server.installing import install
from fuin.settings import Settings
from fuin.store.engine.configuration import upgrade_schema

if TYPE_CHECKING:
    from fuin.secret import Secret
    from fuin.server.first_start import RootAccess

Upgrade = Annotated[
    bool,
    typer.Option("--upgrade", help="Bring the database of an installation to the schema of this version."),
]


def init(
    database: Database = "",
    data: Data = DEFAULT_DATA,
    node: Node = "",
    blobs: Blobs = "",
    blobs_endpoint: BlobsEndpoint = "",
    blobs_ca: BlobsAuthority = None,
    account: Account = "123456789012",
    region: Region = "us-east-1",
    passphrase_file: PassphraseFile = None,
    upgrade: Upgrade = False,
) -> None:
    """Make an installation of many nodes in an empty PostgreSQL database; a second time it changes nothing.

    Run it on the machine of the first node, with the --data and --node of its server: that node's log records it. The
    new root key is sealed by the passphrase (Argon2id) and stored in the database. The account's root access key is
    printed once, unless FUIN_ROOT_ACCESS_KEY_ID and FUIN_ROOT_SECRET_ACCESS_KEY give it.

    **Example**: `fuin init --database postgresql://fuin@db1,db2/fuin --blobs s3://fuin-blobs --node a`
    """
    if not database:
        raise FuinError("--database is missing: a server with its data in one folder needs no `fuin init`")
    check_account(account)
    settings = Settings(
        data=data.absolute(), database_url=database, node=default_node(node), account=account, region=region,
        blobs_url=blobs, blobs_endpoint=blobs_endpoint, blobs_ca=blobs_ca and blobs_ca.absolute(),
    )  # fmt: skip
    if upgrade:
        before, now = upgrade_schema(replace(settings, node=""))
        typer.echo(f"the schema is {now}" + (" already" if before == now else f"; it was {before}"))
        return

    def read_passphrase() -> Secret | None:
        return passphrase.read(passphrase_file, needed=True, new=not settings.root_key.exists())

    _announce(settings, asyncio.run(install(settings, read_passphrase)))


def _announce(settings: Settings, access: RootAccess) -> None:
    lines = [f"The installation is made: account {settings.account}, region {settings.region}"]
    if not settings.blobs_url:
        lines.append("  without --blobs objects stay in the folder of the node that gets them: use one node, or no S3")
    if access.secret is not None:
        lines += [
            "  The account's root access key, shown only now:",
            f"  export AWS_ACCESS_KEY_ID={access.access_key_id}",
            f"  export AWS_SECRET_ACCESS_KEY={access.secret.reveal().decode()}",
        ]
    lines.append(f"  next: fuin serve --database … --node {settings.node} --data {settings.data}")
    typer.echo("\n".join(lines))
