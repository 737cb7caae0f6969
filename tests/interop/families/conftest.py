"""Who asks: each of the three clients, over http and over TLS, kept from test to test."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.interop.families.callers import CALLERS, JAVASCRIPT, Caller
from tests.interop.families.openssl import OpenSSL
from tests.support.server import ACCOUNT, Server, User

_NODE = shutil.which("node") is not None and (JAVASCRIPT / ".done").exists()


@dataclass(frozen=True, slots=True)
class Asking:
    """A kind of client and the server that it asks."""

    kind: str
    server: Server


@pytest.fixture(params=[f"{kind}-{scheme}" for kind in CALLERS for scheme in ("http", "tls")])
def asking(request: pytest.FixtureRequest) -> Asking:
    """Give one kind of client with one server; JavaScript is skipped where Node.js is not installed."""
    kind, scheme = request.param.split("-")
    if kind == "javascript" and not _NODE:
        pytest.skip("node or the packages of .venv-javascript are not installed (tests/system-packages.sh)")
    return Asking(kind, request.getfixturevalue("server" if scheme == "http" else "tls_server"))


@pytest.fixture(scope="session")
def started(
    server: Server, tls_server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[Asking, User | None], Caller]]:
    """Give a maker of clients; it keeps them, and closes them before the servers end."""
    made: dict[tuple[str, str, str], Caller] = {}

    def start(asking: Asking, user: User | None = None) -> Caller:
        index = (asking.kind, asking.server.url, user.access_key_id if user else "")
        if index not in made:
            made[index] = CALLERS[asking.kind](asking.server, user, tmp_path_factory.mktemp(asking.kind))
        return made[index]

    yield start
    for caller in made.values():
        caller.close()


@pytest.fixture
def kms(asking: Asking, started: Callable[[Asking, User | None], Caller]) -> Caller:
    """Give the client of the account's root."""
    return started(asking, None)


@pytest.fixture(scope="session")
def users() -> Callable[[Server], User]:
    """Give a maker of users without rights, one a server."""
    return cache(lambda server: server.add_user("family"))


@pytest.fixture
def somebody(
    asking: Asking, started: Callable[[Asking, User | None], Caller], users: Callable[[Server], User]
) -> tuple[str, Caller]:
    """Give the ARN and the client of a user who has no rights."""
    user = users(asking.server)
    return f"arn:aws:iam::{ACCOUNT}:user/{user.name}", started(asking, user)


@pytest.fixture
def openssl(tmp_path: Path) -> OpenSSL:
    """Give OpenSSL's command line with a folder of its own."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed (tests/system-packages.sh)")
    return OpenSSL(tmp_path)
