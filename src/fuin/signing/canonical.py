"""Canonical forms of Signature V4: path, query and header values in the form that the signer used.

AWS: "Create a signed AWS API request", step 1. Paths and queries are used as they were sent. Percent-encoding is only
changed to AWS's own form (upper-case hex, unreserved characters not encoded). An encoded `/` is never decoded.
"""

_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PATH_PLAIN = bytes(_UNRESERVED) + b"/"
_HEX = frozenset(b"0123456789abcdefABCDEF")
_PARAMETERS_AT_MOST = 256

_ENCODED = [bytes([octet]) if octet in _UNRESERVED else b"%%%02X" % octet for octet in range(256)]
_PATH_ENCODED = [b"/" if octet == ord("/") else text for octet, text in enumerate(_ENCODED)]
_QUERY_ENCODED = [b"%20" if octet == ord("+") else text for octet, text in enumerate(_ENCODED)]  # as HTML forms send it


def s3_path(path: bytes) -> bytes:
    """Return the canonical path for S3: encoded once, with dot segments and double slashes, which keys may have."""
    if not path.translate(None, _PATH_PLAIN):
        return path or b"/"
    return _encode_sent(path, _PATH_ENCODED)


def service_path(path: bytes) -> bytes:
    """Return the canonical path for all other services: normalized (RFC 3986 section 5.2.4), then encoded once more."""
    if path in (b"/", b""):
        return b"/"
    return b"".join([_PATH_ENCODED[octet] for octet in _remove_dots(path)])


def parameters(query: bytes) -> list[tuple[bytes, bytes]]:
    """Return the query's parameters in canonical encoding, in their order; raises ValueError if there are too many."""
    if not query:
        return []
    if query.count(b"&") >= _PARAMETERS_AT_MOST:
        raise ValueError(f"more than {_PARAMETERS_AT_MOST} query parameters")
    pairs = []
    for part in query.split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((_encode_query(name), _encode_query(value)))
    return pairs


def join_parameters(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """Return the canonical query string: sorted by encoded name, then by encoded value."""
    return b"&".join([name + b"=" + value for name, value in sorted(pairs)])


def fold(value: bytes) -> bytes:
    """Return a header's value without outer white space, and with single spaces inside."""
    if b"  " in value or b"\t" in value:
        return b" ".join(value.split())
    return value.strip()


def _encode_query(text: bytes) -> bytes:
    if not text.translate(None, _PATH_PLAIN) and b"/" not in text:
        return text
    return _encode_sent(text, _QUERY_ENCODED)


def _encode_sent(text: bytes, table: list[bytes]) -> bytes:
    """Return the canonical form of a text that may be percent-encoded; a single % is an ordinary character."""
    first, *rest = text.split(b"%")
    parts = [table[octet] for octet in first]
    for piece in rest:
        if len(piece) >= 2 and piece[0] in _HEX and piece[1] in _HEX:
            parts.append(_ENCODED[int(piece[:2], 16)])
            piece = piece[2:]  # noqa: PLW2901
        else:
            parts.append(b"%25")
        parts.extend([table[octet] for octet in piece])
    return b"".join(parts)


def _remove_dots(path: bytes) -> bytes:
    kept: list[bytes] = []
    for segment in path.split(b"/"):
        if segment == b"..":
            if kept:
                kept.pop()
        elif segment not in (b"", b"."):
            kept.append(segment)
    ends_open = path.endswith(b"/") and kept  # unlike the RFC, clients add no slash for a last "." or ".."
    return b"/" + b"/".join(kept) + (b"/" if ends_open else b"")
