"""The key service in this process: a real keyholder process, a real store, `kms.app.handle` behind uvicorn in a thread.

The tests of the service speak to it over HTTP with boto3; being in the same process they can also look into the
store, take the keyholder away, and turn the clock of a key.
"""

import asyncio
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import boto3
import urllib3
import uvicorn
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from sqlalchemy import Connection, text

from fuin import ids
from fuin.audit import reader
from fuin.gate.authentication import DayKeys
from fuin.gate.http import Receive, Request, Scope, Send
from fuin.gate.services import Services
from fuin.keyholder.client import Keyholder
from fuin.keyholder.command import MODULE, Command
from fuin.keyholder.sockets import bind_unix
from fuin.kms import app
from fuin.server.protocol import BoundedProtocol
from fuin.settings import Settings
from fuin.store.identity import access_keys, accounts, roles, users
from fuin.store.store import Store
from tests.support.processes import free_port
from tests.support.server import User, new_user

T = TypeVar("T")

ACCOUNT, OTHER_ACCOUNT = "123456789012", "210987654321"
REGION = "us-east-1"


class Place:
    """One key service with two accounts; `root` and `other_root` are their roots' access keys."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(data=folder, port=free_port(), account=ACCOUNT, region=REGION)
        self.settings.prepare()
        self.url = f"http://127.0.0.1:{self.settings.port}"
        self.root, self.other_root = new_user("root"), new_user("root")
        self._listener = bind_unix(self.settings.keyholder_socket)
        self._keyholder: subprocess.Popen[bytes] | None = None
        self._clients: dict[tuple[str, str], Any] = {}
        self._session = boto3.session.Session()  # keeps the loaded service model
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="key service")
        self._thread.start()
        self.start_keyholder()
        self.run(self._open())

    def start_keyholder(self) -> None:
        """Start the keyholder process and wait until it is ready."""
        read_end, write_end = os.pipe()
        command = Command(
            self._listener.fileno(), self.settings.audit, self.settings.root_key, write_end, parent=os.getpid()
        )
        self._keyholder = subprocess.Popen(
            [sys.executable, "-m", MODULE, *command.arguments()], pass_fds=command.descriptors()
        )
        os.close(write_end)
        with os.fdopen(read_end, "rb") as ready:
            assert ready.read(1), "the keyholder did not start"

    def stop_keyholder(self) -> None:
        """Kill the keyholder process."""
        assert self._keyholder is not None
        self._keyholder.kill()
        self._keyholder.wait()
        self._keyholder = None

    def run(self, work: Coroutine[Any, Any, T], within: float = 60) -> T:
        """Run a coroutine on the service's event loop and return its value; `within` is seconds."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within)

    async def _open(self) -> None:
        keyholder = Keyholder(self.settings.keyholder_socket)
        await keyholder.connect()
        self.services = Services(self.settings, Store.open(self.settings), keyholder)
        self.day_keys = DayKeys()
        for account, root in ((ACCOUNT, self.root), (OTHER_ACCOUNT, self.other_root)):
            await self._add_account(account, root)
        config = uvicorn.Config(
            self._serve,
            http=BoundedProtocol,
            lifespan="off",
            interface="asgi3",
            proxy_headers=False,
            log_config=None,
            access_log=False,
        )
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        # With its protocol named, since asyncio sends answers without delay on such sockets only.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", self.settings.port))
        self._serving = asyncio.ensure_future(self._server._serve(sockets=[self._socket]))
        while not self._server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await app.handle(self.services, self.day_keys, Request(scope, receive), send)

    async def _add_account(self, account: str, root: User) -> None:
        sealed = await self.services.keyholder.seal_secret(root.access_key_id, root.secret_access_key)

        def insert(conn: Connection) -> None:
            accounts.insert_account(conn, account, time.time())
            access_keys.insert_access_key(conn, root.access_key_id, account, None, sealed, time.time())

        await self.services.store.change(insert)

    def close(self) -> None:
        """End everything that was started."""
        for client in self._clients.values():
            client.close()
        self.run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._listener.close()
        if self._keyholder is not None:
            self._keyholder.terminate()
            self._keyholder.wait()

    async def _close(self) -> None:
        self._server.should_exit = True
        await self._serving
        self._socket.close()
        await self.services.keyholder.close()
        self.services.store.close()

    def client(self, user: User | None = None, region: str = REGION) -> Any:
        """Return a boto3 client, by default of the first account's root, that sends each call once."""
        who = user or self.root
        index = (who.access_key_id, region)
        if index not in self._clients:
            config = Config(retries={"total_max_attempts": 1}, parameter_validation=False, read_timeout=30)
            self._clients[index] = self._session.client(
                "kms",
                region_name=region,
                endpoint_url=self.url,
                config=config,
                aws_access_key_id=who.access_key_id,
                aws_secret_access_key=who.secret_access_key,
            )
        return self._clients[index]

    def add_names(self, *names: str) -> None:
        """Add users to the first account that grants and policies can name; they have no access keys."""

        def insert(conn: Connection) -> None:
            for name in names:
                users.insert_user(conn, users.User(ACCOUNT, name, ids.new_user_id(), time.time()))

        self.run(wait(self.services.store.change(insert)))

    def add_role(self, name: str, path: str = "/") -> None:
        """Add a role to the first account that grants and policies can name."""
        role = roles.Role(ACCOUNT, name, ids.new_role_id(), time.time(), path)
        self.run(wait(self.services.store.change(roles.insert_role, role)))

    def add_user(self, policy: Mapping[str, Any] | None = None, account: str = ACCOUNT) -> User:
        """Add a user with an access key and an inline policy."""
        user = new_user(f"user-{secrets.token_hex(4)}")
        self.run(self._add_user(user, account))
        if policy is not None:
            self.set_policy(user, policy, account)
        return user

    async def _add_user(self, user: User, account: str) -> None:
        sealed = await self.services.keyholder.seal_secret(user.access_key_id, user.secret_access_key)
        now = time.time()

        def insert(conn: Connection) -> None:
            users.insert_user(conn, users.User(account, user.name, ids.new_user_id(), now))
            access_keys.insert_access_key(conn, user.access_key_id, account, user.name, sealed, now)

        await self.services.store.change(insert)

    def set_policy(self, user: User, policy: Mapping[str, Any], account: str = ACCOUNT) -> None:
        """Replace a user's inline policy."""
        document = json.dumps(policy)
        change = self.services.store.change
        self.run(wait(change(users.put_user_policy, account, user.name, document)))

    def sql(self, statement: str, **parameters: Any) -> None:
        """Change the database behind the service's back, with its epoch, as another process would."""

        def execute(conn: Connection) -> None:
            conn.execute(text(statement), parameters)

        self.run(wait(self.services.store.change(execute)))

    def expire(self, key_id: str) -> None:
        """Let a key's deletion date be past."""
        self.sql("UPDATE keys SET deletion_date = :past WHERE key_id = :id", past=time.time() - 1, id=key_id)

    def post(
        self,
        target: str | None,
        body: bytes,
        *,
        user: User | None = None,
        service: str = "kms",
        headers: Mapping[str, str] | None = None,
        signed: bool = True,
        region: str = REGION,
        method: str = "POST",
    ) -> tuple[int, dict[str, Any], Mapping[str, str]]:
        """Send one request made by hand; return its status, its body and its headers."""
        given = {"Content-Type": "application/x-amz-json-1.1", **(headers or {})}
        if target is not None:
            given["X-Amz-Target"] = target
        request = AWSRequest(method, f"{self.url}/", headers=given, data=body)
        if signed:
            who = user or self.root
            credentials = Credentials(who.access_key_id, who.secret_access_key)
            SigV4Auth(credentials, service, region).add_auth(request)
        answer = urllib3.request(method, f"{self.url}/", headers=dict(request.headers), body=body, retries=False)
        return answer.status, answer.json() if answer.data else {}, answer.headers

    def record(self, request_id: str) -> list[reader.Entry]:
        """Return the audit records of one request, oldest first."""
        return reader.find(self.settings.audit, request_id)

    def last_record(self) -> reader.Entry:
        """Return the newest audit record."""
        return reader.last(self.settings.audit, 1)[0]


async def wait(future: Coroutine[Any, Any, T]) -> T:
    """Return what an awaitable gives; makes a coroutine of any awaitable."""
    return await future
