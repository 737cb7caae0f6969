"""The way from AWS's own address of KMS to a server of the tests: a proxy that ends TLS in AWS's name."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

from tests.support.certificates import Authority
from tests.support.processes import free_port

PASSWORD = "changeit"  # of a file with a public certificate in it


def write_trust(authority: Authority, path: Path) -> None:
    """Write the authority's certificate where Java looks for those that it trusts."""
    certificate = x509.load_pem_x509_certificate(authority.path.read_bytes())
    trusted = [pkcs12.PKCS12Certificate(certificate, b"tests")]
    path.write_bytes(pkcs12.serialize_java_truststore(trusted, BestAvailableEncryption(PASSWORD.encode())))


@contextmanager
def proxied(authority: Authority, name: str, port: int) -> Iterator[str]:
    """Give the URL of a proxy that answers CONNECT NAME:443 itself and passes on plain http to the local `port`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.certificate(name))
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        told = (listener, context, f"CONNECT {name}:443 ".encode(), port)
        thread = threading.Thread(target=_serve, args=told, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(60)


def _serve(listener: socket.socket, context: ssl.SSLContext, asked: bytes, port: int) -> None:
    with contextlib.suppress(OSError):  # the listener is shut down, at the end
        while True:
            client, _ = listener.accept()
            threading.Thread(target=_connect, args=(client, context, asked, port), daemon=True).start()


def _connect(client: socket.socket, context: ssl.SSLContext, asked: bytes, port: int) -> None:
    client.settimeout(30)
    with client, contextlib.suppress(OSError):
        head = b""
        while not head.endswith(b"\r\n\r\n") and (piece := client.recv(1)):
            head += piece
        if not head.startswith(asked):
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with (
            context.wrap_socket(client, server_side=True) as near,
            socket.create_connection(("127.0.0.1", port)) as far,
        ):
            answers = threading.Thread(target=_pass_on, args=(far, near), daemon=True)
            answers.start()
            _pass_on(near, far)
            answers.join(60)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
