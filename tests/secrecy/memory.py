"""The memory of another process, as root may read it. Linux: proc(5), /proc/PID/maps and /proc/PID/mem."""

import os
import re
from collections.abc import Iterator, Sequence

from tests.secrecy.needles import Needle, found

_LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+)\s*(.*)")
_PIECE = 8 * 1024 * 1024
_UNREADABLE = ("[vvar]", "[vvar_vclock]", "[vsyscall]", "[vdso]")


def regions(pid: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of what a process may have written to: private writable memory, shared memory, stacks."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps:
        lines = maps.readlines()
    for line in lines:
        match = _LINE.match(line)
        assert match, line
        start, end, rights, inode, name = match.groups()
        unchanged_file = inode != "0" and "w" not in rights  # code and constants, as they are on the disk
        if rights.startswith("r") and not unchanged_file and name not in _UNREADABLE:
            yield int(start, 16), int(end, 16)


def pieces(pid: int, overlap: int) -> Iterator[bytes]:
    """Yield a process's memory in pieces that overlap, so that nothing is missed at their borders."""
    descriptor = os.open(f"/proc/{pid}/mem", os.O_RDONLY)
    try:
        for start, end in regions(pid):
            at = start
            while at < end:
                try:
                    piece = os.pread(descriptor, min(_PIECE, end - at), at)
                except OSError:  # gone, or a page that cannot be read
                    break
                if not piece:
                    break
                yield piece
                at += len(piece) - overlap if len(piece) > overlap and at + len(piece) < end else len(piece)
    finally:
        os.close(descriptor)


def search(pid: int, needles: Sequence[Needle]) -> set[str]:
    """Return the names of the needles that are in a process's memory."""
    hits: set[str] = set()
    overlap = max(one.longest for one in needles)
    for piece in pieces(pid, overlap):
        hits.update(found(piece, needles))
    return hits


def may_read(pid: int) -> bool:
    """Tell whether this process may read the other's memory."""
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
    except OSError:
        return False
    return True
