"""`fuin bucket`: make, list, show and remove buckets."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuin.cli.files.address import SCHEME
from fuin.cli.wire.answers import WireError
from fuin.cli.wire.client import Client
from fuin.cli.wire.command import JsonOutput, client_command
from fuin.cli.wire.show import print_json, print_table, print_values, say
from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Mapping

_HOME = "us-east-1"  # the Region that CreateBucket must not name

Name = Annotated[str, typer.Argument(metavar="BUCKET", help="The bucket's name.")]
Key = Annotated[
    str | None, typer.Option("--key", metavar="KEY", help="The KMS key of the bucket's default encryption (SSE-KMS).")
]
BucketKey = Annotated[bool, typer.Option("--bucket-key", help="With --key: ask KMS less often (an S3 Bucket Key).")]
Versions = Annotated[bool, typer.Option("--versions", help="Keep older versions of objects.")]


@client_command("s3")
def create_bucket(
    client: Client, name: Name, key: Key = None, bucket_key: BucketKey = False, versions: Versions = False
) -> None:
    """Make a bucket, whose objects may be encrypted under a KMS key by default.

    **Examples**

    * `fuin bucket create reports`
    * `fuin bucket create reports --key alias/reports --versions`
    """
    name, about = _bare_name(name), f"bucket {_bare_name(name)}"
    if bucket_key and key is None:
        raise typer.BadParameter("--bucket-key needs --key")
    _refuse_taken(client, name)
    if key is not None:
        _check_key(client, key)
    place = None if client.region == _HOME else {"LocationConstraint": client.region}
    client.ask("create_bucket", about, Bucket=name, CreateBucketConfiguration=place)
    try:
        if key is not None:
            rule: dict[str, Any] = {
                "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key},
                "BucketKeyEnabled": bucket_key,
            }
            client.ask("put_bucket_encryption", about, Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
        if versions:
            client.ask("put_bucket_versioning", about, Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    except BaseException:
        with suppress(FuinError):
            client.ask("delete_bucket", about, Bucket=name)  # it is empty: it was made a moment ago
        raise
    say(f"made {SCHEME}{name}")


def _refuse_taken(client: Client, name: str) -> None:
    """Raise FuinError if the bucket exists: S3 itself takes a second CreateBucket of its owner for a success."""
    try:
        client.ask("head_bucket", f"bucket {name}", Bucket=name)
    except WireError as error:
        if error.is_missing:
            return
        if not error.is_refused:
            raise
        raise FuinError(f"bucket {name} exists already, in another account or without a right to it") from error
    raise FuinError(f"bucket {name} exists already")


def _check_key(client: Client, key: str) -> None:
    """Raise WireError if the key does not exist: S3 itself takes any name, and each upload would fail."""
    kms = client.sibling("kms")
    try:
        kms.ask("describe_key", f"key {key}", KeyId=key)
    except WireError as error:
        if not error.is_refused:  # who makes a bucket need not have a right to its key
            raise
    finally:
        kms.close()


@client_command("s3")
def list_buckets(client: Client, json_output: JsonOutput = False) -> None:
    """List the buckets.

    **Example**: `fuin bucket list`
    """
    found = list(client.items("list_buckets", "the list of buckets", "Buckets"))
    if json_output:
        print_json(found)
    else:
        print_table(("bucket", "created"), [(each["Name"], each.get("CreationDate")) for each in found])


@client_command("s3")
def show_bucket(client: Client, name: Name, json_output: JsonOutput = False) -> None:
    """Show a bucket's Region, default encryption, versions and policy.

    **Example**: `fuin bucket show reports`
    """
    name, about = _bare_name(name), f"bucket {_bare_name(name)}"
    client.ask("head_bucket", about, Bucket=name)
    values = {
        "bucket": name,
        "region": _setting(
            client, "get_bucket_location", name, lambda answer: answer.get("LocationConstraint") or _HOME
        ),
        "encryption": _setting(client, "get_bucket_encryption", name, _encryption_text),
        "versions": _setting(client, "get_bucket_versioning", name, lambda answer: answer.get("Status", "Off")),
        "policy": _setting(client, "get_bucket_policy", name, lambda answer: answer["Policy"]),
    }
    if json_output:
        print_json(values)
    else:
        print_values(values)


@client_command("s3")
def remove_bucket(client: Client, name: Name) -> None:
    """Remove a bucket, which must be empty.

    **Example**: `fuin bucket remove reports`
    """
    name = _bare_name(name)
    client.ask("delete_bucket", f"bucket {name}", Bucket=name)
    say(f"removed {SCHEME}{name}")


def _bare_name(text: str) -> str:
    """Return the name of a bucket, which may be written as an address too."""
    return text.removeprefix(SCHEME).rstrip("/")


def _setting(client: Client, operation: str, name: str, read: Any) -> str:
    """Return one setting of a bucket as a text, also where it is not set or may not be seen."""
    try:
        return str(read(client.ask(operation, f"bucket {name}", Bucket=name)))
    except WireError as error:
        if error.is_refused:
            return "(no right to see it)"
        if error.code in {"NoSuchBucketPolicy", "ServerSideEncryptionConfigurationNotFoundError"}:
            return "none"
        raise


def _encryption_text(answer: Mapping[str, Any]) -> str:
    rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0]
    default = rule.get("ApplyServerSideEncryptionByDefault", {})
    key = default.get("KMSMasterKeyID")
    text = f"{default.get('SSEAlgorithm', '')} {key}" if key else str(default.get("SSEAlgorithm", ""))
    return f"{text}, bucket key" if rule.get("BucketKeyEnabled") else text
