"""The proxy behind HTTPS, with switches that inject failures."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from fuin.testing.xks_proxy import api, signature
from fuin.testing.xks_proxy.manager import KeyManager
from fuin.testing.xks_proxy.refusal import Refusal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

BODY_LIMIT = 64 * 1024

_KEY_PATH = re.compile(r"/keys/([a-zA-Z0-9._-]{1,128})/(metadata|encrypt|decrypt)")
_OPERATIONS: dict[str, Callable[[KeyManager, str, api.Document], api.Document]] = {
    "metadata": api.metadata,
    "encrypt": api.encrypt,
    "decrypt": api.decrypt,
}


@dataclass
class Switches:
    """Injected failures; `only` names the one operation that they apply to, such as encrypt."""

    only: str | None = None
    delay: float = 0.0  # seconds before the answer
    refuse: str | None = None  # the name of an error
    raw: tuple[int, bytes] | None = None  # status and body of every answer
    headers: tuple[tuple[str, str], ...] = ()  # further headers
    change: Callable[[dict[str, Any]], None] | None = None  # changes a right answer
    hang_up: bool = False  # the connection ends without an answer
    health: str = "ACTIVE"


@dataclass
class ReceivedRequest:
    """One received request, for tests to look at."""

    operation: str
    key_id: str
    document: api.Document


@dataclass
class Proxy:
    """The proxy: its credentials (id and secret), its key manager, its switches and the requests that it received."""

    prefix: str = ""
    vendor: str = "Fuin"
    credentials: dict[str, str] = field(default_factory=dict, repr=False)
    manager: KeyManager = field(default_factory=KeyManager)
    switches: Switches = field(default_factory=Switches)
    asked: list[ReceivedRequest] = field(default_factory=list)
    connections: int = 0  # opened so far

    @property
    def path(self) -> str:
        """Return the path of the API, AWS's XksProxyUriPath."""
        return f"{self.prefix}/kms/xks/v1"

    def answer(self, operation: str, key_id: str, headers: dict[str, str], path: str, body: bytes) -> api.Document:
        """Answer one request; raises Refusal."""
        signature.check(self.credentials, path, headers, body)
        document = _parse_document(body)
        self.asked.append(ReceivedRequest(operation, key_id, document))
        switches = self.switches_for(operation)
        if switches.refuse is not None:
            raise Refusal(switches.refuse, "Refused on purpose.")
        if operation == "health":
            answer = api.health(self.vendor, switches.health, document)
        else:
            answer = _OPERATIONS[operation](self.manager, key_id, document)
        if switches.change is not None:
            switches.change(answer)
        return answer

    def route(self, path: str) -> tuple[str, str]:
        """Return the operation and the external key's id of a path; raises Refusal."""
        rest = path.removeprefix(self.path) if path.startswith(self.path) else ""
        if rest == "/health":
            return "health", ""
        found = _KEY_PATH.fullmatch(rest)
        if found is None:
            raise Refusal("InvalidUriPathException", "There is no such path.")
        return found[2], found[1]

    def switches_for(self, operation: str) -> Switches:
        """Return the switches for one operation."""
        return self.switches if self.switches.only in {None, operation} else Switches()


def _parse_document(body: bytes) -> api.Document:
    try:
        document = json.loads(body)
    except ValueError:
        raise Refusal("ValidationException", "The body is not JSON.") from None
    if not isinstance(document, dict):
        raise Refusal("ValidationException", "The body is no JSON object.")
    return document


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer leaves in one piece
    disable_nagle_algorithm = True
    timeout = 60
    server: Server

    def do_POST(self) -> None:
        """Answer one request of the API."""
        proxy = self.server.proxy
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            self.close_connection = True
            self._send(413, b"")
            return
        body = self.rfile.read(int(length))
        operation = "none"
        try:
            operation, key_id = proxy.route(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, document = 200, proxy.answer(operation, key_id, headers, self.path, body)
        except Refusal as error:
            status, document = error.status, {"errorName": error.name, "errorMessage": error.message}
        self._finish(proxy.switches_for(operation), status, json.dumps(document).encode())

    def do_GET(self) -> None:
        """Refuse: the API has only POST."""
        self._send(405, b"")

    def _finish(self, switches: Switches, status: int, body: bytes) -> None:
        if switches.delay:
            time.sleep(switches.delay)
        if switches.hang_up:
            self.close_connection = True
            return
        if switches.raw is not None:
            status, body = switches.raw
        self._send(status, body, switches.headers)

    def _send(self, status: int, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Write nothing: there may be many requests, and a test looks at `Proxy.asked`."""


class Server(ThreadingHTTPServer):
    """The proxy's HTTPS server; `with` runs it in a thread of its own."""

    daemon_threads = True
    request_queue_size = 128  # else a burst of connections waits for its packets to be sent again
    block_on_close = False  # a slow answer does not hold the end back

    def __init__(self, proxy: Proxy, certificate: Path, key: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.proxy = proxy
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate, key)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._open: set[socket.socket] = set()
        super().__init__((host, port), _Handler)

    @property
    def port(self) -> int:
        """Return the port."""
        return int(self.server_address[1])

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Shake hands in the connection's own thread, then serve its requests."""
        try:
            request.settimeout(10)
            with self._tls.wrap_socket(request, server_side=True) as secured:
                self.proxy.connections += 1
                self._open.add(secured)
                try:
                    super().finish_request(secured, client_address)
                finally:
                    self._open.discard(secured)
        except OSError:
            return  # the client has gone, or does not trust the certificate

    def drop_connections(self) -> None:
        """Close the connections that are open, as a proxy does with idle ones."""
        for connection in list(self._open):
            try:
                connection.shutdown(2)
            except OSError:
                continue

    def __enter__(self) -> Server:
        """Serve in a thread."""
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="xks proxy")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End the server and its connections."""
        self.shutdown()
        self._thread.join()
        self.server_close()
        self.drop_connections()
