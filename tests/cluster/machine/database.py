"""Three PostgreSQL servers under patroni, with an etcd: they replicate synchronously and fail over by themselves.

Each server can be reached in two ways: by clients at `port`, and by the other servers and patronis by proxies of its
own, as it reaches etcd. So one server can be parted from the rest while its clients still reach it: the old primary
that still believes itself to be one.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cluster.machine.processes import UNPRIVILEGED, give_away, missing_programs, wait_for
from tests.cluster.machine.proxy import Ways
from tests.support.environment import clean
from tests.support.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cluster.machine.processes import Machine, Process

BINARIES = Path("/usr/lib/postgresql/15/bin")
PROGRAMS = ("patroni", "etcd", str(BINARIES / "postgres"))
PASSWORD = "not-secret"  # loopback only
START_LIMIT = 120.0
# The least that patroni allows for ttl; see its documentation on dynamic configuration.
TTL, LOOP_WAIT, RETRY_TIMEOUT = 20, 5, 5


class Server:
    """One PostgreSQL server with its patroni."""

    def __init__(self, machine: Machine, name: str, etcd: int) -> None:
        self.name = name
        self.port, self.control = free_port(), free_port()
        self.ways = Ways(machine)
        peers, others = self.ways.add(self.port), self.ways.add(self.control)
        settings = _settings(self, machine.part(name), peers.port, others.port, self.ways.add(etcd).port)
        file = machine.part(name) / "patroni.yml"  # JSON is YAML
        file.write_text(json.dumps(settings, indent=1), encoding="utf-8")
        give_away(file)
        self.process: Process = machine.process(name, ["patroni", file], user=UNPRIVILEGED)

    @property
    def is_primary(self) -> bool:
        """Return whether its patroni says that it is the primary."""
        return self._status("/primary") == 200

    @property
    def is_standby(self) -> bool:
        """Return whether its patroni says that it is a standby that replicates."""
        return self._status("/replica") == 200

    @property
    def is_synchronous(self) -> bool:
        """Return whether it is the standby that confirms every commit."""
        return self._status("/synchronous") == 200

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Send a request to its patroni; return status and body, 0 without an answer."""
        sent = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.control}{path}", sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60 if sent else 2) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 0, b""

    def _status(self, path: str) -> int:
        return self.ask("GET", path)[0]


