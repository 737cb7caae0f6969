"""Targets in absolute form, which RFC 9112 section 3.2.2 makes every server take."""

import socket
from collections.abc import Callable

import pytest

from fuin.server import target
from fuin.server.target import UnknownTarget
from tests.server.place import talk, tell, told
from tests.support.server import Server


@pytest.mark.parametrize(
    ("line", "host", "understood"),
    [
        (b"http://x/a/b?c=d", b"x", b"/a/b?c=d"),
        (b"HTTP://x:8700/a%2Fb", b"X:8700", b"/a%2Fb"),
        (b"https://x/", b"x:443", b"/"),
        (b"http://x:80", b"x", b"/"),
        (b"http://x?list-type=2", b"x", b"/?list-type=2"),
        (b"http://[::1]:8700/a?b=http://y/", b"[::1]:8700", b"/a?b=http://y/"),
    ],
)
def test_the_path_is_found(line: bytes, host: bytes, understood: bytes) -> None:
    """Path and query are as they came; the host is the same without regard to case and to the scheme's own port."""
    assert target.origin_form(line, [(b"host", host)]) == understood


def test_the_target_stands_for_a_host_that_is_not_named() -> None:
    """HTTP/1.0 has no Host header; the signature then covers the target's."""
    headers = [(b"a", b"b")]
    assert target.origin_form(b"http://x/a", headers) == b"/a"
    assert headers == [(b"a", b"b"), (b"host", b"x")]


@pytest.mark.parametrize(
    ("line", "hosts"),
    [
        (b"http://y/a", [b"x"]),
        (b"http://x/a", [b"x", b"y"]),
        (b"http://x:81/a", [b"x"]),
        (b"https://x/a", [b"x:80"]),
        (b"http:///a", [b""]),
        (b"http://x@y/a", [b"y"]),
        (b"http://x@y/a", [b"x@y"]),
        (b"ftp://x/a", [b"x"]),
        (b"x:443", [b"x:443"]),
        (b"*", [b"x"]),
        (b"", [b"x"]),
    ],
)
def test_other_targets_are_refused(line: bytes, hosts: list[bytes]) -> None:
    """So is one that names another host than the Host header: the client signs one, and a proxy looks at the other."""
    with pytest.raises(UnknownTarget):
        target.origin_form(line, [(b"host", host) for host in hosts])


@pytest.mark.parametrize(
    ("version", "hosts", "taken"),
    [
        (b"1.1", b"host: x\r\n", True),
        (b"1.1", b"host: a-b.example_c:8700\r\n", True),
        (b"1.1", b"host: [::1]:8700\r\n", True),
        (b"1.1", b"host:\r\n", True),
        (b"1.1", b"", False),
        (b"1.1", b"host: x\r\nhost: y\r\n", False),
        (b"1.1", b"host: x\r\nHost: x\r\n", False),
        (b"1.1", b"host: x y\r\n", False),
        (b"1.1", b"host: x/y\r\n", False),
        (b"1.1", b"host: y@x\r\n", False),
        (b"1.1", b"host: x\xff\r\n", False),
        (b"1.0", b"", True),
        (b"1.0", b"host: x\r\n", True),
        (b"1.0", b"host: x\r\nhost: y\r\n", False),
        (b"0.9", b"host: x\r\n", False),
        (b"2.0", b"host: x\r\n", False),
    ],
)
@pytest.mark.parametrize("offer", [b"", b"connection: upgrade\r\nupgrade: x\r\n"], ids=["plain", "offer"])
def test_it_is_clear_whom_a_request_is_for(version: bytes, hosts: bytes, taken: bool, offer: bytes) -> None:
    """RFC 9112 section 3.2: one Host header, or in HTTP/1.0 none; else 400, and the connection ends."""
    answer = talk(tell, b"GET /a HTTP/%b\r\n%b%b\r\n" % (version, hosts, offer))
    assert answer.startswith(b"HTTP/1.1 200" if taken else b"HTTP/1.1 400")
    assert [target for target, _, _ in told(answer)] == [["GET", "/a", ""]] * taken
    assert answer.endswith(b"<end>") is not (taken and version == b"1.1")


def test_a_target_in_absolute_form_needs_a_host_beside_it() -> None:
    """So says section 3.2.2; only HTTP/1.0 may leave it out."""
    assert talk(tell, b"GET http://x/a HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert talk(tell, b"GET http://x/a HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")


def test_on_the_wire() -> None:
    """The application sees a path; what is refused gets 400 and the end of the connection."""
    answers = talk(tell, b"GET http://x/a?b HTTP/1.1\r\nhost: x\r\n\r\nGET /c HTTP/1.1\r\nhost: x\r\n\r\n")
    assert [target for target, *_ in told(answers)] == [["GET", "/a", "b"], ["GET", "/c", ""]]
    for line in (b"GET http://y/a", b"GET ftp://x/a", b"OPTIONS *"):
        answer = talk(tell, line + b" HTTP/1.1\r\nhost: x\r\n\r\nGET /c HTTP/1.1\r\nhost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1") == 1


def test_a_signature_holds(server: Server, unique: Callable[[str], str]) -> None:
    """A presigned URL works as the whole target, as proxies and some clients send it."""
    s3, bucket = server.new_client("s3", signature_version="s3v4"), unique("target")
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="a b", Body=b"hello")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b"})
    s3.close()
    with socket.create_connection(("127.0.0.1", server.port), 60) as client:
        client.sendall(f"GET {url} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nConnection: close\r\n\r\n".encode())
        answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nhello")
