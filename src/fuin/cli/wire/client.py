"""A client of one AWS service, at the endpoint and with the credentials that AWS's own programs would take."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import botocore.session
from botocore.config import Config

from fuin.cli.wire.answers import EXPECTED, wire_error

if TYPE_CHECKING:
    from collections.abc import Iterator


class Place(NamedTuple):
    """Where to ask, and as whom; None leaves it to the environment and the AWS configuration files."""

    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None


class Client:
    """A client whose errors are sentences; its methods may be called from several threads."""

    def __init__(self, service: str, place: Place, *, connections: int = 10) -> None:
        """Make the client, which asks nothing yet; raises WireError."""
        self._place = place
        try:
            session = botocore.session.Session(profile=place.profile)
            region = place.region
            if region is None and session.get_config_variable("region") is None:
                region = os.environ.get("AWS_REGION")  # other SDKs read it, botocore reads AWS_DEFAULT_REGION only
            settings = session.get_scoped_config().get("s3")
            style = settings.get("addressing_style") if isinstance(settings, dict) else None
            config = Config(
                retries={"mode": "standard"}, connect_timeout=10,
                max_pool_connections=connections, s3={"addressing_style": style or "path"}, user_agent_extra="fuin-cli",
            )  # fmt: skip
            self._client: Any = session.create_client(
                service, region_name=region, endpoint_url=place.endpoint_url, config=config
            )
        except EXPECTED as error:
            raise wire_error(error, service) from error

    @property
    def region(self) -> str:
        """Return the Region that it asks."""
        return str(self._client.meta.region_name)

    @property
    def endpoint_url(self) -> str:
        """Return the endpoint that it asks."""
        return str(self._client.meta.endpoint_url)

    def ask(self, operation: str, about: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to a request about something that a message can name; raises WireError."""
        try:
            answer: dict[str, Any] = getattr(self._client, operation)(
                **{name: value for name, value in parameters.items() if value is not None}
            )
        except EXPECTED as error:
            raise wire_error(error, about) from error
        return answer

    def items(self, operation: str, about: str, member: str, **parameters: Any) -> Iterator[Any]:
        """Yield the members of all pages of a list; raises WireError."""
        for page in self.pages(operation, about, **parameters):
            yield from page.get(member, ())

    def pages(self, operation: str, about: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Yield the pages of a list; raises WireError."""
        given = {name: value for name, value in parameters.items() if value is not None}
        try:
            yield from self._client.get_paginator(operation).paginate(**given)
        except EXPECTED as error:
            raise wire_error(error, about) from error

    def sibling(self, service: str) -> Client:
        """Return a client of another service at the same place."""
        return Client(service, self._place)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
