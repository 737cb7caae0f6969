"""What a tree of processes costs: CPU time and resident memory. Linux: /proc/PID/stat."""

from __future__ import annotations

import psutil


def tree(pid: int) -> list[int]:
    """Return the process and all that it started."""
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def cpu_seconds(pids: list[int]) -> float:
    """Return the CPU time, user and system, of the processes so far; threads that have ended count. Steps of 10 ms."""
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(time.user + time.system for time in times)


def resident_bytes(pids: list[int]) -> int:
    """Return the resident memory of the processes together; shared pages count in each."""
    return sum(psutil.Process(pid).memory_info().rss for pid in pids)
