"""Figures of volumes: `python -m bench.volumes [SECONDS]`, as root.

fio on an ext4 on a file below a loop device, beside an encrypted disk in each format that this machine can, with a file
of the same size on the same disk; and how fast blocks of a snapshot are read and sent, or written, with a server that
takes no time. The rounds of the paths take turns, and the figure is the median.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from fuin.host import file_systems
from fuin.host.formats import Formats
from fuin.host.programs import run
from fuin.host.snapshots.filling import fill
from fuin.host.snapshots.sending import Parent, Source, send_snapshot
from fuin.host.token import Token
from fuin.host.wire.clients import BLOCK, HostBlocks
from fuin.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024 * 1024
SIZE = 768 * MIB
ROUNDS = 3
JOBS = {
    "128k write MB/s": ("--rw=write", "--bs=128k", "--iodepth=8"),
    "128k read MB/s": ("--rw=read", "--bs=128k", "--iodepth=8"),
    "4k random write IOPS": ("--rw=randwrite", "--bs=4k", "--iodepth=16"),
    "4k random read IOPS": ("--rw=randread", "--bs=4k", "--iodepth=16"),
    "4k write with fsync IOPS": ("--rw=write", "--bs=4k", "--iodepth=1", "--fsync=1"),
}


class NoServer:
    """A server that takes blocks at once, and gives blocks of random bytes."""

    def __init__(self, count: int) -> None:
        self._data = os.urandom(BLOCK)
        self._count = count

    def list_blocks(self, _: str) -> Iterator[tuple[int, str]]:
        """Yield the blocks of a full snapshot."""
        yield from ((index, "") for index in range(self._count))

    def get_block(self, *_: object) -> bytes:
        """Return a block, after its checksum was compared as the client does it."""
        hashlib.sha256(self._data).digest()
        return self._data

    def put_block(self, *_: object) -> None:
        """Take a block."""

    def complete(self, *_: object) -> None:
        """Complete a snapshot."""


def measure(folder: Path, job: tuple[str, ...], seconds: float) -> float:
    """Return megabytes or operations in a second."""
    file = folder / "file"
    command = ["fio", "--name=x", f"--filename={file}", f"--size={SIZE // 2}", "--direct=1", "--ioengine=libaio",
               "--time_based", f"--runtime={seconds}", "--output-format=json", *job]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)["jobs"][0]
    side = result["read" if "read" in job[0] else "write"]
    return float(side["bw_bytes"] / 1e6 if "128k" in job[1] else side["iops"])


@contextmanager
def open_paths(folder: Path) -> Iterator[dict[str, Path]]:
    """Yield where the file systems of the paths are mounted, by name; `bare` has no encryption."""
    formats = Formats(folder / "run")
    mounts: dict[str, Path] = {}
    bare = folder / "bare.disk"
    with bare.open("wb") as file:
        file.truncate(SIZE)
    loop = Path(run(["losetup", "--show", "--find", "--direct-io=on", str(bare)]).strip())
    opened = [(loop, "bare")]
    able = [each for each in formats.all if not each.find_obstacle()]
    for each in able:
        disk, key = folder / f"{each.name}.disk", Secret(os.urandom(64))
        with disk.open("wb") as file:
            file.truncate(SIZE + 16 * MIB)
        each.make(disk, key, Token("vol-00000000", "vol-00000000", "arn", b"x"))
        opened.append((each.open(disk, f"bench-{each.name}", key, size=SIZE).device, each.name))
    try:
        for device, name in opened:
            file_systems.make(device, "ext4")
            file_systems.mount(device, folder / name)
            mounts[name] = folder / name
        yield mounts
    finally:
        for device, _ in opened:
            file_systems.unmount(device)
        run(["losetup", "--detach", str(loop)])
        for each in able:
            each.close(f"bench-{each.name}")


def cpu_seconds(folder: Path) -> float:
    """Return the processor time of this process and of the storage daemon."""
    own = os.times()
    used = own.user + own.system
    pid = folder / "run" / "bench-blocks" / "pid"
    if pid.exists():
        words = Path(f"/proc/{pid.read_text().strip()}/stat").read_text().rsplit(") ", 1)[1].split()
        used += (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
    return used


def measure_blocks(folder: Path) -> dict[str, float]:
    """Return megabytes in a second of processor time: of filling a disk, and of reading one for a snapshot."""
    formats = Formats(folder / "run")
    chosen, key, disk = formats.choose(), Secret(os.urandom(64)), folder / "blocks.disk"
    with disk.open("wb") as file:
        file.truncate(SIZE + 16 * MIB)
    chosen.make(disk, key, Token("vol-00000000", "vol-00000000", "arn", b"x"))
    device = chosen.open(disk, "bench-blocks", key, size=SIZE).device
    blocks = cast("HostBlocks", NoServer(SIZE // BLOCK))
    try:
        times = [(time.monotonic(), cpu_seconds(folder))]
        fill(blocks, "snap-00000000", device)
        times.append((time.monotonic(), cpu_seconds(folder)))
        source = Source(device, disk, chosen.find_data(disk))
        send_snapshot(blocks, "snap-00000000", source, Parent(), folder / "checksums")
        times.append((time.monotonic(), cpu_seconds(folder)))
    finally:
        chosen.close("bench-blocks")
    found = {}
    for name, before, after in (("fill", times[0], times[1]), ("read and hash", times[1], times[2])):
        found[f"{name}, MB/s"] = SIZE / 1e6 / (after[0] - before[0])
        found[f"{name}, MB in a second of a core"] = SIZE / 1e6 / (after[1] - before[1])
    return found


def main() -> None:
    """Print a table."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    with tempfile.TemporaryDirectory(prefix="fuin-bench-", dir="/var/tmp") as name:
        folder = Path(name)
        with open_paths(folder) as mounts:
            print(f"| | {' | '.join(mounts)} |\n|---|{'---|' * len(mounts)}")
            for title, job in JOBS.items():
                rounds = [[measure(mount, job, seconds) for mount in mounts.values()] for _ in range(ROUNDS)]
                medians = [statistics.median(column) for column in zip(*rounds, strict=True)]
                print(f"| {title} | {' | '.join(f'{value:,.0f}' for value in medians)} |", flush=True)
        for title, value in measure_blocks(folder).items():
            print(f"{title}: {value:,.0f}")


if __name__ == "__main__":
    main()
