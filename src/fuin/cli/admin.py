"""`fuin user` and `fuin account`: they work whether the server runs or not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from fuin.access.kinds import PolicyKind
from fuin.access.lint.lint import lint
from fuin.cli import passphrase
from fuin.cli.options import (
    DEFAULT_DATA,
    AccessKeyId,
    Data,
    Database,
    Json,
    PassphraseFile,
    SecretAccessKey,
    settings_of,
)
from fuin.cli.reading import require_data
from fuin.cli.terminal_escape import escape
from fuin.cli.text_file import read_text
from fuin.errors import FuinError
from fuin.identity import administration
from fuin.identity.administration import PreparedKey
from fuin.keyholder.wire.client import Keyholder
from fuin.server import first_start, keyholding
from fuin.server.joining import join
from fuin.settings import Settings
from fuin.store.engine import installation
from fuin.store.store import Store

Result = TypeVar("Result")
Name = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]
PolicyFile = Annotated[
    Path, typer.Argument(metavar="FILE.json", help="The policy document.", exists=True, dir_okay=False)
]
AccountId = Annotated[str, typer.Argument(metavar="ID", help="Twelve digits.")]
UserAccount = Annotated[str | None, typer.Option("--account", help="The user's account; by default the first one.")]


def with_server(
    settings: Settings, file: Path | None, act: Callable[[Store, Keyholder, str], Awaitable[Result]]
) -> Result:
    """Run `act` with the store, the keyholder and the first account's number of a server, or of a node."""
    require_data(settings)
    if settings.database_url:
        if not settings.node:
            raise FuinError(
                f"{settings.data} is no node's data folder: --data names the folder of a node that was started"
            )
        settings = join(settings)
    first_start.check_log(settings)

    async def run() -> Result:
        needed = keyholding.needs_passphrase(settings)
        async with keyholding.open_keyholder(settings, lambda: passphrase.read(file, needed=needed)) as keyholder:
            store = Store.open(settings, create=False)
            try:
                first = await store.read(installation.find_meta)
                if first is None:
                    raise FuinError("the server has not finished its first start")
                return await act(store, keyholder, first.account)
            finally:
                store.close()

    return asyncio.run(run())


def add_user(
    name: Name,
    data: Data = DEFAULT_DATA,
    database: Database = "",
    json_output: Json = False,
    account: UserAccount = None,
    access_key_id: AccessKeyId = None,
    secret_access_key: SecretAccessKey = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Add a user with one access key; its secret is shown only now.

    A new user may do nothing until `fuin user policy` gives it rights.

    **Example**: `fuin user add alice --data ./fuin-data --json`
    """

    async def act(store: Store, keyholder: Keyholder, first: str) -> dict[str, str]:
        user, key = await administration.add_user(
            store, keyholder, account or first, name, access_key_id, secret_access_key
        )
        return {"UserName": user.name, "UserId": user.id, "Arn": user.arn, **_access_key_output(key)}

    _print(with_server(settings_of(data, database), passphrase_file, act), json_output)


def put_policy(
    name: Name,
    file: PolicyFile,
    data: Data = DEFAULT_DATA,
    database: Database = "",
    account: UserAccount = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Replace a user's inline policy; it holds in all workers when the command returns.

    Likely mistakes are reported, as with `fuin policy lint`.

    **Example**: `fuin user policy alice writer.json --data ./fuin-data`
    """
    document = read_text(file)

    async def act(store: Store, keyholder: Keyholder, first: str) -> None:
        await administration.put_user_policy(store, keyholder, account or first, name, document)

    with_server(settings_of(data, database), passphrase_file, act)
    for finding in lint(document, PolicyKind.IDENTITY):
        typer.echo(escape(f"warning: {finding.line}"), err=True)


def add_account(
    account_id: AccountId,
    data: Data = DEFAULT_DATA,
    database: Database = "",
    json_output: Json = False,
    access_key_id: AccessKeyId = None,
    secret_access_key: SecretAccessKey = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Add an account with a root access key; its secret is shown only now.

    **Example**: `fuin account add 210987654321 --data ./fuin-data --json`
    """

    async def act(store: Store, keyholder: Keyholder, _first: str) -> dict[str, str]:
        key = await administration.add_account(store, keyholder, account_id, access_key_id, secret_access_key)
        return {"AccountId": account_id, "Arn": f"arn:aws:iam::{account_id}:root", **_access_key_output(key)}

    _print(with_server(settings_of(data, database), passphrase_file, act), json_output)


def _access_key_output(key: PreparedKey) -> dict[str, str]:
    return {"AccessKeyId": key.access_key_id, "SecretAccessKey": key.secret.reveal().decode()}


def _print(values: dict[str, str], as_json: bool) -> None:
    typer.echo(json.dumps(values) if as_json else "\n".join(f"{name}: {value}" for name, value in values.items()))
