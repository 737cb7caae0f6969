"""`fuin key policy`, `fuin key grants` and `fuin key tags`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from fuin.cli.kms.reference import Key, find_key_id
from fuin.cli.pairs import parse_pairs
from fuin.cli.text_file import read_text
from fuin.cli.wire.client import Client
from fuin.cli.wire.command import JsonOutput, client_command
from fuin.cli.wire.show import print_json, print_table, say

File = Annotated[str, typer.Argument(metavar="FILE.json", help="The policy document.")]
Grantee = Annotated[str, typer.Option("--to", metavar="ARN", help="The user or role that may use the key.")]
Operations = Annotated[
    list[str], typer.Option("--operation", metavar="OPERATION", help="Decrypt, GenerateDataKey, …; may be repeated.")
]
Context = Annotated[
    list[str] | None,
    typer.Option("--context", metavar="NAME=VALUE", help="Only with these pairs in the encryption context."),
]
GrantName = Annotated[str | None, typer.Option("--name", help="A name for it.")]
GrantId = Annotated[str, typer.Argument(metavar="GRANT", help="The grant's id.")]
Pairs = Annotated[list[str], typer.Argument(metavar="NAME=VALUE", help="Tags.")]
TagNames = Annotated[list[str], typer.Argument(metavar="NAME", help="The tags' names.")]


@client_command("kms")
def show_policy(client: Client, key: Key) -> None:
    """Print a key's policy.

    **Example**: `fuin key policy show alias/reports > policy.json`
    """
    answer = client.ask("get_key_policy", f"key {key}", KeyId=find_key_id(client, key), PolicyName="default")
    try:
        text = json.dumps(json.loads(answer["Policy"]), indent=2, ensure_ascii=False)
    except ValueError:
        text = answer["Policy"]
    typer.echo(text)


@client_command("kms")
def put_policy(client: Client, key: Key, file: File) -> None:
    """Replace a key's policy.

    **Example**: `fuin key policy put alias/reports policy.json`
    """
    document = read_text(Path(file))
    key_id = find_key_id(client, key)
    client.ask("put_key_policy", f"the policy of key {key}", KeyId=key_id, PolicyName="default", Policy=document)
    say(f"{key} has the policy of {file}")


@client_command("kms")
def list_grants(client: Client, key: Key, json_output: JsonOutput = False) -> None:
    """List a key's grants.

    **Example**: `fuin key grants list alias/reports`
    """
    found = list(client.items("list_grants", f"key {key}", "Grants", KeyId=find_key_id(client, key)))
    if json_output:
        print_json(found)
        return
    rows = [
        (each["GrantId"], each.get("Name"), each["GranteePrincipal"], " ".join(each["Operations"]),
         " ".join(f"{name}={value}" for pairs in each.get("Constraints", {}).values() for name, value in pairs.items()))
        for each in found
    ]  # fmt: skip
    print_table(("grant", "name", "to", "operations", "context"), rows)


@client_command("kms")
def create_grant(
    client: Client, key: Key, to: Grantee, operation: Operations, context: Context = None, name: GrantName = None
) -> None:
    """Grant the use of a key, and print the grant's id.

    **Example**: `fuin key grants create alias/reports --to arn:aws:iam::123456789012:user/alice --operation Decrypt`
    """
    pairs = parse_pairs(context)
    constraints: dict[str, Any] | None = {"EncryptionContextSubset": pairs} if pairs else None
    answer = client.ask(
        "create_grant", f"key {key}", KeyId=find_key_id(client, key), GranteePrincipal=to, Operations=operation,
        Constraints=constraints, Name=name,
    )  # fmt: skip
    typer.echo(answer["GrantId"])


@client_command("kms")
def revoke_grant(client: Client, key: Key, grant: GrantId) -> None:
    """Revoke a grant; on Fuin it holds nowhere any longer when the command returns.

    **Example**: `fuin key grants revoke alias/reports 0c237476b39f8bc44e45212e08498fbe3151305030726c0590dd8d3e9f3d6a60`
    """
    client.ask("revoke_grant", f"grant {grant}", KeyId=find_key_id(client, key), GrantId=grant)
    say(f"revoked {grant}")


@client_command("kms")
def list_tags(client: Client, key: Key, json_output: JsonOutput = False) -> None:
    """List a key's tags.

    **Example**: `fuin key tags list alias/reports`
    """
    found = list(client.items("list_resource_tags", f"key {key}", "Tags", KeyId=find_key_id(client, key)))
    if json_output:
        print_json(found)
    else:
        print_table(("tag", "value"), [(each["TagKey"], each["TagValue"]) for each in found])


@client_command("kms")
def add_tags(client: Client, key: Key, tags: Pairs) -> None:
    """Add tags to a key, or change their values.

    **Example**: `fuin key tags add alias/reports team=finance year=2026`
    """
    added = [{"TagKey": name, "TagValue": value} for name, value in parse_pairs(tags, "a tag", "NAME=VALUE").items()]
    client.ask("tag_resource", f"key {key}", KeyId=find_key_id(client, key), Tags=added)
    say(f"tagged {key}")


@client_command("kms")
def remove_tags(client: Client, key: Key, names: TagNames) -> None:
    """Remove tags from a key.

    **Example**: `fuin key tags remove alias/reports team`
    """
    client.ask("untag_resource", f"key {key}", KeyId=find_key_id(client, key), TagKeys=names)
    say(f"removed {', '.join(names)}")
