"""`fuin explain REQUEST-ID`: what happened behind a request, as numbered steps."""

from __future__ import annotations

import json
import textwrap
from typing import Annotated

import typer

from fuin.audit import reader
from fuin.cli.audit import as_json
from fuin.cli.options import DEFAULT_DATA, Data, Json
from fuin.cli.plain import plain
from fuin.cli.story import tell
from fuin.errors import FuinError
from fuin.settings import Settings

RequestId = Annotated[str, typer.Argument(metavar="REQUEST-ID", help="x-amz-request-id or x-amzn-RequestId.")]


def explain(request_id: RequestId, data: Data = DEFAULT_DATA, json_output: Json = False) -> None:
    """Tell what happened behind a request: who asked, which key, why it was allowed or refused, what was stored.

    The id stands in every answer; `fuin audit show` lists it too.

    **Example**: `fuin explain 6f1c…-…-… --data ./fuin-data`
    """
    entries = reader.find(Settings(data=data.absolute()).audit, request_id)
    if not entries:
        raise FuinError(f"no record of a request {request_id}")
    if json_output:
        typer.echo(json.dumps([as_json(entry) for entry in entries], indent=1))
        return
    for number, step in enumerate(tell(entries), 1):
        typer.echo(
            textwrap.fill(
                plain(step), 118, initial_indent=f"{number:2}. ", subsequent_indent="    ", break_on_hyphens=False
            )
        )
