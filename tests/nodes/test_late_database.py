"""A node that starts before its database answers at its port, and goes on by itself; a lasting fault ends it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from botocore.exceptions import ClientError

from fuin.testing.kit.users import new_user
from tests.nodes.conftest import Installation, get_json
from tests.support import fake_s3
from tests.support.postgres import PostgresServer, missing
from tests.support.processes import wait_until

if why := missing():
    pytest.skip(why, allow_module_level=True)

PORTS = "127.0.0.1/32"


@pytest.fixture(scope="module")
def own() -> Iterator[PostgresServer]:
    """Give a server of PostgreSQL that tests may stop."""
    server = PostgresServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def made(tmp_path: Path, own: PostgresServer) -> Iterator[Installation]:
    """Give an installation on that server, without a node that runs."""
    name = own.create()
    with fake_s3.running() as bucket:
        installation = Installation(tmp_path / f"nodes-{os.getpid()}", own.url(name), bucket)
        try:
            installation.init()
            yield installation
        finally:
            installation.close()


def test_a_node_waits_for_its_database(made: Installation, own: PostgresServer) -> None:
    """It lives, is not ready, refuses requests by 503, says so in one line, and serves when the database is there."""
    node = made.node("a")
    own.stop()
    try:
        node.launch(made.variables())
        wait_until(lambda: get_json(f"{node.url}/health/live") == (200, {"status": "ok"}), 30, "the node answers")
        status, parts = get_json(f"{node.url}/health/ready")
        assert (status, parts["status"]) == (503, "not ready")
        assert "waits for it" in parts["database"]
        with pytest.raises(ClientError) as refused:
            node.client("kms", retry=False).list_keys()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    finally:
        own.start()
    node.wait_ready()
    assert get_json(f"{node.url}/health/ready") == (200, {"status": "ok"})
    node.client("kms", retry=False).create_key()
    said = node.errors.read_text()
    assert said.count("this node waits for its database: postgresql://127.0.0.1") == 1
    assert said.count("the database is there") == 1
    node.stop()


def test_a_node_that_waits_ends_at_once(made: Installation, own: PostgresServer) -> None:
    """SIGTERM does not wait for the database, nor for a balancer."""
    node = made.node("a")
    own.stop()
    try:
        node.launch(made.variables(), ["--drain", "30"])
        wait_until(lambda: get_json(f"{node.url}/health/live")[0] == 200, 30, "the node answers")
        began = time.monotonic()
        node.stop()
        assert time.monotonic() - began < 28  # the balancer would have had thirty seconds
    finally:
        own.start()


def test_a_database_that_only_reads_is_waited_for(made: Installation, own: PostgresServer) -> None:
    """A standby has let the node in: a primary will come."""
    node, database = made.node("a"), made.url.rpartition("/")[2]
    own.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on")
    node.launch(made.variables())
    wait_until(lambda: get_json(f"{node.url}/health/ready")[0] == 503, 30, "the node answers")
    own.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only")
    node.wait_ready()
    node.stop()


def test_a_fault_that_lasts_ends_the_start(made: Installation, own: PostgresServer) -> None:
    """An unknown database or user, a wrong password and a server without TLS are said at once."""
    rules, user = own.folder / "data" / "pg_hba.conf", new_user("ann").name
    own.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'right'")
    rules.write_text(f"host all {user} {PORTS} scram-sha-256\n{rules.read_text()}")
    own.execute("SELECT pg_reload_conf()")
    right = made.url
    wrong = right.replace("postgres@", f"{user}:wrong@")
    wait_until(lambda: _refuses(wrong), 10, "the rule is in force")
    for url, sentence in (
        (own.url("nowhere"), 'database "nowhere" does not exist'),
        (right.replace("postgres@", "nobody@"), 'role "nobody" does not exist'),
        (wrong, "password authentication failed"),
        (f"{right}?sslmode=verify-full&sslrootcert=system", "SSL"),
    ):
        made.url = url
        assert sentence in made.refused_start("a")


def _refuses(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return True
    return False
