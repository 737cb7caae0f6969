"""How the command line names a key: by its id, ARN or alias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fuin.cli.wire.client import Client

Key = Annotated[str, typer.Argument(metavar="KEY", help="A key: its id, ARN or alias.")]
Tags = Annotated[list[str] | None, typer.Option("--tag", metavar="NAME=VALUE", help="A tag; may be repeated.")]
_ALIAS = "alias/"


def find_key_id(client: Client, key: str) -> str:
    """Return the id or ARN that all requests take: most do not take an alias. Raises WireError."""
    if not key.startswith(_ALIAS) and f":{_ALIAS}" not in key:
        return key
    found = client.ask("describe_key", f"key {key}", KeyId=key)["KeyMetadata"]
    return str(found["KeyId"] if key.startswith(_ALIAS) else found["Arn"])  # an ARN may be of another account


def alias_name(text: str) -> str:
    """Return the name of an alias, which may be written without its beginning."""
    return text if text.startswith(_ALIAS) or ":" in text else f"{_ALIAS}{text}"
