"""`fuin key`: make, list and show keys, and what changes their state."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuin.cli.kms.reference import Key, Tags, alias_name, find_key_id
from fuin.cli.pairs import parse_pairs
from fuin.cli.wire.answers import WireError
from fuin.cli.wire.client import Client
from fuin.cli.wire.command import JsonOutput, Yes, client_command
from fuin.cli.wire.show import confirm, print_json, print_table, print_values, say, time_text
from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Iterator

Alias = Annotated[str | None, typer.Option("--alias", metavar="NAME", help="Name it at once: alias/NAME.")]
Description = Annotated[str | None, typer.Option("--description", help="What it is for.")]
Spec = Annotated[
    str, typer.Option("--spec", metavar="SPEC", help="SYMMETRIC_DEFAULT, RSA_4096, ECC_NIST_P256, HMAC_256, …")
]
Usage = Annotated[
    str | None, typer.Option("--usage", metavar="USAGE", help="For RSA and ECC: ENCRYPT_DECRYPT or SIGN_VERIFY.")
]
MultiRegion = Annotated[bool, typer.Option("--multi-region", help="A key that may have replicas in other Regions.")]
Rotate = Annotated[bool, typer.Option("--rotate", help="Rotate it each year.")]
Every = Annotated[
    int | None, typer.Option("--every", metavar="DAYS", min=90, max=2560, help="Rotate by itself each so many days.")
]
Off = Annotated[bool, typer.Option("--off", help="Rotate it no longer by itself.")]
Days = Annotated[int, typer.Option("--days", min=7, max=30, help="How long it can be cancelled.")]


@client_command("kms")
def create_key(
    client: Client, alias: Alias = None, description: Description = None, spec: Spec = "SYMMETRIC_DEFAULT",
    usage: Usage = None, multi_region: MultiRegion = False, rotate: Rotate = False, tag: Tags = None,
    json_output: JsonOutput = False,
) -> None:  # fmt: skip
    """Make a key, and print its ARN.

    **Examples**

    * `fuin key create --alias reports --rotate --tag team=finance`
    * `fuin key create --spec ECC_NIST_P256 --usage SIGN_VERIFY --alias releases`
    """
    if alias is not None:
        _refuse_taken(client, alias_name(alias))
    tags = [{"TagKey": name, "TagValue": value} for name, value in parse_pairs(tag, "--tag", "NAME=VALUE").items()]
    answer = client.ask(
        "create_key", "the new key", Description=description, KeySpec=spec, KeyUsage=usage or _usual_usage(spec),
        MultiRegion=multi_region or None, Tags=tags or None,
    )  # fmt: skip
    made = answer["KeyMetadata"]
    try:
        if rotate:
            client.ask("enable_key_rotation", f"key {made['KeyId']}", KeyId=made["KeyId"])
        if alias is not None:
            name = alias_name(alias)
            client.ask("create_alias", name, AliasName=name, TargetKeyId=made["KeyId"])
    except FuinError as error:
        with suppress(FuinError):
            client.ask("schedule_key_deletion", "the new key", KeyId=made["KeyId"], PendingWindowInDays=7)
        raise FuinError(f"{error}; the new key {made['KeyId']} will be deleted") from error
    print_json(made) if json_output else typer.echo(made["Arn"])


def _refuse_taken(client: Client, name: str) -> None:
    """Raise FuinError if an alias exists already, before a key is made for it."""
    try:
        client.ask("describe_key", name, KeyId=name)
    except WireError as error:
        if error.is_missing or error.is_refused:
            return
        raise
    raise FuinError(f"{name} exists already: choose another name, or point it elsewhere with `fuin alias move`")


def _usual_usage(spec: str) -> str:
    if spec.startswith("HMAC_"):
        return "GENERATE_VERIFY_MAC"
    return "SIGN_VERIFY" if spec.startswith(("ECC_", "ML_DSA_")) else "ENCRYPT_DECRYPT"


@client_command("kms")
def list_keys(client: Client, json_output: JsonOutput = False) -> None:
    """List the keys with their aliases, states and descriptions.

    **Example**: `fuin key list`
    """
    aliases: dict[str, list[str]] = {}
    with suppress(FuinError):  # a caller may list keys, and not aliases
        for each in client.items("list_aliases", "the list of aliases", "Aliases"):
            aliases.setdefault(each.get("TargetKeyId", ""), []).append(each["AliasName"])
    keys = [
        _summary(client, each["KeyId"], aliases.get(each["KeyId"], []))
        for each in client.items("list_keys", "the list of keys", "Keys")
    ]
    if json_output:
        print_json(keys)
    else:
        titles = ("key", "alias", "state", "spec", "description")
        print_table(titles, [[key.get(title, "") for title in titles] for key in keys])


def _summary(client: Client, key_id: str, aliases: list[str]) -> dict[str, Any]:
    named = {"key": key_id, "alias": " ".join(sorted(aliases))}
    try:
        found = client.ask("describe_key", f"key {key_id}", KeyId=key_id)["KeyMetadata"]
    except WireError as error:
        if error.is_missing or error.is_refused:
            return named | {"state": "(no right to see it)"}
        raise
    return named | {
        "state": found["KeyState"], "spec": found.get("KeySpec", ""), "description": found.get("Description", "")
    }  # fmt: skip


@client_command("kms")
def show_key(client: Client, key: Key, json_output: JsonOutput = False) -> None:
    """Show a key: state, aliases, rotation, tags and when it was made.

    **Example**: `fuin key show alias/reports`
    """
    found = client.ask("describe_key", f"key {key}", KeyId=key)["KeyMetadata"]
    if json_output:
        print_json(found)
    else:
        print_values({name: value for name, value in _details(client, found) if value not in {None, ""}})


def _details(client: Client, found: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    arn = found["Arn"]
    yield "key", arn
    yield "aliases", _read_or_explain(lambda: _alias_names(client, found["KeyId"]))
    yield "description", found.get("Description")
    yield "state", found["KeyState"]
    yield "deletion", time_text(found.get("DeletionDate"))
    yield "spec", f"{found.get('KeySpec', '')}, {found.get('KeyUsage', '')}"
    yield "manager", found.get("KeyManager")
    yield "material", found.get("Origin")
    yield "multi-Region", found.get("MultiRegionConfiguration", {}).get("MultiRegionKeyType")
    yield "created", time_text(found.get("CreationDate"))
    if found.get("KeySpec") == "SYMMETRIC_DEFAULT" and found.get("Origin") == "AWS_KMS":
        yield (
            "rotation",
            _read_or_explain(lambda: _rotation_text(client.ask("get_key_rotation_status", f"key {arn}", KeyId=arn))),
        )
    yield "tags", _read_or_explain(lambda: _tags_text(client, arn))


def _read_or_explain(read: Any) -> str:
    try:
        return str(read())
    except WireError as error:
        return "(no right to see it)" if error.is_refused else f"({error.code})"


def _alias_names(client: Client, key_id: str) -> str:
    found = client.items("list_aliases", "the list of aliases", "Aliases", KeyId=key_id)
    return " ".join(sorted(each["AliasName"] for each in found))


def _tags_text(client: Client, arn: str) -> str:
    found = client.items("list_resource_tags", f"key {arn}", "Tags", KeyId=arn)
    return " ".join(f"{each['TagKey']}={each['TagValue']}" for each in found)


def _rotation_text(status: dict[str, Any]) -> str:
    if not status.get("KeyRotationEnabled"):
        return "not by itself"
    following = time_text(status.get("NextRotationDate"))
    return f"each {status.get('RotationPeriodInDays', 365)} days" + (f", next {following}" if following else "")


@client_command("kms")
def enable_key(client: Client, key: Key) -> None:
    """Enable a key, so that it can be used.

    **Example**: `fuin key enable alias/reports`
    """
    client.ask("enable_key", f"key {key}", KeyId=find_key_id(client, key))
    say(f"{key} is enabled")


@client_command("kms")
def disable_key(client: Client, key: Key) -> None:
    """Disable a key: what is encrypted under it cannot be opened until it is enabled.

    **Example**: `fuin key disable alias/reports`
    """
    client.ask("disable_key", f"key {key}", KeyId=find_key_id(client, key))
    say(f"{key} is disabled")


@client_command("kms")
def rotate_key(client: Client, key: Key, every: Every = None, off: Off = False) -> None:
    """Rotate a key now; with --every from now on by itself, with --off no longer.

    **Examples**

    * `fuin key rotate alias/reports`
    * `fuin key rotate alias/reports --every 365`
    """
    if every is not None and off:
        raise typer.BadParameter("--every and --off exclude each other")
    about, key_id = f"key {key}", find_key_id(client, key)
    if off:
        client.ask("disable_key_rotation", about, KeyId=key_id)
    elif every is not None:
        client.ask("enable_key_rotation", about, KeyId=key_id, RotationPeriodInDays=every)
    else:
        client.ask("rotate_key_on_demand", about, KeyId=key_id)
    say(f"{key} {'rotates no longer by itself' if off else f'rotates each {every} days' if every else 'is rotated'}")


@client_command("kms")
def delete_key(client: Client, key: Key, days: Days = 30, yes: Yes = False) -> None:
    """Schedule a key's deletion: after so many days nothing under it can ever be opened.

    On Fuin, `fuin key dependents` shows what that would be.

    **Example**: `fuin key delete alias/old-reports --days 7`
    """
    key_id = find_key_id(client, key)
    confirm(f"Delete {key} in {days} days? Nothing under it can be opened then, or ever again.", yes=yes)
    answer = client.ask("schedule_key_deletion", f"key {key}", KeyId=key_id, PendingWindowInDays=days)
    typer.echo(f"{key} will be deleted at {time_text(answer.get('DeletionDate'))}; until then: "
               f"fuin key cancel-deletion {key_id}")  # fmt: skip


@client_command("kms")
def cancel_deletion(client: Client, key: Key) -> None:
    """Cancel a key's deletion; it is disabled then.

    **Example**: `fuin key cancel-deletion 1234abcd-12ab-34cd-56ef-1234567890ab`
    """
    client.ask("cancel_key_deletion", f"key {key}", KeyId=find_key_id(client, key))
    say(f"{key} will not be deleted; `fuin key enable` makes it usable")
