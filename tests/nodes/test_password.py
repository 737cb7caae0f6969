"""The password of the database is shown nowhere: arguments, environments, logs and errors are read by others."""

from dataclasses import replace
from pathlib import Path

from fuin.settings import Settings
from fuin.store.engine.postgres.address import Address
from tests.nodes.conftest import Installation
from tests.support.postgres import PostgresServer
from tests.support.processes import command, descendants, wait_until

PASSWORD = "open-sesame-4711"


def test_the_password_of_the_database_is_shown_nowhere(empty: Installation, postgres: PostgresServer) -> None:
    """No child has it in its arguments or its environment, and no complaint about the database repeats it."""
    database = empty.url.rpartition("/")[2]
    empty.url = empty.url.replace("postgres@", f"postgres:{PASSWORD}@")
    empty.init()
    server = empty.start("a")
    children = descendants(server.pid)
    assert {"fuin.keyholder", "fuin.server.lease_keeper", "fuin.server.worker"} <= {
        word for child in children for word in command(child).split()
    }
    for child in children:
        for name in ("cmdline", "environ"):
            assert PASSWORD.encode() not in Path(f"/proc/{child.pid}/{name}").read_bytes(), child.pid
    postgres.execute(f"ALTER DATABASE {database} CONNECTION LIMIT 0")
    postgres.execute(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
    postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'")
    wait_until(lambda: b"the lease cannot be renewed" in server.errors.read_bytes(), 30, "the lease keeper complains")
    server.kill()
    assert PASSWORD.encode() not in server.errors.read_bytes() + server.output.read_bytes()
    address = Address.parse(empty.url)
    settings = replace(Settings(data=server.data), database_url=empty.url)
    assert PASSWORD not in f"{settings!r} {address!r} {address.name}"
