"""`fuin policy`: check a policy before it is put, or suggest one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from fuin.access.kinds import PolicyKind
from fuin.access.lint.lint import lint
from fuin.access.policy import parse_policy
from fuin.cli import suggest
from fuin.cli.options import Json
from fuin.cli.terminal_escape import escape
from fuin.cli.text_file import read_text
from fuin.errors import FuinError, MalformedPolicy

app = typer.Typer(help="Policies: likely mistakes, and the least policy that is needed.", no_args_is_help=True)

KINDS = {
    "user": PolicyKind.IDENTITY, "group": PolicyKind.GROUP, "role": PolicyKind.ROLE, "managed": PolicyKind.MANAGED,
    "boundary": PolicyKind.BOUNDARY, "session": PolicyKind.SESSION, "trust": PolicyKind.TRUST, "key": PolicyKind.KEY,
    "bucket": PolicyKind.BUCKET,
}  # fmt: skip

File = Annotated[
    Path, typer.Argument(metavar="FILE.json", help="The policy document.", exists=True, dir_okay=False)
]  # fmt: skip
Kind = Annotated[
    str | None, typer.Option(help=f"The kind of policy: {', '.join(KINDS)}. By default it is guessed.")
]  # fmt: skip


@app.command("lint")
def lint_file(file: File, kind: Kind = None, json_output: Json = False) -> None:
    """Warn about likely mistakes in a policy; the exit status is 1 if there are any.

    When a policy is put, the server writes the same warnings to its log and to the request's
    record; it refuses nothing.

    **Example**: `fuin policy lint writer.json`
    """
    document = read_text(file)
    chosen = guess(document) if kind is None else kind
    if chosen not in KINDS:
        raise FuinError(f"--kind takes one of {', '.join(KINDS)}")
    findings = lint(document, KINDS[chosen])
    if json_output:
        found = [{"check": f.check, "statement": f.statement, "text": f.text, "link": f.link} for f in findings]
        typer.echo(json.dumps({"kind": chosen, "findings": found}, indent=1))
    else:
        for finding in findings:
            typer.echo(escape(finding.line))
            typer.echo(f"  {finding.link}")
        typer.echo("" if findings else f"no likely mistakes in this {KINDS[chosen].value}", nl=not findings)
    if findings:
        raise typer.Exit(1)


def guess(document: str) -> str:
    """Return the likely kind of a policy: a document with principals belongs to a key, bucket or role."""
    for kind in ("user", "trust", "key"):
        try:
            parse_policy(document, KINDS[kind])
        except MalformedPolicy:
            continue
        return kind if kind != "key" or not _is_on_buckets(json.loads(document)) else "bucket"
    return "user"  # reading it as a user's policy then says what is wrong


def _is_on_buckets(policy: dict[str, Any]) -> bool:
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    actions = [statement.get("Action", "") for statement in statements]
    named = [name for action in actions for name in (action if isinstance(action, list) else [action])]
    return any(name.lower().startswith("s3:") for name in named)


app.command("suggest")(suggest.suggest_policy)
