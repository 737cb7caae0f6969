"""The verbs of the `fuin` command, and the modules that have them.

Only the module of the verb that is asked for is imported: `fuin serve` needs nothing of `fuin encrypt`, and starts the
sooner.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import typer

from fuin import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable


class Verb(NamedTuple):
    """A verb: its module in this folder, and the function or the group of further verbs there."""

    module: str
    attribute: str


VERBS = {
    "serve": Verb("serve", "serve"),
    "init": Verb("init", "init"),
    "nodes": Verb("nodes", "nodes"),
    "move": Verb("move", "move"),
    "user": Verb("admin", "user_app"),
    "account": Verb("admin", "account_app"),
    "host": Verb("host", "app"),
    "audit": Verb("audit", "app"),
    "clock": Verb("clock", "app"),
    "key": Verb("key", "app"),
    "ledger": Verb("ledger", "app"),
    "verify": Verb("verify", "verify"),
    "rewrap": Verb("rewrap", "rewrap"),
    "explain": Verb("explain", "explain"),
    "policy": Verb("policy", "app"),
    "who-can": Verb("who_can", "who_can_command"),
    "simulate": Verb("simulate", "simulate"),
    "encrypt": Verb("encrypt", "encrypt"),
    "decrypt": Verb("encrypt", "decrypt"),
    "volume": Verb("volume", "app"),
}


def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def command(names: Iterable[str] = VERBS) -> typer.Typer:
    """Return the command with the verbs of these names, and `version`."""
    app = typer.Typer(
        name="fuin",
        help="Fuin (封印): a self-hosted key management service and encrypted object store for AWS clients.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,  # a traceback could show what a variable holds
        add_completion=False,
    )
    app.callback()(_fuin)  # so that a single verb is one too, and not the command itself
    for name in names:
        verb = VERBS[name]
        found = getattr(import_module(f"fuin.cli.{verb.module}"), verb.attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    app.command("version")(version)
    return app


def _fuin() -> None:
    pass
