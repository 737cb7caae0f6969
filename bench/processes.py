"""What a tree of processes costs: CPU time and resident memory. Linux: /proc/PID/task/*/schedstat."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psutil


def tree(pid: int) -> list[int]:
    """Return the process and all that it started."""
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def cpu_seconds(pids: list[int]) -> float:
    """Return the CPU time, user and system, that all threads of the processes have used so far."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError):  # a thread that ended meanwhile
                total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def resident_bytes(pids: list[int]) -> int:
    """Return the resident memory of the processes together; shared pages count in each."""
    return sum(psutil.Process(pid).memory_info().rss for pid in pids)
