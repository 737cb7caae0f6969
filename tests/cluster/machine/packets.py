"""Packets that are lost: ways on which the kernel drops all packets, or some, in a network namespace of its own.

A proxy that swallows everything still accepts connections, and its machine still acknowledges what it got. Here TCP
itself meets silence: new connections get no answer, old ones repeat what was lost, and time out. The namespace has
nothing but a loopback, so the rules touch no other program, and are gone when its last process ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_INSIDE = "FUIN_TEST_NAMESPACE"  # the environment says so
_LOSS = 20  # percent, on a way that loses some
_RULES = f"""
table inet fuin {{
  set parted {{ type inet_service; }}
  set lossy {{ type inet_service; }}
  chain arriving {{
    type filter hook input priority 0;
    tcp dport @parted drop
    tcp sport @parted drop
    tcp dport @lossy numgen random mod 100 < {_LOSS} drop
    tcp sport @lossy numgen random mod 100 < {_LOSS} drop
  }}
}}
"""


def can_be_dropped() -> bool:
    """Return whether this process is in a namespace where packets can be dropped."""
    return os.environ.get(_INSIDE) == str(os.getpid())


def enter_namespace(arguments: Sequence[str]) -> None:
    """Run `python -m …` with these arguments again in a namespace of its own; return if that cannot be.

    In the namespace it returns too, when the loopback and the rules are there.
    """
    if can_be_dropped():
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["nft", "-f", "-"], input=_RULES.encode(), check=True)
        return
    if os.geteuid() != 0 or not all(shutil.which(program) for program in ("unshare", "nft", "ip")):
        print("no packets are dropped: that needs root, and the packages iproute2 and nftables", flush=True)
        return
    os.environ[_INSIDE] = str(os.getpid())  # `exec` keeps the process id
    os.execvp("unshare", ["unshare", "--net", sys.executable, "-m", *arguments])


def part(ports: Iterable[int]) -> None:
    """Drop all packets to and from some ports."""
    _change("add", "parted", ports)


def lose_some(ports: Iterable[int]) -> None:
    """Drop some of the packets to and from some ports."""
    _change("add", "lossy", ports)


def heal(ports: Iterable[int]) -> None:
    """Drop no packets of these ports, which `part` or `lose_some` has named."""
    for name in ("parted", "lossy"):
        _change("add", name, ports)  # only what is there can be deleted
        _change("delete", name, ports)


def _change(verb: str, name: str, ports: Iterable[int]) -> None:
    listed = ", ".join(str(port) for port in ports)
    subprocess.run(["nft", verb, "element", "inet", "fuin", name, f"{{ {listed} }}"], check=True)
