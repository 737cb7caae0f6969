"""The parts of the installation: started in their order, and ended in whatever way the demo ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError
from tests.cluster.machine import balancer, database
from tests.cluster.machine.balancer import Balancer
from tests.cluster.machine.database import Database
from tests.cluster.machine.nodes import Engines, Node, Nodes, client
from tests.cluster.machine.processes import Machine, machine, missing_programs
from tests.support import ceph
from tests.support.ceph import Ceph
from tests.support.environment import clean

from demo.stage import FUIN, ROOT, Person, Stage, Unexpected, say

if TYPE_CHECKING:
    from collections.abc import Iterator

BOUND = 1.0  # seconds: the default of --revocation-bound
BLOBS = "fuin-blobs"
PACKAGES = "postgresql, patroni, etcd-server, haproxy, ceph-mon, ceph-mgr, ceph-osd, ceph-common, radosgw"


@dataclass
class Installation:
    """All that runs; `stage` runs the aws command line through haproxy."""

    place: Machine
    database: Database
    nodes: Nodes
    stage: Stage

    @property
    def url(self) -> str:
        """Return the endpoint of haproxy."""
        return self.stage.url

    def node(self, number: int) -> Node:
        """Return a node by its number, from 1."""
        return self.nodes.nodes[number - 1]

    def show_nodes(self) -> None:
        """Run `fuin nodes`, and show what it says."""
        address = self.database.address("fuin")
        print("  $ fuin nodes", flush=True)
        done = subprocess.run(
            [FUIN, "nodes"], env=clean(self.place.folder, FUIN_DATABASE=address), capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        print("\n".join(f"      {line}" for line in (done.stdout + done.stderr).splitlines()), flush=True)
        if done.returncode != 0:
            raise Unexpected(f"fuin nodes ended with {done.returncode}")

    def root_clients(self, number: int, attempts: int = 1) -> dict[str, Any]:
        """Return the root's clients of one node."""
        url, root = self.node(number).url, self.nodes.root
        return {name: client(name, url, root, attempts=attempts, seconds=30) for name in ("kms", "iam")}


def install_packages() -> None:
    """Say which packages are needed, install those that are missing, and end the demo where that cannot be done."""
    say(f"needed from Debian: {PACKAGES}")
    if absent := _missing():
        say(f"not here yet: {', '.join(absent)}; apt-get installs their packages now, and starts none as a service")
        for group in ("", "cluster"):
            subprocess.run(["bash", ROOT / "tests" / "system-packages.sh", *group.split()], check=True)
    else:
        say("all of them are here, so nothing is installed")
    if absent := _missing():
        sys.exit(f"the demo needs these programs, and they could not be installed: {', '.join(absent)}")
    if os.geteuid() != 0:
        sys.exit("Ceph's daemons are started as root only: run this as root")


def _missing() -> list[str]:
    return [*database.missing(), *balancer.missing(), *missing_programs(*ceph.PROGRAMS)]


@contextlib.contextmanager
def open_installation() -> Iterator[Installation]:
    """Start everything below one folder; whatever happens, all of it ends and the folder is removed."""
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(128 + signal.SIGHUP))
    with machine() as place:
        try:
            yield _start(place)
        except (AssertionError, ClientError, BotoCoreError) as error:
            raise Unexpected(f"{error}\n{place.logs(15)}") from error
        finally:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave something behind
            began = time.monotonic()
            print("\n  · everything is ended and removed", flush=True)
            place.close()
            say(f"that took {time.monotonic() - began:.0f} s")


def _start(place: Machine) -> Installation:
    say(f"everything is below {place.folder} and on ports of the loopback")
    servers = _start_database(place)
    storage = _start_storage(place)
    engines = Engines(
        lambda ports: servers.address("fuin", ports), [server.port for server in servers.servers],
        storage.port, BLOBS, storage.user,
    )  # fmt: skip
    nodes = Nodes(place, engines, ["node1", "node2", "node3"], bound=BOUND)
    say("fuin init makes the installation: the schema, the account, and the root key, sealed by a passphrase")
    nodes.init()
    say("three nodes start with fuin serve --node NAME")
    nodes.start()
    front = Balancer(place, "plain", [node.port for node in nodes])
    front.start()
    say(
        f"haproxy with deploy/haproxy/plain.cfg at port {front.port}, in front of ports {[node.port for node in nodes]}"
    )
    root = Person("root", nodes.root.access_key_id, nodes.root.secret_access_key)
    made = Installation(place, servers, nodes, Stage(place.part("stage"), f"http://127.0.0.1:{front.port}", root))
    made.show_nodes()
    return made


def _start_database(place: Machine) -> Database:
    began = time.monotonic()
    say("three PostgreSQL servers under patroni, with an etcd; one of the two standbys confirms each commit")
    servers = Database(place)
    servers.start()
    if servers.run("CREATE DATABASE fuin TEMPLATE template0", 30) is None:
        raise Unexpected(f"the database could not be made\n{place.logs()}")
    say(f"they replicate after {time.monotonic() - began:.0f} s; the primary is {servers.wait_for_primary().name}")
    return servers


def _start_storage(place: Machine) -> Ceph:
    began = time.monotonic()
    say("real Ceph: a monitor, a manager, a storage daemon, and radosgw, which speaks S3")
    storage = Ceph(place.part("ceph"))
    place.on_close(storage.stop)
    storage.start()
    s3 = client("s3", storage.url, storage.user, attempts=5, seconds=60)
    s3.create_bucket(Bucket=BLOBS)
    say(f"radosgw answers after {time.monotonic() - began:.0f} s, and has the bucket {BLOBS}")
    return storage
