"""What a request line asks for: RFC 9112 section 3.2."""

from __future__ import annotations

from fuin.errors import FuinError

_PORTS = {b"http": b":80", b"https": b":443"}


class UnknownTarget(FuinError):
    """A target that is neither a path nor a URL of this server, or a URL of another host than the request names."""


def origin_form(target: bytes, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Return the path and query of a target in absolute form (`http://host/path`), which a server must take.

    Section 3.2.2: the host of the target counts, not the Host header. A client signs the Host that it sends, so that
    the two must be the same; where there is no Host header, the target's becomes it. Raises UnknownTarget.
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
    elif {_whole(value, port) for value in named} != {_whole(host, port)}:
        raise UnknownTarget("the target names another host than the Host header")
    return path if path.startswith(b"/") else b"/" + path


def _whole(host: bytes, port: bytes) -> bytes:
    """Return a host as it is compared: RFC 9110 section 4.2.3 has case and the default port not matter."""
    return host.strip().lower().removesuffix(port)
