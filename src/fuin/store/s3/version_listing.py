"""Listing the versions of a bucket: in the order of keys, and of each key the newest version first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select, tuple_

from fuin.store.engine import schema
from fuin.store.engine.prepared import PreparedSelect
from fuin.store.s3 import version_id
from fuin.store.s3.listing import end_of_prefix
from fuin.store.s3.object_name import UNVERSIONED, ObjectName
from fuin.store.s3.version_select import VersionSelect

if TYPE_CHECKING:
    from sqlalchemy import Connection

_o = schema.objects
_START, _ORDER = schema.parameter("p_start", schema.BYTES), schema.parameter("p_order", schema.LONG)
# The place is compared as a whole, and the key not once more by itself: SQLite would then begin at the key's first
# version, and each page of a key with many versions would pass over those of the pages before.
_ROWS = PreparedSelect(
    select(_o.c.key, _o.c.version_order, _o.c.version_id, _o.c.is_current, _o.c.is_delete_marker, _o.c.etag, _o.c.size,
           _o.c.modified, _o.c.checksum, _o.c.storage_class)
    .where(_o.c.bucket == schema.parameter("p_bucket"), _o.c.key < schema.parameter("p_end", schema.BYTES))
    .where(tuple_(_o.c.key, _o.c.version_order) > tuple_(_START, _ORDER))
    .order_by(_o.c.key, _o.c.version_order)
    .limit(schema.parameter("p_limit", schema.LONG))
)  # fmt: skip
_NULL_ORDER = VersionSelect(select(_o.c.version_order))
_FEWEST = 8  # rows, where there may be common prefixes: as in listing.py
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


class _Place(NamedTuple):
    """A place in the order of keys and of their versions."""

    key: bytes
    order: int = _BEFORE_ALL


class _Page:
    def __init__(self, conn: Connection, bucket: str, prefix: bytes, delimiter: bytes, limit: int) -> None:
        self._conn, self._bucket, self._limit = conn, bucket, limit
        self._prefix, self._delimiter = prefix, delimiter
        self._step = _FEWEST
        self.versions: list[VersionSummary] = []
        self.prefixes: list[bytes] = []
        self.last: tuple[bytes, str | None] = (b"", None)
        self.truncated = False

    def fill(self, key: str, version: str | None) -> None:
        """Collect the entries after a key and a version of it."""
        if self._limit <= 0:
            return
        after = key.encode()
        place: _Place | None = _Place(self._prefix)
        if after >= self._prefix and after:
            place = self._place_after(after, version)
        while place is not None:
            place = self._scan(place)

    def _common(self, key: bytes) -> bytes | None:
        """Return the common prefix that a key is rolled up in."""
        if not self._delimiter:
            return None
        at = key.find(self._delimiter, len(self._prefix))
        return None if at < 0 else key[: at + len(self._delimiter)]

    def _place_after(self, key: bytes, version: str | None) -> _Place:
        """Return the place after a version, or after all versions of a key or of its common prefix."""
        is_inside = key.startswith(self._prefix)
        common = self._common(key) if is_inside else None
        if common is not None:
            return _Place(end_of_prefix(common))
        order = self._order_of(key, version) if version is not None and is_inside else None
        return _Place(key + b"\x00") if order is None else _Place(key, order)

    def _order_of(self, key: bytes, version: str) -> int | None:
        """Return the order of a version; None for what is no version's id."""
        if version != UNVERSIONED:
            return version_id.parse_order(version)
        row = _NULL_ORDER.first(self._conn, ObjectName(self._bucket, key.decode(), version))
        order: int = _BEFORE_ALL if row is None else row.version_order
        return order

    def _room(self) -> int:
        return self._limit - len(self.versions) - len(self.prefixes)

    def _scan(self, place: _Place) -> _Place | None:
        """Read rows after a place; returns where to seek next, or None when the page is complete."""
        limit = min(self._room() + 1, self._step) if self._delimiter else self._room() + 1
        given = {
            "p_bucket": self._bucket, "p_start": place.key, "p_order": place.order,
            "p_end": end_of_prefix(self._prefix), "p_limit": limit,
        }  # fmt: skip
        rows = _ROWS.list_rows(self._conn, given)
        if not all(self._take(row) for row in rows) or len(rows) < limit:
            return None
        key, order, *_ = rows[-1]
        common = self._common(key)
        if common is not None:
            self._step = _FEWEST
            return _Place(end_of_prefix(common))  # however many versions are under it, one seek passes them
        self._step *= 2
        return _Place(bytes(key), order)

    def _take(self, row: Any) -> bool:
        """Add a row to the page, as a version or by its prefix; returns False when the page is full."""
        common = self._common(row[0])
        if common is not None and self.prefixes[-1:] == [common]:
            return True
        if self._room() == 0:
            self.truncated = True
            return False
        if common is None:
            key, _, version, current, marker, *rest = row
            self.versions.append(VersionSummary(key.decode(), version, bool(current), bool(marker), *rest))
            self.last = (key, version)
        else:
            self.prefixes.append(common)
            self.last = (common, None)
        return True
