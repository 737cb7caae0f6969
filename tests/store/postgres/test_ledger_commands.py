"""`fuin key dependents` and `fuin ledger check` on the database of many nodes."""

import json
from pathlib import Path

from fuin.settings import Settings
from tests.cli.test_ledger import fill
from tests.support.postgres import PostgresServer


def test_both_commands_read_the_shared_database(tmp_path: Path, postgres: PostgresServer) -> None:
    """They take no part in the installation: there is no lease, and nothing is written."""
    with postgres.database() as name:
        folder = fill(Settings(data=tmp_path / "data", database_url=postgres.socket_url(name)))
        found = json.loads(folder.run("key", "dependents", "alias/mine", "--json").stdout)
        assert (found["objects"]["number"], found["buckets"]) == (2, ["bucket"])
        assert folder.run("ledger", "check").stdout == "8 rows compared, 0 differences\n"
        folder.change("UPDATE objects SET scheme = 'AES256' WHERE key = :key", key=b"a")
        assert "scheme is AES256 in the index" in folder.run("ledger", "check", status=1).stdout
        assert postgres.execute("SELECT count(*) FROM nodes", name) == [(0,)]


def test_the_proof_of_structure_reads_it_too(tmp_path: Path, postgres: PostgresServer) -> None:
    """The made-up messages are headers alone, so each is named; nothing is written."""
    with postgres.database() as name:
        folder = fill(Settings(data=tmp_path / "data", database_url=postgres.socket_url(name)))
        found = json.loads(folder.run("verify", "--structure-only", "--json", status=1).stdout)
        assert (found["versions"], found["uploads"], found["orphans"]) == (3, 1, 0)
        assert {one["key"] for one in found["named"] if one["part"]} == {"a", "b", "old\x1b"}
        assert postgres.execute("SELECT count(*) FROM nodes", name) == [(0,)]
