"""Listing the versions of a bucket: in the order of keys, and of each key the newest version first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from fuin.store.engine import schema
from fuin.store.s3 import version_id
from fuin.store.s3.listing import end_of_prefix
from fuin.store.s3.object_name import UNVERSIONED, ObjectName
from fuin.store.s3.version_select import VersionSelect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

_o = schema.objects
_COLUMNS = select(
    _o.c.key, _o.c.version_id, _o.c.is_current, _o.c.is_delete_marker, _o.c.etag, _o.c.size, _o.c.modified,
    _o.c.checksum, _o.c.storage_class,
).order_by(_o.c.key, _o.c.version_order).limit(schema.parameter("p_limit", schema.LONG))  # fmt: skip
_IN_BUCKET = _COLUMNS.where(_o.c.bucket == schema.parameter("p_bucket"))
_FROM_KEY = _IN_BUCKET.where(
    _o.c.key >= schema.parameter("p_start", schema.BYTES), _o.c.key < schema.parameter("p_end", schema.BYTES)
)
_OLDER = _IN_BUCKET.where(
    _o.c.key == schema.parameter("p_key", schema.BYTES), _o.c.version_order > schema.parameter("p_order", schema.LONG)
)
_ORDER = VersionSelect(select(_o.c.version_order))
_CHUNK = 32  # rows read before a jump over a common prefix is worth a seek
_BEFORE_ALL = -(2**63)


@dataclass(frozen=True, slots=True)
class VersionSummary:
    """A version as listings show it; `checksum` is JSON, a `storage_class` of None is STANDARD."""

    key: str
    version: str
    is_current: bool
    is_delete_marker: bool
    etag: str
    size: int
    modified: float
    checksum: str | None
    storage_class: str | None


@dataclass(frozen=True, slots=True)
class VersionListing:
    """One page. `last` is the place of the next page's start: a key and a version, or a prefix and no version."""

    versions: tuple[VersionSummary, ...]
    prefixes: tuple[str, ...]
    truncated: bool
    last: tuple[str, str | None]


def list_versions(
    conn: Connection, bucket: str, prefix: str, delimiter: str, after: tuple[str, str | None], limit: int
) -> VersionListing:
    """Return the page after a key and a version of it; without a version, after all versions of the key.

    `("", None)` is the beginning. A common prefix counts as one entry. If the null version that a page ended with is
    gone, the next page begins with the newest version of its key again: none is passed over.
    """
    page = _Page(conn, bucket, prefix.encode(), delimiter.encode(), limit)
    page.fill(*after)
    last_key, last_version = page.last
    return VersionListing(
        tuple(page.versions), tuple(each.decode() for each in page.prefixes), page.truncated,
        (last_key.decode(), last_version),
    )  # fmt: skip


class _Page:
    def __init__(self, conn: Connection, bucket: str, prefix: bytes, delimiter: bytes, limit: int) -> None:
        self._conn, self._bucket, self._limit = conn, bucket, limit
        self._prefix, self._delimiter = prefix, delimiter
        self.versions: list[VersionSummary] = []
        self.prefixes: list[bytes] = []
        self.last: tuple[bytes, str | None] = (b"", None)
        self.truncated = False

    def fill(self, key: str, version: str | None) -> None:
        """Collect the entries after a key and a version of it."""
        if self._limit <= 0:
            return
        after, start = key.encode(), self._prefix
        if after >= self._prefix and after:
            common = self._common(after) if after.startswith(self._prefix) else None
            start = after + b"\x00" if common is None else end_of_prefix(common)
            if version is not None and common is None and not self._take_older(after, version):
                return
        self._scan(start)

    def _common(self, key: bytes) -> bytes | None:
        """Return the common prefix that a key is rolled up in."""
        if not self._delimiter:
            return None
        at = key.find(self._delimiter, len(self._prefix))
        return None if at < 0 else key[: at + len(self._delimiter)]

    def _take_older(self, key: bytes, version: str) -> bool:
        """Add the versions of a key that are older than this one; returns False when the page is full."""
        if not key.startswith(self._prefix):
            return True
        order = version_id.parse_order(version)
        if version == UNVERSIONED:
            row = _ORDER.first(self._conn, ObjectName(self._bucket, key.decode(), version))
            order = _BEFORE_ALL if row is None else row.version_order
        given = {"p_bucket": self._bucket, "p_key": key, "p_order": order, "p_limit": self._room() + 1}
        return all(self._take(row) for row in self._conn.execute(_OLDER, given))

    def _room(self) -> int:
        return self._limit - len(self.versions) - len(self.prefixes)

    def _scan(self, start: bytes) -> None:
        """Add rows from a key on, until the page is full or no row is left."""
        while True:
            for row in self._rows(start):
                if not self._take(row):
                    return
                common = self._common(row.key)
                if common is not None:
                    start = end_of_prefix(common)  # however many versions are under it, one seek passes them
                    break
            else:
                return

    def _rows(self, start: bytes) -> Iterator[Any]:
        limit = self._room() + 1 + (_CHUNK if self._delimiter else 0)
        given = {
            "p_bucket": self._bucket, "p_start": start, "p_end": end_of_prefix(self._prefix), "p_limit": limit,
        }  # fmt: skip
        with self._conn.execute(_FROM_KEY, given) as result:
            yield from result

    def _take(self, row: Any) -> bool:
        """Add a row to the page, as a version or by its prefix; returns False when the page is full."""
        common = self._common(row.key)
        if common is not None and self.prefixes[-1:] == [common]:
            return True
        if self._room() == 0:
            self.truncated = True
            return False
        if common is None:
            key, version, current, marker, *rest = row
            self.versions.append(VersionSummary(key.decode(), version, bool(current), bool(marker), *rest))
            self.last = (key, version)
        else:
            self.prefixes.append(common)
            self.last = (common, None)
        return True
