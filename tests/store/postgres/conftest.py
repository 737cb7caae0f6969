"""Stores on PostgreSQL as it is: several nodes on one database."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fuin.settings import Settings
from fuin.store.store import Store
from tests.support.database_proxy import DatabaseProxy
from tests.support.postgres import PostgresServer

NewNode = Callable[..., Store]


@pytest.fixture
def database(postgres: PostgresServer, postgres_template: str) -> Iterator[str]:
    """Give the name of a database with the test account and an empty bucket."""
    with postgres.database(postgres_template) as name:
        yield name


@pytest.fixture
def new_node(postgres: PostgresServer, database: str, tmp_path: Path) -> Iterator[NewNode]:
    """Give a maker of stores, each of a node with a name; `port` is a proxy's."""
    made: list[Store] = []

    def make(name: str, port: int | None = None) -> Store:
        url = postgres.url(database, port=port) + "?sslmode=disable"
        made.append(Store.open(replace(Settings(data=tmp_path), database_url=url, node=name)))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[DatabaseProxy]:
    """Give a proxy in front of the server."""
    with DatabaseProxy(postgres.port) as proxy:
        yield proxy
