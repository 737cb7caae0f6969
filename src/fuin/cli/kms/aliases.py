"""`fuin alias`: names of keys that can be pointed elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from fuin.cli.kms.reference import Key, alias_name, find_key_id
from fuin.cli.wire.client import Client
from fuin.cli.wire.command import JsonOutput, client_command
from fuin.cli.wire.show import print_json, print_table, say

Alias = Annotated[str, typer.Argument(metavar="ALIAS", help="The alias: alias/NAME, or NAME.")]


@client_command("kms")
def list_aliases(client: Client, json_output: JsonOutput = False) -> None:
    """List the aliases and their keys.

    Aliases of AWS's services for which no key was made yet are only in the JSON.

    **Example**: `fuin alias list`
    """
    found = list(client.items("list_aliases", "the list of aliases", "Aliases"))
    if json_output:
        print_json(found)
    else:
        print_table(
            ("alias", "key"), [(each["AliasName"], each["TargetKeyId"]) for each in found if "TargetKeyId" in each]
        )


@client_command("kms")
def create_alias(client: Client, alias: Alias, key: Key) -> None:
    """Give a key a name.

    **Example**: `fuin alias create reports 1234abcd-12ab-34cd-56ef-1234567890ab`
    """
    name = alias_name(alias)
    client.ask("create_alias", name, AliasName=name, TargetKeyId=find_key_id(client, key))
    say(f"{name} names {key}")


@client_command("kms")
def move_alias(client: Client, alias: Alias, key: Key) -> None:
    """Point an alias at another key; what is encrypted already stays under the old one.

    **Example**: `fuin alias move reports 1234abcd-12ab-34cd-56ef-1234567890ab`
    """
    name = alias_name(alias)
    client.ask("update_alias", name, AliasName=name, TargetKeyId=find_key_id(client, key))
    say(f"{name} names {key}")


@client_command("kms")
def remove_alias(client: Client, alias: Alias) -> None:
    """Remove an alias; its key stays.

    **Example**: `fuin alias remove reports`
    """
    name = alias_name(alias)
    client.ask("delete_alias", name, AliasName=name)
    say(f"removed {name}")
