"""How a text of a request stands in its audit record: as it is, or by its hash where it is long."""

import hashlib

AT_MOST = 8192  # characters


def text(value: str) -> str:
    """Return a text that is short enough for a record, else `sha256:` and the hex SHA-256 of its UTF-8."""
    return value if len(value) <= AT_MOST else "sha256:" + hashlib.sha256(value.encode()).hexdigest()
