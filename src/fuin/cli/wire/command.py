"""A command that is a client: it gets one, and the options that say where it asks."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from fuin.cli.wire.client import Client, Place

if TYPE_CHECKING:
    from collections.abc import Callable

Endpoint = Annotated[
    str | None,
    typer.Option("--endpoint-url", metavar="URL", help="Where to ask; default: AWS_ENDPOINT_URL, else AWS."),
]
Region = Annotated[str | None, typer.Option("--region", metavar="R", help="The Region; default: AWS_REGION.")]
Profile = Annotated[
    str | None, typer.Option("--profile", metavar="P", help="A profile of ~/.aws/config; default: AWS_PROFILE.")
]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_PLACE = {"endpoint_url": Endpoint, "region": Region, "profile": Profile}


def client_command(service: str, *, connections: int = 10) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that gives a command a client of a service as its first argument, for as long as it runs."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        def command(**values: Any) -> None:
            place = Place(*(values.pop(name) for name in _PLACE))
            client = Client(service, place, connections=connections)
            try:
                function(client, **values)
            finally:
                client.close()

        hints = get_type_hints(function, include_extras=True)
        signature = inspect.signature(function)
        kind = inspect.Parameter.KEYWORD_ONLY
        given = [
            parameter.replace(annotation=hints[name], kind=kind)
            for name, parameter in list(signature.parameters.items())[1:]
        ]
        place = [inspect.Parameter(name, kind, default=None, annotation=hint) for name, hint in _PLACE.items()]
        command.__signature__ = signature.replace(parameters=[*given, *place])  # type: ignore[attr-defined]
        command.__annotations__ = {parameter.name: parameter.annotation for parameter in (*given, *place)}
        command.__name__, command.__doc__ = function.__name__, function.__doc__
        return command

    return decorate
