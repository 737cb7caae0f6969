"""The commands of the pages about PostgreSQL, as they are on the pages."""

import re
import sys
from pathlib import Path

import pytest

from tests.conftest import ServerFactory
from tests.databases.place import Service, missing
from tests.support import pages

pytestmark = [pytest.mark.real, pytest.mark.databases]


def is_refusal(one: pages.Shown) -> bool:
    """Return whether a command of a page is one that fails, which its output says."""
    return any(re.match(r"(… )?ERROR: |fuin: ", line) for line in one[1])


@pytest.mark.skipif((reason := missing("pgbackrest", "barman-cloud-backup")) is not None, reason=str(reason))
def test_backups(new_server: ServerFactory, tmp_path: Path) -> None:
    """Each command of the page on backups does what the page shows, on Debian's folders of a database of the test's."""
    server = new_server(tls=True).start()
    database = Service()
    try:
        database.start()
        folder = database.folder
        assert server.certificate is not None
        certificate = database.own(folder / "fuin.pem", server.certificate.read_bytes())
        replacements = {
            "/etc/pgbackrest.conf": str(folder / "pgbackrest.conf"),
            "/etc/fuin.pem": str(certificate),
            "/var/lib/postgresql/15/main": str(database.data),
            "/var/lib/postgresql/15/other": str(folder / "other"),
            "/var/lib/postgresql/.aws": str(folder / ".aws"),
            "repo1-storage-port=8700": f"repo1-storage-port={server.port}",
            "https://localhost:8700": server.url,
        }
        pgbackrest = {
            "CONFIG": str(folder / "pgbackrest.conf"),
            "PG1_PORT": str(database.port),
            "COMPRESS_TYPE": "none",
        }
        pgbackrest |= {"PG1_SOCKET_PATH": str(folder), "LOCK_PATH": str(folder / "lock"), "LOG_LEVEL_FILE": "off"}
        variables = {f"PGBACKREST_{name}": value for name, value in pgbackrest.items()}
        variables |= database.variables | server.client_environment() | {"FUIN_DATA": str(server.data)}
        page = pages.page("postgresql-backups")
        pages.run_page(page, tmp_path, variables, is_refusal, replacements=replacements, shims=database.bin)
        server.stop()
    finally:
        database.remove()


@pytest.mark.skipif((lack := missing()) is not None, reason=str(lack))
def test_columns(new_server: ServerFactory, tmp_path: Path) -> None:
    """Each command of the page on columns does what the page shows, with the page's own programs."""
    server = new_server().start()
    database = Service()
    try:
        database.start()
        python = database.bin / "python3"
        python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        page = pages.page("postgresql-columns")
        pages.write_programs(page, tmp_path)
        variables = database.variables | server.client_environment()
        variables |= {"FUIN_DATA": str(server.data), "PGDATA": str(database.data)}
        pages.run_page(page, tmp_path, variables, is_refusal, shims=database.bin)
        server.stop()
    finally:
        database.remove()
