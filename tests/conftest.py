"""Fixtures for the real server, and the order of the tests; everything else is in `tests/support`."""

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support import environment
from tests.support.postgres import PostgresServer, missing
from tests.support.server import Server

ServerFactory = Callable[..., Server]
_SERVERS = {"server", "tls_server", "new_server"}  # fixtures that start the real server
_numbers = itertools.count(1)

# How long an example takes is the machine's: a busy one takes ten times longer, and nothing is wrong.
settings.register_profile("fuin", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fuin")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the files that start the real server first, where several processes run the tests.

    Each process takes the next file when it has done its own. Files that take long come early, so that at the end no
    process works alone.
    """
    if not hasattr(config, "workerinput"):
        return
    first = {item.path for item in items if item.get_closest_marker("real") or _SERVERS & set(_fixtures(item))}
    items.sort(key=lambda item: item.path not in first)


def _fixtures(item: pytest.Item) -> list[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else []


@pytest.fixture(scope="session", autouse=True)
def _clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take out of this process what the machine sets for all AWS clients: they must meet Fuin unchanged."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if environment.is_unwanted(name) and not name.startswith("PYTHON")]:
            if name not in {"FUIN_LONG"}:
                patch.delenv(name)
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            patch.setenv(name, str(home / "none"))
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Return a maker of names that no other test of this run uses; they fit buckets, aliases and users."""
    return lambda stem: f"{stem}-{os.getpid()}-{next(_numbers)}"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give the real server over http with two workers, shared by the whole run; use `unique` names in it."""
    yield from _running(Server(tmp_path_factory.mktemp("server")))


@pytest.fixture(scope="session")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give the real server over TLS with its self-signed certificate, shared by the whole run."""
    options = ("--require-tls-for-sse",)  # which changes nothing for its clients
    yield from _running(Server(tmp_path_factory.mktemp("tls-server"), tls=True, options=options))


def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
        server.stop()
    finally:
        server.kill()


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[ServerFactory]:
    """Give a maker of servers of this test's own, not started; whatever still runs at its end is killed."""
    made: list[Server] = []

    def make(name: str = "own", *, workers: int = 2, tls: bool = False, options: Sequence[str] = ()) -> Server:
        made.append(Server(tmp_path / name, workers=workers, tls=tls, options=options))
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Give a running PostgreSQL, shared by the tests of this process; make databases of your own in it."""
    if (reason := missing()) is not None:
        pytest.skip(reason)
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()
