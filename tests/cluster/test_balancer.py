"""The configurations of HAProxy: valid, and what they do when a node is not ready, dies, or loses a request."""

import contextlib
import http.client
import ssl
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.cluster.machine.balancer import CONFIGURATIONS, Balancer, missing
from tests.cluster.machine.processes import Machine, machine, wait_for
from tests.support.certificates import Authority

# A check that haproxy breaks off before its handshake leaves the stand-in's socket to the garbage collector.
pytestmark = [
    pytest.mark.skipif(bool(missing()), reason="haproxy is not installed (make cluster-packages)"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
VARIANTS = ["plain", "tls-passthrough"]


class Node:
    """A server with a node's paths of health; what it does with other requests can be set."""

    def __init__(self, name: str, certificate: Path | None, key: Path | None) -> None:
        self.name, self.ready, self.mode = name, True, "answer"
        self.seen: Counter[str] = Counter()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _handler(node: Node) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/health/ready":
                node.seen["checks"] += 1
                self._answer(200 if node.ready else 503, "{}")
                return
            if self.path == "/health/live":
                self._answer(200, "{}")
                return
            node.seen[self.command] += 1
            if node.mode == "lose":
                self.close_connection = True  # and say nothing
                return
            self._answer(503 if node.mode == "refuse" else 200, f"{node.name} {self.headers['Host']}")

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Write nothing."""

    return Handler


class Place:
    """Three nodes behind a balancer."""

    def __init__(self, of: Machine, variant: str) -> None:
        certificate = key = self._context = None
        if variant == "tls-passthrough":
            authority = Authority(of.part("tls"))
            certificate, key = authority.certificate("localhost")
            self._context = ssl.create_default_context(cafile=authority.path)
        self.machine = of
        self.nodes = [Node(f"node{number}", certificate, key) for number in (1, 2, 3)]
        for node in self.nodes:
            of.on_close(node.close)
        self._balancer = Balancer(of, variant, [node.port for node in self.nodes])
        self._balancer.start()

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to the balancer."""
        if self._context is None:
            return http.client.HTTPConnection("localhost", self._balancer.port, timeout=60)
        return http.client.HTTPSConnection("localhost", self._balancer.port, timeout=60, context=self._context)

    def ask(self, method: str = "GET") -> tuple[int, str]:
        """Return status and body of a request on a connection of its own."""
        with contextlib.closing(self.connect()) as client:
            client.request(method, "/", b"x" if method == "POST" else None)
            answer = client.getresponse()
            return answer.status, answer.read().decode()

    def names(self) -> set[str]:
        """Return which nodes answer twelve requests; a request that is cut off has no node."""
        names = set()
        for _ in range(12):
            with contextlib.suppress(OSError, http.client.HTTPException):
                names.add(self.ask()[1].split()[0])
        return names


@pytest.fixture(params=VARIANTS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """Give the nodes behind each variant of the configuration."""
    with machine() as made:
        yield Place(made, request.param)


@pytest.fixture
def plain() -> Iterator[Place]:
    """Give the nodes behind the variant that reads requests."""
    with machine() as made:
        yield Place(made, "plain")


@pytest.mark.parametrize("variant", VARIANTS)
def test_configuration_is_valid(variant: str) -> None:
    """HAProxy finds nothing to warn about in the file as it is."""
    file = CONFIGURATIONS / f"{variant}.cfg"
    done = subprocess.run(["haproxy", "-c", "-f", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr


def test_wrong_configuration_is_found(tmp_path: Path) -> None:
    """The check itself sees a word that HAProxy does not know."""
    file = tmp_path / "haproxy.cfg"
    file.write_text((CONFIGURATIONS / "plain.cfg").read_text().replace("balance leastconn", "balance fairly"))
    assert subprocess.run(["haproxy", "-c", "-f", file], capture_output=True, check=False).returncode != 0


def test_all_nodes_serve_and_host_is_kept(place: Place) -> None:
    """Requests go to every node, with the Host header that the client has signed."""
    assert place.names() == {"node1", "node2", "node3"}
    assert place.ask()[1].split()[1].startswith("localhost:")


def test_node_that_is_not_ready_gets_nothing(place: Place) -> None:
    """It leaves after two checks, and comes back when it is ready."""
    place.nodes[0].ready = False
    wait_for(lambda: place.names() == {"node2", "node3"}, 60, "two nodes", place.machine)
    place.nodes[0].ready = True
    wait_for(lambda: len(place.names()) == 3, 60, "three nodes", place.machine)


def test_nodes_that_live_are_asked_while_none_is_ready(place: Place) -> None:
    """What all nodes share may be away, such as the S3: each still does what it can."""
    for node in place.nodes:
        node.ready = False
    checks = place.nodes[0].seen["checks"]
    wait_for(lambda: place.nodes[0].seen["checks"] > checks + 3, 60, "some checks", place.machine)
    wait_for(lambda: len(place.names()) == 3, 60, "three nodes", place.machine)
    assert {place.ask()[0] for _ in range(12)} == {200}
    place.nodes[1].ready = True
    wait_for(lambda: place.names() == {"node2"}, 60, "the one that is ready", place.machine)


def test_kept_connection_leaves_a_node_that_is_not_ready(place: Place) -> None:
    """A client that keeps its connection is not bound to that node: it goes on with another one, or is cut off."""
    with contextlib.closing(place.connect()) as client:
        client.request("GET", "/")
        name = client.getresponse().read().decode().split()[0]
        node = next(node for node in place.nodes if node.name == name)
        node.ready = False
        wait_for(lambda: _has_left(client, name), 60, "the end of the connection to the node", place.machine)


def _has_left(client: http.client.HTTPConnection, name: str) -> bool:
    """Return whether the next request on a kept connection is answered by another node, or is cut off."""
    try:
        client.request("GET", "/")
        return client.getresponse().read().decode().split()[0] != name
    except (OSError, http.client.HTTPException):
        return True  # the variant that does not read requests


def test_dead_node_costs_nobody_a_request(place: Place) -> None:
    """A node that refuses connections is passed over at once, also before a check has seen it."""
    place.nodes[0].close()
    assert {place.ask()[0] for _ in range(12)} == {200}
    assert {place.ask("POST")[0] for _ in range(12)} == {200}


@pytest.mark.parametrize("mode", ["lose", "refuse"])
def test_reading_is_repeated(plain: Place, mode: str) -> None:
    """A GET that one node lost, or refused with 503, is answered by another one."""
    plain.nodes[0].mode = mode
    answers = [plain.ask() for _ in range(12)]
    assert {(status, text.split()[0]) for status, text in answers} == {(200, "node2"), (200, "node3")}
    assert plain.nodes[0].seen["GET"] > 0


@pytest.mark.parametrize(("mode", "status"), [("lose", 502), ("refuse", 503)])
def test_change_is_not_repeated(plain: Place, mode: str, status: int) -> None:
    """A POST reaches one node, once: the client learns that its outcome is not known."""
    for node in plain.nodes:
        node.mode = mode
    assert plain.ask("POST")[0] == status
    assert sum(node.seen["POST"] for node in plain.nodes) == 1
