"""`fuin version`."""

import typer

from fuin import __version__


def version() -> None:
    """Print the version.

    **Example**: `fuin version`
    """
    typer.echo(__version__)
