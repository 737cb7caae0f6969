"""HAProxy with a configuration of `deploy/`, in front of ports of this machine."""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING

from tests.cluster.machine.processes import give_away, missing_programs, wait_for
from tests.support.processes import free_port
from tests.support.server import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cluster.machine.processes import Machine

CONFIGURATIONS = REPOSITORY / "deploy" / "haproxy"
# Settings of a service: another user, its folder, the system's log, the socket of the administrator, and more
# connections than a test may have files.
_SERVICE = re.compile(r"^    (log|user|group|chroot|stats|maxconn) .*\n", re.MULTILINE)
_NODE = re.compile(r"^    server (node\d) 192\.0\.2\.1(\d):8700$", re.MULTILINE)
_BIND = re.compile(r"^    bind .*$", re.MULTILINE)


def missing() -> list[str]:
    """Return the programs that the balancer needs and that are not installed."""
    return missing_programs("haproxy")


class Balancer:
    """One HAProxy; clients connect to `port`."""

    def __init__(self, machine: Machine, variant: str, nodes: Sequence[int]) -> None:
        self.port = free_port()
        self._machine = machine
        text = adapt((CONFIGURATIONS / f"{variant}.cfg").read_text(encoding="utf-8"), self.port, nodes)
        file = machine.part("haproxy") / "haproxy.cfg"
        file.write_text(text, encoding="utf-8")
        give_away(file)
        self.process = machine.process("haproxy", ["haproxy", "-db", "-f", file])

    def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        self.process.start()
        wait_for(self._accepts, 60, "haproxy", self._machine)

    def _accepts(self) -> bool:
        assert self.process.is_running, f"haproxy ended: {self._machine.logs()}"
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True


def adapt(text: str, port: int, nodes: Sequence[int]) -> str:
    """Return a configuration for this machine: other addresses, and not as a service."""
    text, places = _BIND.subn(f"    bind 127.0.0.1:{port}", _SERVICE.sub("", text))
    listed = [match[1] for match in _NODE.finditer(text)]
    assert places == 1, "one place to listen at"
    assert listed == 2 * ["node1", "node2", "node3"], "three nodes to replace, twice: those that are ready, and all"
    return _NODE.sub(lambda match: f"    server {match[1]} 127.0.0.1:{nodes[int(match[2]) - 1]}", text)
