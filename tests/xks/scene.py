"""A real proxy over TLS, a real keyholder that derives the signing keys, and the client between them."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from fuin.settings import Settings
from fuin.testing.xks_proxy.server import Proxy, Server
from fuin.xks.client import Proxies
from fuin.xks.failure import Failure, FailureReason
from fuin.xks.proxy import Proxy as Asked
from fuin.xks.proxy import RequestMetadata
from tests.keyholder.process import Holder
from tests.support.certificates import Authority

T = TypeVar("T")

HOST = "xks.example.test"
ACCESS_KEY_ID, SECRET = "AKIAI2SFODNN7EXAMPLE", "FYtE5EFA5FT0mCc3DrGUe2sti527BitkQ0Zr9MO9fvE"
ASKING = RequestMetadata("Encrypt", "4112f4d6", "arn:aws:iam::123456789012:user/alice", "arn:aws:kms:::key/1", "s3")
PATIENT = 20.0  # seconds; a busy machine is no failure


class Scene:
    """A proxy at HOST that the client is told of, and one key at it."""

    def __init__(self, server: Server, authority: Authority, holder: Holder, folder: Path) -> None:
        self.server = server
        self.proxy: Proxy = server.proxy
        self.authority = authority
        self.holder = holder
        self.settings = self.told_of(server.port, folder)

    def told_of(self, port: int, folder: Path, timeout: float = PATIENT, host: str = HOST) -> Settings:
        """Return settings that let the proxy be asked."""
        return Settings(
            data=folder,
            xks_hosts=(f"{host}=127.0.0.1:{port}",),
            xks_ca=self.authority.path,
            xks_timeout=timeout,
        )

    def run(
        self,
        story: Callable[[Proxies, Asked], Awaitable[T]],
        settings: Settings | None = None,
        *,
        secret: str = SECRET,
        host: str = HOST,
        path: str | None = None,
    ) -> T:
        """Run a story with a client and the proxy that it asks."""

        async def main() -> T:
            keyholder = self.holder.client()
            proxies = Proxies(settings or self.settings, keyholder)
            sealed = await keyholder.seal_secret(ACCESS_KEY_ID, secret)
            try:
                return await story(proxies, Asked(host, path or self.proxy.path, "us-east-1", ACCESS_KEY_ID, sealed))
            finally:
                await proxies.close()
                await keyholder.close()

        return asyncio.run(main())

    def why(
        self, story: Callable[[Proxies, Asked], Awaitable[object]], settings: Settings | None = None
    ) -> FailureReason:
        """Return why a story fails."""
        with pytest.raises(Failure) as caught:
            self.run(story, settings)
        return caught.value.reason
