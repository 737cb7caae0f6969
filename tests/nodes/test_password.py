"""The password of the database reaches those who need it, and is shown nowhere: arguments, logs and errors are read."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fuin.settings import Settings
from fuin.store.engine.postgres.address import Address
from tests.support.processes import command, descendants, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psutil

    from tests.nodes.conftest import Installation
    from tests.support.postgres import PostgresServer

PASSWORD = "open-sesame-4711"
ROLE = "fuin_with_password"
CHILDREN = frozenset({"fuin.keyholder", "fuin.server.lease_keeper", "fuin.server.log_copier", "fuin.server.worker"})


@contextlib.contextmanager
def password_needed(postgres: PostgresServer, database: str) -> Iterator[None]:
    """Let a role own the database that the server admits by its password alone, and only as long as this block runs."""
    rules = postgres.folder / "data" / "pg_hba.conf"
    before = rules.read_text()
    postgres.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
    try:
        postgres.execute(f"ALTER DATABASE {database} OWNER TO {ROLE}")
        rules.write_text(f"host all {ROLE} 127.0.0.1/32 scram-sha-256\n{before}")
        postgres.execute("SELECT pg_reload_conf()")
        wait_until(lambda: ROLE in str(postgres.execute("SELECT user_name FROM pg_hba_file_rules")), 30, "the rule")
        yield
    finally:
        rules.write_text(before)
        postgres.execute("SELECT pg_reload_conf()")
        postgres.execute(f"ALTER DATABASE {database} OWNER TO postgres")
        postgres.execute(f"REASSIGN OWNED BY {ROLE} TO postgres; DROP OWNED BY {ROLE}", database)
        postgres.execute(f"DROP ROLE {ROLE}")


def children_by_module(pid: int) -> dict[str, psutil.Process]:
    """Return a server's children under the names of their modules."""
    found = [(word, child) for child in descendants(pid) for word in command(child).split() if word in CHILDREN]
    assert {word for word, _ in found} == CHILDREN
    return dict(found)


@pytest.mark.parametrize("place", ["PGPASSFILE", "~/.pgpass"])
def test_a_password_in_a_file_is_enough(empty: Installation, postgres: PostgresServer, place: str) -> None:
    """As in the unit for systemd; the keyholder and the copier, which need no database, do not get its name."""
    database = empty.url.rpartition("/")[2]
    line = f"127.0.0.1:{postgres.port}:{database}:{ROLE}:{PASSWORD}\n"
    files = [empty.folder / "pgpass"]
    variables = {"PGPASSFILE": str(files[0])}
    if place != "PGPASSFILE":
        files, variables = [folder / ".pgpass" for folder in (empty.folder, empty.node("a").home)], {}
    for file in files:
        file.touch(0o600)
        file.write_text(line)
    empty.url = empty.url.replace("postgres@", f"{ROLE}@")
    bucket_alone = empty.variables()
    empty.variables = lambda: bucket_alone | variables  # type: ignore[method-assign]
    with password_needed(postgres, database):
        empty.init()
        try:
            server = empty.start("a")
            assert server.client("kms").generate_random(NumberOfBytes=8)["Plaintext"]
            assert server.client("kms").create_key()["KeyMetadata"]["Enabled"]
            names = {name: set(child.environ()) for name, child in children_by_module(server.pid).items()}
        finally:
            empty.close()
    with_file = {name for name, given in names.items() if "PGPASSFILE" in given}
    assert with_file == ({"fuin.server.lease_keeper", "fuin.server.worker"} if variables else set())


def test_a_password_in_the_environment_is_refused(empty: Installation) -> None:
    """It would reach the supervisor alone; one in the address counts before it, as in libpq."""
    empty.init()
    without = empty.variables()
    empty.variables = lambda: without | {"PGPASSWORD": PASSWORD}  # type: ignore[method-assign]
    said = empty.refused_start("a")
    assert "PGPASSWORD is not passed on" in said
    assert "PGPASSFILE" in said
    assert PASSWORD not in said
    empty.url = empty.url.replace("postgres@", "postgres:another@")
    server = empty.start("a")
    for child in children_by_module(server.pid).values():
        assert "PGPASSWORD" not in child.environ()


def test_the_password_of_the_database_is_shown_nowhere(empty: Installation, postgres: PostgresServer) -> None:
    """No child has it in its arguments or its environment, and no complaint about the database repeats it."""
    database = empty.url.rpartition("/")[2]
    empty.url = empty.url.replace("postgres@", f"postgres:{PASSWORD}@")
    empty.init()
    server = empty.start("a")
    for child in (*children_by_module(server.pid).values(), *descendants(server.pid)):
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
