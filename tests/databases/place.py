"""A PostgreSQL that is started and stopped as a service is, and the commands of a page about it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support import postgres
from tests.support.postgres import USER, PostgresServer
from tests.support.server import run

if TYPE_CHECKING:
    from collections.abc import Mapping

# The tests' data may be lost with the machine, and no test stops the machine.
_SETTINGS = "fsync = off\nfull_page_writes = off\nshared_buffers = 32MB\nlog_min_messages = warning\n"
# What the administrator of Fuin has in the environment is not the database's.
_AS_USER = """unset ${{!AWS_*}} SSL_CERT_FILE REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS
export HOME={folder}
exec setpriv --reuid={user} --regid={user} --clear-groups --"""
_SUDO = """#!/bin/bash
if [ "$1" = -E ]; then shift; fi
if [ "$1" != -u ]; then exec "$@"; fi
shift 2
{as_user} "$@"
"""
_SYSTEMCTL = """#!/bin/bash
{as_user} {pg_ctl} -D {data} -l {folder}/log -w -s "$1" </dev/null
"""


def missing(*programs: str) -> str | None:
    """Return why a test with PostgreSQL as a service and these programs cannot run here, or None."""
    if (reason := postgres.missing()) is not None:
        return reason
    if os.geteuid() != 0:
        return "not root: the test runs PostgreSQL as its own user, as sudo -u postgres does"
    absent = [program for program in programs if shutil.which(program) is None]
    return f"{', '.join(absent)}: not installed" if absent else None


def let_pass(folder: Path) -> None:
    """Let the server's user pass through a folder of pytest's, whose parents are closed to others."""
    while folder.stat().st_mode & 0o001 == 0:
        folder.chmod(folder.stat().st_mode | 0o011)
        folder = folder.parent


class Service(PostgresServer):
    """A PostgreSQL whose settings are in its folder, so that whoever restores the folder can start it."""

    def __init__(self, settings: str = "", variables: Mapping[str, str] | None = None) -> None:
        """Make the files; `settings` join postgresql.conf, `variables` the environment of the server."""
        super().__init__()
        self.data = self.folder / "data"
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        self.variables = {
            "PATH": os.environ["PATH"],
            "PGHOST": str(self.folder),
            "PGPORT": str(self.port),
            "PGUSER": USER,
        }
        self.variables |= variables or {}
        place = f"port = {self.port}\nunix_socket_directories = '{self.folder}'\nlisten_addresses = '127.0.0.1'\n"
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(place + _SETTINGS + settings)
        folder = postgres.programs()
        assert folder is not None
        words: dict[str, object] = {"pg_ctl": folder / "pg_ctl", "data": self.data, "folder": self.folder}
        words["as_user"] = _AS_USER.format(user=USER, folder=self.folder)
        for name, text in (("sudo", _SUDO), ("systemctl", _SYSTEMCTL)):
            (self.bin / name).write_text(text.format(**words))
            (self.bin / name).chmod(0o755)

    def start(self) -> None:
        """Start the server as its service does, and wait until it answers."""
        self._control("start")

    def stop(self) -> None:
        """Stop the server as its service does: it ends its transactions and archives its last log."""
        if (self.data / "postmaster.pid").exists():
            self._control("stop")

    def _control(self, word: str) -> None:
        done = run([str(self.bin / "systemctl"), word], self.variables, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{(self.folder / 'log').read_text()[-4000:]}"

    def remove(self) -> None:
        """Stop the server and remove its files."""
        if (self.data / "postmaster.pid").exists():
            process = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
            subprocess.run(["kill", "-QUIT", str(process)], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def own(self, path: Path, text: str | bytes) -> Path:
        """Write a file that only the server's user may read; return its path."""
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        shutil.chown(path, USER, USER)
        path.chmod(0o600)
        return path

    def run(self, *command: object, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program as the server's user."""
        return run([str(self.bin / "sudo"), "-u", USER, *map(str, command)], self.variables, check=check)
