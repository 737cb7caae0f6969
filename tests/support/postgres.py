"""A real PostgreSQL for tests: a server in a temporary folder, started and stopped by the test process that uses it."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.support.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

USER = "postgres"  # PostgreSQL does not run as root
# The tests' data may be lost with the machine, and no test stops the machine.
_OPTIONS = (
    "fsync=off", "full_page_writes=off", "shared_buffers=32MB", "max_connections=200", "log_min_messages=warning",
    "max_prepared_transactions=10", "deadlock_timeout=100ms", "autovacuum=off",
)  # fmt: skip


def programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian keeps out of the PATH, or None."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    found = shutil.which("initdb")
    for folder in [*folders, *([Path(found).parent] if found else [])]:
        if all((folder / name).exists() for name in ("initdb", "postgres")):
            return folder
    return None


def missing() -> str | None:
    """Return why no server can run here, or None."""
    if programs() is None:
        return "PostgreSQL is not installed (Debian: postgresql)"
    if os.geteuid() == 0 and (shutil.which("setpriv") is None or not _user_exists()):
        return f"PostgreSQL does not run as root, and there is no user {USER} or no setpriv"
    return None


def _user_exists() -> bool:
    return subprocess.run(["id", USER], capture_output=True, check=False).returncode == 0


class PostgresServer:
    """A server on a Unix socket and on a port of the loopback, with databases that are copies of others."""

    def __init__(self, options: Sequence[str] = (), *, source: PostgresServer | None = None) -> None:
        """Make the files: those of a new server, or of a standby of a running one (`source`)."""
        folder = programs()
        assert folder is not None
        self._programs = folder
        self.folder = Path(tempfile.mkdtemp(prefix="fuin-postgres-"))
        self._options = options
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        if os.geteuid() == 0:
            shutil.chown(self.folder, USER, USER)
        make = ["initdb", "-D", str(self.folder / "data"), "-U", USER, "-A", "trust", "-E", "UTF8", "--no-sync"]
        if source is not None:
            make = [
                "pg_basebackup",
                "-D",
                str(self.folder / "data"),
                "-d",
                source.url(),
                "-R",
                "-c",
                "fast",
                "--no-sync",
            ]
        subprocess.run([*self._prefix(), folder / make[0], *make[1:]], check=True, capture_output=True, cwd="/")

    def _prefix(self) -> list[str]:
        if os.geteuid() != 0:
            return []
        return ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--pdeathsig=QUIT"]

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = [part for option in (*_OPTIONS, *self._options) for part in ("-c", option)]
        place = ["-D", str(self.folder / "data"), "-k", str(self.folder), "-h", "127.0.0.1", "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._prefix(), self._programs / "postgres", *place, *options], stdout=log, stderr=log, cwd="/"
            )
        wait_until(self._answers, 60, "PostgreSQL answers")

    def _answers(self) -> bool:
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """Stop the server at once, as if its machine had lost power for a moment."""
        if self._process is not None:
            self._process.send_signal(3)  # SIGQUIT
            self._process.wait(60)
            self._process = None

    def promote(self) -> None:
        """Make a primary of a standby, and wait until it is one."""
        assert self.execute("SELECT pg_promote(true, 60)") == [(True,)]

    def remove(self) -> None:
        """Stop the server and remove its files."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = USER, *, port: int | None = None) -> str:
        """Return the URL of a database over the loopback, by default at the server's own port."""
        return f"postgresql://{USER}@127.0.0.1:{port or self.port}/{database}"

    def socket_url(self, database: str = USER) -> str:
        """Return the URL of a database over the Unix socket."""
        return f"postgresql://{USER}@/{database}?host={self.folder}&port={self.port}"

    def connect(self, database: str = USER) -> psycopg.Connection[Any]:
        """Return a connection of the test's own, in autocommit mode."""
        return psycopg.connect(self.socket_url(database), autocommit=True)

    def execute(self, statement: str, database: str = USER) -> list[Any]:
        """Run one statement; return its rows."""
        with self.connect(database) as conn:
            cursor = conn.execute(statement)
            return cursor.fetchall() if cursor.description is not None else []

    def create(self, template: str = "template0") -> str:
        """Make a database that is a copy of another one, and return its name."""
        name = f"fuin_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever uses it."""
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    @contextlib.contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """Give the name of a database that is removed in the end."""
        name = self.create(template)
        try:
            yield name
        finally:
            self.drop(name)
