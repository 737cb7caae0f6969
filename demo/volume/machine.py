"""The host of the demo: its file, its commands, and PostgreSQL on a folder of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from demo.stage import FUIN, Unexpected

if TYPE_CHECKING:
    from demo.stage import Stage

_PORT = "54377"
_AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "env", "-C", "/")


def find_obstacle() -> str:
    """Return why the demo cannot run here; empty if it can."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        return "PostgreSQL is not installed (Debian: postgresql)"
    return "" if Path("/dev/fuse").exists() or Path("/dev/mapper/control").exists() else "no FUSE and no device-mapper"


class Machine:
    """A host with its file `host.json`; its disks are in the demo's folder."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.file = stage.folder / "host.json"
        self.volumes = stage.folder / "volumes"
        made = json.loads(stage.fuin("host", "add", "db1", "--endpoint-url", stage.url, show=False))
        self.id = made["host_id"]
        content = made | {"folder": str(self.volumes), "run_folder": str(stage.folder / "run")}
        self.file.write_text(json.dumps(content))
        self.file.chmod(0o600)
        stage.folder.chmod(0o711)  # the database's user has to come through

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run `fuin volume` as root of the host, with the AWS credentials of the account's root."""
        environment = self._stage.environment(self._stage.root) | {"FUIN_HOST_FILE": str(self.file)}
        command = [str(FUIN), "volume", *arguments]
        return self._stage.run("host#", command, environment, fails=fails)

    def disk(self, volume: str) -> Path:
        """Return the raw disk of a volume."""
        return self.volumes / f"{volume}.disk"


class Database:
    """PostgreSQL with its data folder on a mounted volume."""

    def __init__(self, folder: Path) -> None:
        self._bin = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        self._data = folder / "data"
        self.folder = folder

    def make(self) -> None:
        """Make the data folder."""
        subprocess.run(["chown", "postgres:postgres", self.folder], check=True)
        self._run("initdb", "--pgdata", str(self._data), "--auth", "trust", "--no-instructions")

    def start(self) -> None:
        """Start the server, which recovers from its log if it has to."""
        options = f"-p {_PORT} -c listen_addresses= -c unix_socket_directories={self.folder}"
        log = str(self.folder / "log")
        self._run("pg_ctl", "start", "--wait", "--pgdata", str(self._data), "--log", log, "--options", options)

    def stop(self) -> None:
        """Stop the server."""
        self._run("pg_ctl", "stop", "--wait", "--mode", "fast", "--pgdata", str(self._data))

    def ask(self, statement: str) -> str:
        """Return the answer to a statement."""
        place = ("--host", str(self.folder), "--port", _PORT, "--username", "postgres", "--dbname", "postgres")
        return self._run("psql", *place, "--tuples-only", "--no-align", "--command", statement).strip()

    def _run(self, program: str, *arguments: str) -> str:
        command = [*_AS_POSTGRES, str(self._bin / program), *arguments]
        with (self.folder / f"{program}.out").open("w+") as out:  # a server that stays keeps no pipe of ours open
            done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False)
            out.seek(0)
            text = out.read()
        if done.returncode:
            raise Unexpected(f"{program} failed: {text}")
        return text
