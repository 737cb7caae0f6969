"""The `fuin` command, put together from the table of its verbs.

Only the module of the verb that is asked for is imported; the others are there by name and summary alone. So
`fuin ls` needs nothing of the database, `fuin serve` nothing of `fuin encrypt`, and the help needs neither.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from fuin import __version__
from fuin.cli.verb_table import VERBS, Group
from fuin.errors import FuinError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fuin.cli.verb_table import Verb


def command(asked: Sequence[str] | None = None) -> typer.Typer:
    """Return the command, in which the verb that these words ask for is whole; without words all are."""
    app = typer.Typer(
        name="fuin",
        help="Fuin (封印): a self-hosted key management service and encrypted object store for AWS clients.",
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_enable=False,  # a traceback could show what a variable holds
        add_completion=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_fuin)
    _add(app, VERBS, asked)
    return app


def _add(app: typer.Typer, verbs: Mapping[str, Verb | Group], asked: Sequence[str] | None) -> None:
    for name, verb in verbs.items():
        is_asked = asked is None or list(asked[:1]) == [name]
        if isinstance(verb, Group):
            group = typer.Typer(help=verb.summary, no_args_is_help=True)
            group.callback()(_group)  # so that a single verb is one too, and not the group itself
            _add(group, verb.verbs, None if asked is None else asked[1:] if is_asked else ())
            app.add_typer(group, name=name, rich_help_panel=verb.panel)
        elif not is_asked:
            app.command(name, help=verb.summary, rich_help_panel=verb.panel)(_stand_in)
        else:
            _add_whole(app, name, verb)


def _add_whole(app: typer.Typer, name: str, verb: Verb) -> None:
    found = getattr(import_module(f"fuin.cli.{verb.module}"), verb.attribute)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name, rich_help_panel=verb.panel)
    else:
        app.command(name, rich_help_panel=verb.panel)(found)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(__version__)
        raise typer.Exit


def _fuin(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def _group() -> None:
    pass


def _stand_in() -> None:
    raise FuinError("the command comes first, its options come after it; `fuin --help` lists the commands")
