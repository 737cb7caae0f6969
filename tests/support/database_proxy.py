"""A TCP proxy in front of PostgreSQL that loses the connection at a chosen message."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass


@dataclass(slots=True)
class Cut:
    """A connection is lost at the next message that holds `pattern`: before it arrives, or before its answer does."""

    pattern: bytes
    arrives: bool


class DatabaseProxy:
    """Forwards connections to a port of the loopback; used as a context manager."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut: Cut | None = None  # the next one; None again when it has happened
        self.is_open = True  # whether further connections are taken
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> DatabaseProxy:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        _close(self._listener, *self._sockets)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if not self.is_open:
                    _close(client)
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                self._sockets += [client, server]
                silent = threading.Event()
                for forward in (self._to_server, self._to_client):
                    threading.Thread(target=forward, args=(client, server, silent), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, silent: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                cut = self._take(data)
                if cut is not None and not cut.arrives:
                    break
                if cut is not None:
                    silent.set()
                server.sendall(data)
        if not silent.is_set():
            _close(client, server)

    def _take(self, data: bytes) -> Cut | None:
        with self._lock:
            cut = self.cut
            if cut is None or cut.pattern not in data:
                return None
            self.cut = None
            return cut

    def _to_client(self, client: socket.socket, server: socket.socket, silent: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if silent.is_set():
                    break
                client.sendall(data)
        _close(client, server)


def _close(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
