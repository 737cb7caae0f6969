"""How the parameters of a request stand in its audit record: as they are, or by their hash where they are long.

What does not fit into a record would be a request without one, and who is refused all else could still fill the log.
"""

import hashlib
from typing import Any

import msgspec

AT_MOST = 8192  # characters of a text
TOGETHER_AT_MOST = 32 * 1024  # bytes of the JSON of a list or a map


def text(value: str) -> str:
    """Return a text that is short enough for a record, else `sha256:` and the hex SHA-256 of its UTF-8."""
    return value if len(value) <= AT_MOST else _hash(value.encode())


def members(given: dict[str, Any]) -> dict[str, Any]:
    """Return parameters, whose texts are short enough, with the hash of its JSON for each list or map that is not."""
    return {name: _together(value) for name, value in given.items()}


def _together(value: Any) -> Any:
    if not isinstance(value, list | dict):
        return value
    encoded = msgspec.json.encode(value)
    return value if len(encoded) <= TOGETHER_AT_MOST else _hash(encoded)


def _hash(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
