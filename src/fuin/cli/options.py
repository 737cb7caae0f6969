"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Option("--data", help="The server's data folder.", envvar="FUIN_DATA")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AccessKeyId = Annotated[
    str | None, typer.Option("--access-key-id", help="Use this access key id instead of a new one.")
]
SecretAccessKey = Annotated[
    str | None,
    typer.Option(
        "--secret-access-key",
        help="Use this secret instead of a new one. The process list shows it; use FUIN_SECRET_ACCESS_KEY to hide it.",
        envvar="FUIN_SECRET_ACCESS_KEY",
        show_envvar=True,
    ),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="Read the root key's passphrase from this file (- for standard input)."),
]
DEFAULT_DATA = Path("fuin-data")