class Database:
    """The three servers and their etcd."""

    def __init__(self, machine: Machine, servers: int = 3) -> None:
        self.machine = machine
        etcd, peer = free_port(), free_port()
        self.etcd = machine.process("etcd", _etcd_command(machine.part("etcd"), etcd, peer))
        self.servers = [Server(machine, f"postgres{number}", etcd) for number in range(1, servers + 1)]

    def start(self) -> None:
        """Start all, and wait until there is a primary, and a standby that confirms every commit."""
        self.etcd.start()
        for server in self.servers:
            server.process.start()
        self.wait_for_primary()
        wait_for(self.is_whole, START_LIMIT, "all standbys replicate", self.machine)

    def rebuild_lost(self) -> list[str]:
        """Have servers that do not replicate copied anew, as an operator does; return their names.

        After both of two primaries have written, pg_rewind may leave a server that waits for ever for a piece of log
        that nobody has any longer.
        """
        lost = [server for server in self.servers if not server.is_primary and not server.is_standby]
        return [server.name for server in lost if server.ask("POST", "/reinitialize", {"force": True})[0] == 200]

    def wait_for_primary(self, seconds: float = START_LIMIT, but: Server | None = None) -> Server:
        """Return the primary as soon as there is one, which is not `but`."""

        def primaries() -> list[Server]:
            return [server for server in self.servers if server is not but and server.is_primary]

        wait_for(lambda: bool(primaries()), seconds, "a primary", self.machine)
        return primaries()[0]

    def switch_over(self) -> Server:
        """Ask patroni to make the synchronous standby the primary, in order; return it."""
        asked: list[Server] = []

        def is_accepted() -> bool:
            """Ask; patroni refuses while it is still busy with what was before, or the standby is another one now."""
            old = self.wait_for_primary()
            new = next((server for server in self.servers if server.is_synchronous), None)
            if new is None or old.ask("POST", "/switchover", {"leader": old.name, "candidate": new.name})[0] != 200:
                return False
            asked.append(new)
            return True

        wait_for(is_accepted, START_LIMIT, "a switchover", self.machine)
        wait_for(lambda: asked[-1].is_primary, 60, f"{asked[-1].name} as the primary", self.machine)
        return asked[-1]

    def address(self, name: str = "postgres", ports: Sequence[int] = ()) -> str:
        """Return the URL of a database on all servers, of which a client takes the one that can be written.

        `ports` lead to the servers, such as those of proxies; by default they are the servers' own.
        """
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports or [server.port for server in self.servers])
        options = "target_session_attrs=read-write&connect_timeout=2"
        return f"postgresql://postgres:{PASSWORD}@{hosts}/{name}?{options}"

    def run(self, statement: str, seconds: float = 5.0, address: str = "") -> str | None:
        """Return the output of a statement, or None if it failed or took longer."""
        command = [str(BINARIES / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", address or self.address()]
        try:
            done = subprocess.run(
                [*command, "-c", statement], capture_output=True, text=True, timeout=seconds, check=False,
                env=clean(self.machine.folder),
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def wait_for_writes(self, since: float, seconds: float = 120.0) -> float:
        """Return how many seconds after `since` (time.monotonic) a write is confirmed for the first time."""
        written = "CREATE TABLE IF NOT EXISTS probe (n int); INSERT INTO probe VALUES (1)"
        wait_for(lambda: self.run(written) is not None, seconds, "a confirmed write", self.machine)
        return time.monotonic() - since

    def is_whole(self) -> bool:
        """Return whether all standbys replicate, and one of them confirms every commit."""
        standbys = [server.is_standby for server in self.servers].count(True)
        return standbys == len(self.servers) - 1 and any(server.is_synchronous for server in self.servers)


def missing() -> list[str]:
    """Return the programs that three servers need and that are not installed."""
    return missing_programs(*PROGRAMS)


def _etcd_command(folder: Path, port: int, peer: int) -> list[str | Path]:
    clients, peers = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    return [
        "etcd", "--name", "etcd", "--data-dir", folder / "data", "--logger", "zap", "--enable-v2=true",
        "--listen-client-urls", clients, "--advertise-client-urls", clients,
        "--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", f"etcd={peers}",
    ]  # fmt: skip


def _settings(server: Server, folder: Path, peers: int, others: int, etcd: int) -> dict[str, Any]:
    superuser = {"username": "postgres", "password": PASSWORD}
    return {
        "scope": "fuin",
        "name": server.name,
        "restapi": {"listen": f"127.0.0.1:{server.control}", "connect_address": f"127.0.0.1:{others}"},
        # As a proxy: otherwise patroni asks etcd for its true address, and leaves the way that can be cut. By version 2
        # of etcd's interface: with version 3, after some failovers patroni 3.0.2 never again changes the confirming
        # standby ("Synchronous replication key updated by someone else"), and all writes wait for one that is gone.
        "etcd": {"hosts": [f"127.0.0.1:{etcd}"], "use_proxies": True},
        "bootstrap": {"dcs": _common(), "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"]},
        "postgresql": {
            "listen": f"127.0.0.1:{server.port}",
            "connect_address": f"127.0.0.1:{peers}",
            "use_unix_socket": True,
            "data_dir": str(folder / "data"),
            "bin_dir": str(BINARIES),
            "pgpass": str(folder / "pgpass"),
            "authentication": {
                "superuser": superuser,
                "replication": {"username": "replicator", "password": PASSWORD},
                "rewind": superuser,
            },
            "parameters": {"unix_socket_directories": str(folder)},
            "pg_hba": ["local all all trust", "host all all 127.0.0.1/32 scram-sha-256",
                       "host replication all 127.0.0.1/32 scram-sha-256"],
        },
    }  # fmt: skip


def _common() -> dict[str, Any]:
    """Return the settings that etcd keeps for all servers."""
    return {
        "ttl": TTL,
        "loop_wait": LOOP_WAIT,
        "retry_timeout": RETRY_TIMEOUT,
        "maximum_lag_on_failover": 1 << 20,
        "synchronous_mode": True,
        "synchronous_mode_strict": True,
        "postgresql": {
            "use_pg_rewind": True,
            "parameters": {
                "synchronous_commit": "on", "password_encryption": "scram-sha-256", "max_connections": 100,
                "shared_buffers": "64MB", "wal_keep_size": "256MB",
            },
        },
    }  # fmt: skip
