"""A whole Fuin in this process, with two accounts and their clients."""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from fuin import ids
from fuin.audit import reader
from fuin.blobs.configuration import configured_store
from fuin.gate.services import Services
from fuin.keyholder.wire.client import Keyholder
from fuin.settings import Settings
from fuin.store.identity import access_keys, accounts, users
from fuin.store.store import Store
from fuin.testing.kit.clients import Clients
from fuin.testing.kit.http import Edge, bind_loopback
from fuin.testing.kit.keyholding import KeyholderProcess
from fuin.testing.kit.users import ACCOUNT, OTHER_ACCOUNT, REGION, User, new_user

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from fuin.blobs.interface import BlobStore
    from fuin.testing.kit.leasing import LeaseThread

T = TypeVar("T")

_BOUND = 10.0  # seconds; a busy machine may stop the thread that keeps the lease for a while


class Place:
    """One Fuin with two accounts, behind `url`; `root` and `other_root` are the access keys of their roots.

    It is a context manager, and takes a new folder for its data; with the URL of an empty PostgreSQL database, what it
    knows is there. Being in the same process, a test can also look into
    the store and the audit log, and take the keyholder away. It has no timed jobs and one worker.
    """

    def __init__(self, folder: Path, database_url: str = "") -> None:
        bound = bind_loopback()
        port = bound.getsockname()[1]
        self.settings = Settings(
            data=folder, port=port, account=ACCOUNT, region=REGION, database_url=database_url,
            node="place" if database_url else "", revocation_bound=_BOUND,
        )  # fmt: skip
        self.settings.prepare()
        self._lease: LeaseThread | None = None
        self.url = f"http://127.0.0.1:{self.settings.port}"
        self.root, self.other_root = new_user("root"), new_user("root")
        self.keyholder = KeyholderProcess(self.settings)
        self.clients = Clients(self.url)
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="fuin")
        self._thread.start()
        self.keyholder.start()
        self.services = self.run(self._open())
        self.edge = Edge(self.services, bound)
        self.run(self.edge.start())

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def blob_store(self) -> BlobStore:
        """Return the store of blobs: files in the place's folder."""
        return configured_store(self.settings)

    async def _open(self) -> Services:
        keyholder = Keyholder(self.settings.keyholder_socket)
        await keyholder.connect()
        store = Store.open(self.settings, has_lease=True)
        if self.settings.database_url:
            self._lease = await asyncio.to_thread(_keep_lease, self.settings)
        services = Services(self.settings, store, keyholder, self.blob_store())
        for account, root in ((ACCOUNT, self.root), (OTHER_ACCOUNT, self.other_root)):
            sealed = await keyholder.seal_secret(root.access_key_id, root.secret_access_key)
            await services.store.change(_insert_account, account, root.access_key_id, sealed)
        return services

    def close(self) -> None:
        """End everything that was started."""
        self.clients.close()
        self.run(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()
        self.keyholder.close()

    async def _close(self) -> None:
        await self.edge.stop()
        await self.services.keyholder.close()
        self.services.store.close()
        if self._lease is not None:
            self._lease.close()

    def run(self, work: Awaitable[T], within: float = 60) -> T:
        """Run something awaitable on the event loop of the services and return its value; `within` is seconds."""
        return asyncio.run_coroutine_threadsafe(_value_of(work), self.loop).result(within)

    def client(
        self, service: str, user: User | None = None, *, token: str | None = None, region: str = REGION, **options: Any
    ) -> Any:
        """Return a boto3 client, by default of the first account's root, that sends each call once.

        `token` is a session token; `options` are botocore's, as in `botocore.config.Config`.
        """
        return self.clients.get(service, user or self.root, token, region, options)

    def add_user(self, policy: Mapping[str, Any] | None = None, account: str = ACCOUNT) -> User:
        """Add a user with an access key and perhaps an inline policy."""
        user = new_user(f"user-{secrets.token_hex(4)}")
        sealed = self.run(self.services.keyholder.seal_secret(user.access_key_id, user.secret_access_key))
        self.run(self.services.store.change(_insert_user, account, user.name, user.access_key_id, sealed))
        if policy is not None:
            self.set_policy(user, policy, account)
        return user

    def set_policy(self, user: User, policy: Mapping[str, Any], account: str = ACCOUNT) -> None:
        """Replace a user's inline policy."""
        document = json.dumps(policy)
        self.run(self.services.store.change(users.put_user_policy, account, user.name, document))

    def record(self, request_id: str) -> list[reader.Entry]:
        """Return the audit records of one request, oldest first."""
        return reader.find(self.settings.audit, request_id)

    def last_record(self) -> reader.Entry:
        """Return the newest audit record."""
        return reader.last(self.settings.audit, 1)[0]


def _keep_lease(settings: Settings) -> LeaseThread:
    from fuin.testing.kit.leasing import LeaseThread  # noqa: PLC0415 - the driver of PostgreSQL takes 60 ms to import

    lease = LeaseThread(settings)
    lease.start()
    return lease


async def _value_of(work: Awaitable[T]) -> T:
    return await work


def _insert_account(conn: Connection, account: str, access_key_id: str, sealed: bytes) -> None:
    accounts.insert_account(conn, account, time.time())
    access_keys.insert_access_key(conn, access_key_id, account, None, sealed, time.time())


def _insert_user(conn: Connection, account: str, name: str, access_key_id: str, sealed: bytes) -> None:
    users.insert_user(conn, users.User(account, name, ids.new_user_id(), time.time()))
    access_keys.insert_access_key(conn, access_key_id, account, name, sealed, time.time())
