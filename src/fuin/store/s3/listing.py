"""Listing a bucket: keys and common prefixes in the order of their UTF-8 bytes, page by page."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, literal_column, select

from fuin.store.engine import schema
from fuin.store.engine.prepared import PreparedSelect
from fuin.store.s3.version_select import IS_CURRENT

_o = schema.objects
_START, _END = schema.parameter("p_start", schema.BYTES), schema.parameter("p_end", schema.BYTES)
_ROWS = PreparedSelect(
    select(_o.c.key, _o.c.etag, _o.c.size, _o.c.modified, _o.c.checksum, _o.c.storage_class)
    .where(
        _o.c.bucket == schema.parameter("p_bucket"), _o.c.key >= _START, _o.c.key < _END, IS_CURRENT,
        _o.c.is_delete_marker == literal_column("0"),
    )
    .order_by(_o.c.key)
    .limit(schema.parameter("p_limit", schema.LONG))
)  # fmt: skip
# Rows that are read at once where there may be common prefixes. Behind a prefix there may be another one at once, so
# few rows are read first, and twice as many each time that none of them ends in a jump over a prefix.
_FEWEST = 8
_BEYOND = b"\xff"  # greater than any UTF-8 text


@dataclass(frozen=True, slots=True)
class Summary:
    """An object as listings show it; `checksum` is JSON, a `storage_class` of None is STANDARD."""

    key: str
    etag: str
    size: int
    modified: float
    checksum: str | None
    storage_class: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One page. `last` is the greatest key or prefix on it: the next page's `after`, whenever `truncated`."""

    objects: tuple[Summary, ...]
    prefixes: tuple[str, ...]
    truncated: bool
    last: str | None


def end_of_prefix(prefix: bytes) -> bytes:
    """Return the least byte string greater than everything that starts with `prefix`.

    UTF-8 holds no byte 0xFF, so the last byte can always be counted up; the result need not be UTF-8, and need not
    care for surrogates or U+10FFFF, since keys are compared as bytes.
    """
    return prefix[:-1] + bytes((prefix[-1] + 1,)) if prefix else _BEYOND


def list_objects(
    conn: Connection, bucket: str, prefix: str = "", delimiter: str = "", after: str = "", limit: int = 1000
) -> Listing:
    """Return the page of keys and common prefixes that are greater than `after` (a marker, start-after or token).

    A common prefix counts as one entry and is passed over by one seek in the index. One that is not greater than
    `after` is left out, also when keys under it are greater, so that pages never repeat a prefix.
    """
    page = _Page(conn, bucket, prefix.encode(), delimiter.encode(), limit)
    page.fill(after.encode())
    return page.listing()


class _Page:
    def __init__(self, conn: Connection, bucket: str, prefix: bytes, delimiter: bytes, limit: int) -> None:
        self._conn, self._bucket, self._limit = conn, bucket, limit
        self._prefix, self._delimiter = prefix, delimiter
        self._objects: list[Summary] = []
        self._prefixes: list[bytes] = []
        self._last: bytes | None = None
        self._truncated = False
        self._step = _FEWEST

    def _common(self, key: bytes) -> bytes | None:
        """Return the common prefix that a key is rolled up in."""
        if not self._delimiter:
            return None
        at = key.find(self._delimiter, len(self._prefix))
        return None if at < 0 else key[: at + len(self._delimiter)]

    def fill(self, after: bytes) -> None:
        """Collect the entries that are greater than `after`."""
        start: bytes | None = self._prefix
        if self._limit <= 0:
            return
        if after >= self._prefix and after:
            common = self._common(after) if after.startswith(self._prefix) else None
            start = after + b"\x00" if common is None else end_of_prefix(common)
        while start is not None:
            start = self._scan(start)

    def _room(self) -> int:
        return self._limit - len(self._objects) - len(self._prefixes)

    def _scan(self, start: bytes) -> bytes | None:
        """Read rows from `start` on; returns where to seek next, or None when the page is complete."""
        limit = min(self._room() + 1, self._step) if self._delimiter else self._room() + 1
        parameters = {
            "p_bucket": self._bucket,
            "p_start": start,
            "p_end": end_of_prefix(self._prefix),
            "p_limit": limit,
        }
        rows = _ROWS.list_rows(self._conn, parameters)
        if not all(self._take(row) for row in rows) or len(rows) < limit:
            return None
        common = self._common(rows[-1].key)
        if common is not None:
            self._step = _FEWEST
            return end_of_prefix(common)  # however many keys are under it, one seek passes them
        self._step *= 2
        return bytes(rows[-1].key) + b"\x00"

    def _take(self, row: Any) -> bool:
        """Add a row to the page, as a key or by its prefix; returns False when the page is full."""
        common = self._common(row[0])
        if common is not None and common == self._last:
            return True
        if self._room() == 0:
            self._truncated = True
            return False
        if common is None:
            self._objects.append(Summary(row[0].decode(), *row[1:]))
        else:
            self._prefixes.append(common)
        self._last = row[0] if common is None else common
        return True

    def listing(self) -> Listing:
        """Return the collected rows."""
        last = None if self._last is None else self._last.decode()
        return Listing(tuple(self._objects), tuple(p.decode() for p in self._prefixes), self._truncated, last)
