"""SIGTERM drains: what is under way is finished, what is idle does not hold the server up."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from tests.support.server import Server

pytestmark = pytest.mark.real


@contextmanager
def _idle(server: Server) -> Iterator[socket.socket]:
    """Yield a connection that has had one answer and now stays open without a word."""
    with socket.create_connection(("127.0.0.1", server.port)) as plain:
        if server.certificate is None:
            connection = plain
        else:
            context = ssl.create_default_context(cafile=str(server.certificate))
            connection = context.wrap_socket(plain, server_hostname="localhost")
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        yield connection
        connection.close()


@pytest.mark.parametrize("tls", [False, True], ids=["http", "tls"])
def test_idle_connection_does_not_delay_the_end(new_server: Callable[..., Server], tls: bool) -> None:
    """A client that keeps its connection and says nothing costs a few seconds at most, also over TLS."""
    server = new_server("idle", workers=1, tls=tls)
    server.start()
    with _idle(server):
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 25


def test_upload_under_way_is_finished(new_server: Callable[..., Server]) -> None:
    """An upload whose body is still arriving when SIGTERM comes is acknowledged and stored."""
    server = new_server("drain", workers=1)
    server.start()
    server.client("s3").create_bucket(Bucket="drain")
    with closing(server.new_client("s3", signature_version="s3v4")) as signer:
        url = signer.generate_presigned_url("put_object", Params={"Bucket": "drain", "Key": "late"})
    path = url.split(str(server.port), 1)[1]
    with socket.create_connection(("127.0.0.1", server.port)) as upload:
        upload.sendall(
            f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nContent-Length: 10\r\n"
            "Expect: 100-continue\r\n\r\n".encode()
        )
        assert upload.recv(4096).startswith(b"HTTP/1.1 100 ")  # the body is waited for
        upload.sendall(b"first")
        ending = threading.Thread(target=server.stop)
        ending.start()
        time.sleep(0.5)
        upload.sendall(b"later")
        answer = upload.recv(4096)
    ending.join()
    assert answer.startswith(b"HTTP/1.1 200"), answer
    server.start()
    with server.client("s3").get_object(Bucket="drain", Key="late")["Body"] as body:
        assert body.read() == b"firstlater"
    server.stop()
