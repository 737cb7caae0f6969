"""The `fuin` command: serve, administer, look at the log, and encrypt files."""

from __future__ import annotations

import sys

import typer

from fuin import __version__
from fuin.cli import admin, audit, clock, encrypt, explain, init, move, nodes, policy, serve, simulate, suggest, who_can
from fuin.errors import FuinError

app = typer.Typer(
    name="fuin",
    help="Fuin (封印): a self-hosted key management service and encrypted object store for AWS clients.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,  # a traceback could show what a variable holds
    add_completion=False,
)
app.command("serve")(serve.serve)
app.command("init")(init.init)
app.command("nodes")(nodes.nodes)
app.command("move")(move.move)
app.add_typer(admin.user_app, name="user")
app.add_typer(admin.account_app, name="account")
app.add_typer(audit.app, name="audit")
app.add_typer(clock.app, name="clock")
app.command("explain")(explain.explain)
policy.app.command("suggest")(suggest.suggest_policy)
app.add_typer(policy.app, name="policy")
app.command("who-can")(who_can.who_can_command)
app.command("simulate")(simulate.simulate)
app.command("encrypt")(encrypt.encrypt)
app.command("decrypt")(encrypt.decrypt)


@app.command("version")
def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def main() -> None:
    """Run the command line; an expected error is one line on standard error and exit status 1."""
    try:
        app()
    except (FuinError, OSError) as error:
        sys.stderr.write(f"fuin: {error}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
