"""The target of a request line, and its host: RFC 9112 section 3.2."""

from __future__ import annotations

from urllib.parse import unquote

from fuin.errors import FuinError

_PORTS = {b"http": b":80", b"https": b":443"}


# RFC 3986 section 3.2.2
_HOST_CHARACTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%!$&'()*+,;=:[]"


class UnknownHost(FuinError):
    """More than one Host header, a missing one, or one that is not a name and port."""


class UnknownTarget(FuinError):
    """A target that is neither a path nor a URL of this server, or a URL of another host than the request names."""


def check_host(headers: list[tuple[bytes, bytes]], version: str) -> None:
    """Raise UnknownHost unless a request names exactly one host: RFC 9112 section 3.2.

    With two hosts, a proxy in front may have checked one of them, and we would answer as the other.
    """
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) != 1:
        if hosts or version != "1.0":
            raise UnknownHost("there must be one Host header")
    elif hosts[0].translate(None, _HOST_CHARACTERS):
        raise UnknownHost("the Host header names no host")


def origin_form(target: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return the path and query of a target in absolute form (`http://host/path`), which a server must take.

    Section 3.2.2: the host of the target counts, not the Host header. A client signs the Host that it sends, so the two
    must be the same; without a Host header, the target's host takes its place. Raises UnknownTarget.
    """
    scheme, found, rest = target.partition(b"://")
    port = _PORTS.get(scheme.lower())
    if not found or port is None:
        raise UnknownTarget("the target is no path")
    end = min(place for mark in (b"/", b"?", b"#") if (place := (rest + mark).find(mark)) >= 0)
    host, path = rest[:end], rest[end:]
    if not host or b"@" in host:  # RFC 9110 section 4.2.4: a name or password before the host is an error
        raise UnknownTarget("the target names no host, or somebody at it")
    named = [value for name, value in headers if name == b"host"]
    if not named:
        headers.append((b"host", host))
    elif {_comparable_host(value, port) for value in named} != {_comparable_host(host, port)}:
        raise UnknownTarget("the target names another host than the Host header")
    return path if path.startswith(b"/") else b"/" + path


def _comparable_host(host: bytes, port: bytes) -> bytes:
    """Return a host as it is compared: RFC 9110 section 4.2.3 has case and the default port not matter."""
    return host.strip().lower().removesuffix(port)


def decode_path(path: bytes) -> str:
    """Return the decoded path, which ASGI has beside the raw one; the services use the raw one only."""
    if path == b"/":
        return "/"
    text = path.decode("latin-1")
    return unquote(text) if "%" in text else text
