"""`fuin host`: the machines that open volumes. It works on the server's machine, whether the server runs or not."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from fuin.cli.admin import UserAccount, with_server
from fuin.cli.options import DEFAULT_DATA, Data, Database, Json, PassphraseFile, settings_of
from fuin.cli.terminal_escape import escape
from fuin.errors import FuinError
from fuin.identity import host_administration
from fuin.store.engine import installation
from fuin.store.volumes import hosts

if TYPE_CHECKING:
    from fuin.keyholder.wire.client import Keyholder
    from fuin.store.store import Store
    from fuin.store.volumes.hosts import Host

app = typer.Typer(help="Hosts: the machines that open encrypted volumes.", no_args_is_help=True)

HostName = Annotated[str, typer.Argument(metavar="NAME", help="A name for people, such as the machine's own.")]
HostId = Annotated[str, typer.Argument(metavar="ID", help="The host's id, i-…, as `fuin host list` shows it.")]
HostRegion = Annotated[str, typer.Option("--region", help="The host's Region; by default the server's.")]
Zone = Annotated[str, typer.Option("--zone", help="The host's zone; by default the first one of its Region.")]
Endpoint = Annotated[
    str, typer.Option("--endpoint-url", metavar="URL", help="Where the host reaches the server; only printed.")
]


@app.command("add")
def add(
    name: HostName,
    data: Data = DEFAULT_DATA,
    database: Database = "",
    account: UserAccount = None,
    region: HostRegion = "",
    zone: Zone = "",
    endpoint_url: Endpoint = "http://127.0.0.1:8700",
    passphrase_file: PassphraseFile = None,
) -> None:
    """Add a host, and print the content of its /etc/fuin/host.json; its secret is shown only now.

    The host's credentials can do nothing but open the volumes that are attached to it.

    **Example**: `fuin host add db1 --data ./fuin-data --endpoint-url https://fuin.example:8700`
    """

    async def act(store: Store, keyholder: Keyholder, first: str) -> dict[str, str]:
        where = region or await _region_of_server(store)
        host, key = await host_administration.add_host(
            store, keyholder, account or first, name, where, zone or f"{where}a"
        )
        return {
            "host_id": host.host_id,
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret.reveal().decode(),
            "endpoint_url": endpoint_url,
            "region": host.region,
        }

    typer.echo(json.dumps(with_server(settings_of(data, database), passphrase_file, act), indent=2))


async def _region_of_server(store: Store) -> str:
    found = await store.read(installation.find_meta)
    if found is None:
        raise FuinError("the server has not finished its first start")
    return found.region


@app.command("list")
def list_all(
    data: Data = DEFAULT_DATA,
    database: Database = "",
    account: UserAccount = None,
    json_output: Json = False,
    passphrase_file: PassphraseFile = None,
) -> None:
    """List the hosts of an account.

    **Example**: `fuin host list --data ./fuin-data`
    """

    async def act(store: Store, _: Keyholder, first: str) -> list[Host]:
        return await store.read(hosts.list_hosts, account or first)

    found = [_members(host) for host in with_server(settings_of(data, database), passphrase_file, act)]
    if json_output:
        typer.echo(json.dumps({"Hosts": found}))
        return
    for host in found:
        typer.echo(escape(f"{host['HostId']}  {host['Zone']}  {host['Created']}  {host['Name']}"))


def _members(host: Host) -> dict[str, str]:
    return {
        "HostId": host.host_id,
        "Name": host.name,
        "Region": host.region,
        "Zone": host.zone,
        "Arn": host.principal.arn,
        "AccessKeyId": host.access_key_id,
        "Created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(host.created_at)),
    }


@app.command("remove")
def remove(
    host_id: HostId,
    data: Data = DEFAULT_DATA,
    database: Database = "",
    account: UserAccount = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Remove a host: its credentials are refused when the command returns. Volumes must be detached first.

    **Example**: `fuin host remove i-0123456789abcdef0 --data ./fuin-data`
    """

    async def act(store: Store, keyholder: Keyholder, first: str) -> None:
        await host_administration.remove_host(store, keyholder, account or first, host_id)

    with_server(settings_of(data, database), passphrase_file, act)
