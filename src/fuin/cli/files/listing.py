"""`fuin ls`, `fuin rm` and `fuin cat`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuin.cli.files.address import Address, parse_address, parse_object
from fuin.cli.files.download import stream
from fuin.cli.terminal_escape import escape
from fuin.cli.wire.answers import WireError
from fuin.cli.wire.client import Client
from fuin.cli.wire.command import JsonOutput, Yes, client_command
from fuin.cli.wire.show import confirm, print_json, say, time_text
from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Iterator

_BATCH = 1000  # objects of one DeleteObjects: AWS

Place = Annotated[str | None, typer.Argument(metavar="s3://BUCKET/PREFIX", help="Where; without it the buckets.")]
Objects = Annotated[list[str], typer.Argument(metavar="s3://BUCKET/KEY", help="Objects.")]
Recursive = Annotated[bool, typer.Option("--recursive", "-r", help="Everything below, not only the next folder.")]


@client_command("s3")
def list_objects(
    client: Client, place: Place = None, recursive: Recursive = False, json_output: JsonOutput = False
) -> None:
    """List buckets, or objects and folders.

    **Examples**

    * `fuin ls`
    * `fuin ls s3://reports/2026/`
    * `fuin ls -r s3://reports --json`
    """
    if place is None:
        buckets = list(client.items("list_buckets", "the list of buckets", "Buckets"))
        if json_output:
            print_json([{"bucket": each["Name"], "created": each.get("CreationDate")} for each in buckets])
        else:
            for each in buckets:
                typer.echo(f"{time_text(each.get('CreationDate'))}  {escape(each['Name'])}")
        return
    address = parse_address(place)
    pages = client.pages(
        "list_objects_v2", f"bucket {address.bucket}", Bucket=address.bucket, Prefix=address.key or None,
        Delimiter=None if recursive else "/",
    )  # fmt: skip
    count = 0
    for page in pages:
        for entry in _entries(page):
            count += 1
            if json_output:
                typer.echo(json.dumps(entry))
            else:
                typer.echo(escape(_line(entry)))
    if not count and address.key:
        raise FuinError(f"there is nothing at {address}")


def _entries(page: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from ({"folder": each["Prefix"]} for each in page.get("CommonPrefixes", ()))
    for each in page.get("Contents", ()):
        yield {"key": each["Key"], "bytes": each["Size"], "modified": time_text(each["LastModified"])}


def _line(entry: dict[str, Any]) -> str:
    if "folder" in entry:
        return f"{'folder':>36}  {entry['folder']}"
    return f"{entry['modified']}  {entry['bytes']:>14,}  {entry['key']}"


@client_command("s3")
def print_objects(client: Client, objects: Objects) -> None:
    """Print objects to standard output, one after the other.

    **Example**: `fuin cat s3://reports/2026/q1.csv | head`
    """
    for address in [parse_object(text) for text in objects]:
        stream(client, address, sys.stdout.buffer, lambda _: None)


@client_command("s3")
def remove_objects(client: Client, objects: Objects, recursive: Recursive = False, yes: Yes = False) -> None:
    """Remove objects; with --recursive everything below, after asking.

    In a bucket with versions the older versions stay.

    **Examples**

    * `fuin rm s3://reports/2026/q1.csv`
    * `fuin rm -r s3://reports/2026/ --yes`
    """
    count = 0
    for text in objects:
        if recursive:
            address = parse_address(text)
            confirm(f"Remove all objects of {address}?", yes=yes)
            count += _remove_below(client, address)
        else:
            _remove_one(client, parse_object(text))
            count += 1
    say(f"removed {count} {'object' if count == 1 else 'objects'}")


def _remove_one(client: Client, address: Address) -> None:
    """Remove an object; raises WireError if it does not exist, which S3 itself does not say."""
    try:
        client.ask("head_object", str(address), Bucket=address.bucket, Key=address.key)
    except WireError as error:
        if not error.is_refused:  # a caller may have the right to remove, and not to read
            raise
    client.ask("delete_object", str(address), Bucket=address.bucket, Key=address.key)


def _remove_below(client: Client, address: Address) -> int:
    """Remove the objects whose keys begin so, and return their number."""
    count = 0
    batch: list[str] = []
    about = f"bucket {address.bucket}"
    for found in client.items("list_objects_v2", about, "Contents", Bucket=address.bucket, Prefix=address.key or None):
        batch.append(found["Key"])
        if len(batch) == _BATCH:
            count += _remove_batch(client, address, batch)
            batch = []
    count += _remove_batch(client, address, batch) if batch else 0
    if not count:
        raise FuinError(f"there is nothing at {address}")
    return count


def _remove_batch(client: Client, address: Address, keys: list[str]) -> int:
    named = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
    answer = client.ask("delete_objects", f"bucket {address.bucket}", Bucket=address.bucket, Delete=named)
    errors = answer.get("Errors", [])
    if errors:
        first = errors[0]
        place = escape(str(Address(address.bucket, first["Key"])))
        raise FuinError(f"{len(errors)} objects were not removed; {place}: {first.get('Message') or first.get('Code')}")
    return len(keys)
