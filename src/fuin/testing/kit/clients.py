"""boto3 clients of a place, made once for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from fuin.testing.kit.users import User


class Clients:
    """Clients of one endpoint. Each sends a call once: a test wants to see the first answer."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = boto3.session.Session()  # keeps the loaded service models
        self._made: dict[tuple[object, ...], Any] = {}

    def get(self, service: str, user: User, token: str | None, region: str, options: dict[str, Any]) -> Any:
        """Return the client of a service for a user; `options` are botocore's, as in `Config`."""
        index = (service, user.access_key_id, user.secret_access_key, token, region, *sorted(options.items()))
        if index not in self._made:
            self._made[index] = self._session.client(
                service,
                region_name=region,
                endpoint_url=self._url,
                config=_config(service, options),
                aws_access_key_id=user.access_key_id,
                aws_secret_access_key=user.secret_access_key,
                aws_session_token=token,
            )
        return self._made[index]

    def close(self) -> None:
        """Close all clients."""
        for client in self._made.values():
            client.close()
        self._made.clear()


def _config(service: str, options: dict[str, Any]) -> Config:
    common: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "read_timeout": 60}
    if service == "s3":
        # A loopback address has no bucket's name before it; and boto3 presigns by version 2 unless it learns better.
        common |= {"s3": {"addressing_style": "path"}, "signature_version": "s3v4"}
    return Config(**common | options)
