"""Unix sockets at paths of any length, and who is at their other end. Linux: unix(7), proc(5)."""

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

_LONGEST = 107  # bytes of sockaddr_un.sun_path, without its terminating zero
_UCRED = struct.Struct("iII")  # pid, uid, gid


@contextlib.contextmanager
def socket_name(path: Path) -> Iterator[str]:
    """Yield a name for `path` that fits a Unix socket address: a long one goes through /proc/self/fd of its folder."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def bind_unix(path: Path) -> socket.socket:
    """Return a listening Unix socket at `path`, for this user only; an old socket is replaced.

    Raises OSError. The caller (the supervisor) holds the data folder's lock, so nobody listens at the old one.
    """
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with socket_name(path) as name:
            listener.bind(name)
        path.chmod(0o600)
        listener.listen(1024)
    except BaseException:
        listener.close()
        raise
    return listener


def connect_unix(path: Path) -> socket.socket:
    """Return a nonblocking socket connected to `path`; raises OSError, BlockingIOError when its queue is full."""
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        with socket_name(path) as name:
            peer.connect(name)
    except BaseException:
        peer.close()
        raise
    return peer


def peer_uid(peer: socket.socket) -> int:
    """Return the user id of the process that connected, as the kernel noted it then."""
    raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(raw)[1])
