"""Options that several commands share."""

import socket
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fuin.errors import FuinError
from fuin.server import joining
from fuin.settings import Settings
from fuin.xks.addresses import Hosts

Data = Annotated[Path, typer.Option("--data", help="The server's data folder.", envvar="FUIN_DATA")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AccessKeyId = Annotated[
    str | None, typer.Option("--access-key-id", help="Use this access key id instead of a new one.")
]
SecretAccessKey = Annotated[
    str | None,
    typer.Option(
        "--secret-access-key",
        help="Use this secret instead of a new one. The process list shows it; use FUIN_SECRET_ACCESS_KEY to hide it.",
        envvar="FUIN_SECRET_ACCESS_KEY",
        show_envvar=True,
    ),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="Read the root key's passphrase from this file (- for standard input)."),
]
Account = Annotated[str, typer.Option(help="The first account's number, twelve digits; used at the first start.")]
Region = Annotated[str, typer.Option(help="The Region for requests that name none.")]
Blobs = Annotated[
    str,
    typer.Option(
        "--blobs",
        envvar="FUIN_BLOBS",
        metavar="s3://BUCKET/PREFIX",
        help="Store the objects' ciphertext in a bucket on S3, by the credentials that AWS's own programs would take.",
    ),
]
BlobsEndpoint = Annotated[
    str, typer.Option("--blobs-endpoint", metavar="URL", help="The endpoint of that S3; AWS by default.")
]
BlobsAuthority = Annotated[
    Path | None,
    typer.Option("--blobs-ca", help="PEM certificate authority of that S3.", exists=True, dir_okay=False),
]
Database = Annotated[
    str,
    typer.Option(
        "--database",
        metavar="URL",
        envvar="FUIN_DATABASE",
        help="The PostgreSQL database that several nodes share, postgresql://USER@HOST:PORT,HOST:PORT/NAME, instead of "
        "SQLite in the data folder.",
    ),
]
Node = Annotated[
    str, typer.Option("--node", metavar="NAME", help="With --database: this node's own name; by default the host's.")
]
ProxyHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--xks-host",
        help="A host where external key store proxies may be: NAME, or NAME=ADDRESS:PORT; may be repeated. "
        "Without it, proxies may be at public addresses only.",
    ),
]
ProxyAuthority = Annotated[
    Path | None,
    typer.Option(
        "--xks-ca", help="PEM certificate authority of external key store proxies.", exists=True, dir_okay=False
    ),
]
DEFAULT_DATA = Path("fuin-data")


def settings_of(data: Path, database: str) -> Settings:
    """Return the settings of a command about a server's data: in its folder, or in a database that nodes share."""
    settings = Settings(data=data.absolute(), database_url=database)
    return replace(settings, node=joining.name_of(settings)) if database else settings


def default_node(name: str) -> str:
    """Return the name of this node: the one that was given, or the host's."""
    return name or socket.gethostname()


def check_account(account: str) -> None:
    """Raise FuinError unless this is the number of an account."""
    if len(account) != 12 or not (account.isascii() and account.isdigit()):
        raise FuinError("--account takes twelve digits")


def check_proxy_hosts(hosts: list[str]) -> None:
    """Raise FuinError unless each of these is a host of external key store proxies."""
    try:
        Hosts(hosts)
    except ValueError as error:
        raise FuinError(f"--xks-host: {error}") from None
