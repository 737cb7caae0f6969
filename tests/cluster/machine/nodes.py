"""Nodes of Fuin as processes of the machine, each with ways of its own to the database and to the blobs."""

from __future__ import annotations

import json
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from fuin.testing.kit.users import REGION, User, new_user
from tests.cluster.machine.processes import wait_for
from tests.cluster.machine.proxy import Ways
from tests.cluster.machine.wall_clock import COMPILER, WallClock
from tests.support.environment import clean
from tests.support.processes import command, free_port
from tests.support.server import FUIN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psutil

    from tests.cluster.machine.processes import Machine

START_LIMIT = 600.0  # seconds; a node cannot start while the database has no primary, and may try for a long time


@dataclass(frozen=True)
class Engines:
    """What the nodes share: `address` makes the database's URL from ports that lead to `servers`."""

    address: Callable[[Sequence[int]], str]
    servers: Sequence[int]
    blobs: int  # the port of an S3
    bucket: str
    user: User  # of that S3


class Node:
    """One node; `database` and `blobs` are its ways there, `clock` is its wall clock where one can be had.

    A node that goes straight to the database is faster, and cannot be cut off from it.
    """

    def __init__(
        self, machine: Machine, name: str, engines: Engines, options: Sequence[str], *, straight: bool
    ) -> None:
        self.name, self.port, self._machine = name, free_port(), machine
        self.folder = machine.part(name)
        self.database, self.blobs = Ways(machine), Ways(machine)
        ports = engines.servers if straight else [self.database.add(port).port for port in engines.servers]
        address = engines.address(ports)
        endpoint = f"http://127.0.0.1:{self.blobs.add(engines.blobs).port}"
        self.clock = WallClock(self.folder) if COMPILER else None
        place = ["--data", str(self.folder / "data"), "--node", name, "--database", address]
        serving = ["--port", str(self.port), "--blobs-endpoint", endpoint, *options]
        variables = engines.user.variables | (self.clock.variables if self.clock else {})
        self.process = machine.process(name, [FUIN, "serve", *place, *serving], variables)

    @property
    def url(self) -> str:
        """Return its endpoint."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_ready(self) -> bool:
        """Return whether it says that it can serve requests."""
        return self.health()[0] == 200

    def health(self) -> tuple[int, str]:
        """Return status and body of its answer to a balancer, 0 without an answer."""
        try:
            with urllib.request.urlopen(f"{self.url}/health/ready", timeout=3) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.process.start()
        self.wait_ready()

    def wait_ready(self, seconds: float = START_LIMIT) -> None:
        """Wait until it serves requests; a failure shows the logs.

        One that has ended is started again, as by systemd: a node ends if the database cannot be reached at its start.
        """

        def is_ready() -> bool:
            if not self.process.is_running:
                self.process.start()
            return self.is_ready

        wait_for(is_ready, seconds, f"{self.name} is ready", self._machine)

    def parts(self, word: str) -> list[psutil.Process]:
        """Return its processes whose command line has a word: `fuin.server.worker`, `fuin.keyholder`, and so on."""
        return [process for process in self.process.processes() if word in command(process)]


class Nodes:
    """An installation; `root` is the first account's access key, `bound` the seconds of its revocation bound."""

    def __init__(
        self, machine: Machine, engines: Engines, names: Sequence[str], *, workers: int = 1, bound: float = 1.0,
        straight: bool = False,
    ) -> None:  # fmt: skip
        self.root, self.bound = new_user("root"), bound
        self._machine, self._engines = machine, engines
        self._passphrase = machine.folder / "passphrase"
        self._passphrase.write_text("only on this machine", encoding="utf-8")
        secret = ["--passphrase-file", str(self._passphrase)]
        options = [*secret, "--workers", str(workers), "--revocation-bound", str(bound)]
        self.nodes = [Node(machine, name, engines, options, straight=straight) for name in names]

    def __iter__(self) -> Any:
        """Iterate over the nodes."""
        return iter(self.nodes)

    def init(self) -> str:
        """Make the installation; return what the command said."""
        first, engines = self.nodes[0], self._engines
        blobs = ["--blobs", f"s3://{engines.bucket}/main", "--blobs-endpoint", f"http://127.0.0.1:{engines.blobs}"]
        variables = engines.user.variables | {
            "FUIN_ROOT_ACCESS_KEY_ID": self.root.access_key_id,
            "FUIN_ROOT_SECRET_ACCESS_KEY": self.root.secret_access_key,
        }
        done = subprocess.run(
            [FUIN, "init", "--database", engines.address(engines.servers), "--node", first.name,
             "--data", first.folder / "data", *blobs, "--passphrase-file", self._passphrase],
            env=clean(first.folder, **variables), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"fuin init ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def start(self) -> None:
        """Start all nodes at once, and wait until they are ready."""
        for node in self.nodes:
            node.process.start()
        for node in self.nodes:
            node.wait_ready()


def client(service: str, url: str, user: User, *, attempts: int = 1, seconds: float = 8.0) -> Any:
    """Return a boto3 client of one endpoint that sends each call once, or as often as is said."""
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts}, s3={"addressing_style": "path"},
        connect_timeout=2, read_timeout=seconds, max_pool_connections=4,
    )  # fmt: skip
    session = boto3.session.Session(user.access_key_id, user.secret_access_key, region_name=REGION)
    return session.client(service, endpoint_url=url, config=config)


def allow(principal: str | None, *actions: str) -> str:
    """Return a policy: of an identity without a principal, of a key with one and with the account's root."""
    arn = "arn:aws:iam::123456789012:root"
    statements: list[dict[str, Any]] = []
    if actions:
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        statements.append(statement | ({"Principal": {"AWS": principal}} if principal else {}))
    if principal:
        statements.append({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:*", "Resource": "*"})
    if not statements:  # an identity that may nothing; a policy has at least one statement
        statements.append({"Effect": "Allow", "Action": "iam:GetUser", "Resource": "arn:aws:iam::123456789012:user/x"})
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
