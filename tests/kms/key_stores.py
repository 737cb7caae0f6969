"""External key stores for the tests of the key service: real proxies over TLS, and a service that may ask them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from fuin.testing.xks_proxy.server import Proxy, Server
from fuin.xks.client import Proxies
from tests.support.certificates import Authority
from tests.support.place import Place

HOST = "xks.example.test"
ENDPOINT = f"https://{HOST}"
ACCESS_KEY_ID, SECRET = "AKIAI2SFODNN7EXAMPLE", "FYtE5EFA5FT0mCc3DrGUe2sti527BitkQ0Zr9MO9fvE"
CREDENTIAL = {"AccessKeyId": ACCESS_KEY_ID, "RawSecretAccessKey": SECRET}
PATIENT = 20.0  # seconds; a busy machine is no failure


class KeyStores:
    """A place whose service may ask one proxy at HOST, with a client of the account's root."""

    def __init__(self, place: Place, server: Server, authority: Authority) -> None:
        self.place = place
        self.server = server
        self.proxy: Proxy = server.proxy
        self.authority = authority
        self.kms = place.kms()
        self.tell(server.port)

    def tell(self, port: int, timeout: float = PATIENT) -> None:
        """Let the service ask a proxy at a port of loopback, with a time limit."""
        services = self.place.services
        settings = replace(
            self.place.settings, xks_hosts=(f"{HOST}=127.0.0.1:{port}",), xks_ca=self.authority.path,
            xks_timeout=timeout,
        )  # fmt: skip

        async def change() -> None:
            await services.proxies.close()
            services.proxies = Proxies(settings, services.keyholder)

        self.place.run(change())

    def members(self, **more: Any) -> dict[str, Any]:
        """Return what CreateCustomKeyStore takes for the proxy, under a name of its own."""
        return {
            "CustomKeyStoreName": f"store {secrets.token_hex(4)}",
            "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
            "XksProxyUriEndpoint": ENDPOINT,
            "XksProxyUriPath": self.proxy.path,
            "XksProxyAuthenticationCredential": CREDENTIAL,
            "XksProxyConnectivity": "PUBLIC_ENDPOINT",
            **more,
        }

    def create(self, *, connected: bool = True, **more: Any) -> str:
        """Make a key store; returns its id."""
        store: str = self.kms.create_custom_key_store(**self.members(**more))["CustomKeyStoreId"]
        if connected:
            self.kms.connect_custom_key_store(CustomKeyStoreId=store)
        return store

    def key(self, store: str, **more: Any) -> str:
        """Make a key under a fresh external key; returns its id."""
        external = f"key-{secrets.token_hex(4)}"
        self.proxy.manager.add(external)
        members = {"Origin": "EXTERNAL_KEY_STORE", "CustomKeyStoreId": store, "XksKeyId": external, **more}
        made: str = self.kms.create_key(**members)["KeyMetadata"]["KeyId"]
        return made

    def entry(self, store: str) -> dict[str, Any]:
        """Return a key store as DescribeCustomKeyStores tells of it."""
        found: dict[str, Any]
        (found,) = self.kms.describe_custom_key_stores(CustomKeyStoreId=store)["CustomKeyStores"]
        return found

    def clear(self) -> None:
        """Remove all key stores with their keys, behind the service's back."""
        self.place.sql("DELETE FROM keys WHERE custom_key_store IS NOT NULL")
        self.place.sql("DELETE FROM custom_key_stores")


@contextmanager
def key_stores(place: Place, folder: Path) -> Iterator[KeyStores]:
    """Run a proxy and let a place's service ask it."""
    authority = Authority(folder)
    proxy = Proxy("/some-where", credentials={ACCESS_KEY_ID: SECRET})
    with Server(proxy, *authority.certificate(HOST)) as server:
        made = KeyStores(place, server, authority)
        try:
            yield made
        finally:
            made.clear()
            place.run(place.services.proxies.close())
