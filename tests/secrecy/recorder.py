"""Recording relays: between workers and the keyholder, and between clients and the server."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_UCRED = struct.Struct("iII")  # pid, uid, gid


@dataclass
class Conversation:
    """All bytes of one connection, in both directions, and the process that opened it (0 over TCP)."""

    pid: int
    sent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)


class Relay:
    """Accepts connections, forwards them and keeps a copy of everything."""

    def __init__(self, listener: socket.socket, connect: Callable[[], socket.socket]) -> None:
        self.conversations: list[Conversation] = []
        self._listener = listener
        self._connect = connect
        self._sockets: list[socket.socket] = [listener]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            pid = 0
            if client.family == socket.AF_UNIX:
                raw = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
                pid = _UCRED.unpack(raw)[0]
            conversation = Conversation(pid)
            try:
                server = self._connect()
            except OSError:
                client.close()
                continue
            self.conversations.append(conversation)
            self._sockets += [client, server]
            self._start(self._pump, client, server, conversation.sent)
            self._start(self._pump, server, client, conversation.received)

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, record: bytearray) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                record += data
                target.sendall(data)
        for end, how in ((target, socket.SHUT_WR), (source, socket.SHUT_RD)):
            with contextlib.suppress(OSError):
                end.shutdown(how)

    def close(self) -> None:
        """End all connections and threads."""
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(5)


def unix_relay(path: Path) -> Relay:
    """Take the place of the socket at `path`, which moves aside; who connects from now on is recorded."""
    behind = path.with_name("behind.sock")
    path.rename(behind)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(128)

    def connect() -> socket.socket:
        peer = socket.socket(socket.AF_UNIX)
        try:
            peer.connect(str(behind))
        except OSError:
            peer.close()
            raise
        return peer

    return Relay(listener, connect)


def tcp_relay(port: int) -> tuple[Relay, int]:
    """Listen on a port of its own and forward to loopback `port`; returns the relay and its port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return Relay(listener, lambda: socket.create_connection(("127.0.0.1", port))), listener.getsockname()[1]
