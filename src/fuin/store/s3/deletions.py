"""Deletions of objects and of versions: one, or up to a thousand in one transaction.

| what is deleted | never versioned | Enabled | Suspended |
| --- | --- | --- | --- |
| an object | it goes | a delete marker with an id goes on top | the null version goes; a null delete marker |
| a version | it goes, and the next one is current | the same | the same |

It takes a few statements, not some for each key: a transaction on PostgreSQL delays every change of rights, and each
statement waits for the network. Rows are locked in the order of their keys, so that nobody waits in a circle. An object
of a bucket without versions that another node replaces meanwhile stays, as if it came later.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from sqlalchemy import bindparam, delete, select, tuple_, update

from fuin.store.engine import schema
from fuin.store.errors import NotFound, ObjectLocked, PreconditionFailed
from fuin.store.s3 import labels, object_lock, version_id, versions
from fuin.store.s3.labels import Labels
from fuin.store.s3.object_name import UNVERSIONED, ObjectName
from fuin.store.s3.version_select import IS_CURRENT, IS_FROM_BEFORE, IS_OF_SUSPENDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Connection

_o, _p = schema.objects, schema.object_parts
_KEYS = schema.parameter("p_keys", schema.BYTES, many=True)
_ROWS = select(
    _o.c.id,
    _o.c.key,
    _o.c.etag,
    _o.c.version_id,
    _o.c.version_order,
    _o.c.is_current,
    _o.c.is_delete_marker,
    _o.c.object_lock,
).with_for_update()
_IN_BUCKET = _o.c.bucket == schema.parameter("p_bucket")
_OF_KEYS = _ROWS.where(_IN_BUCKET, _o.c.key.in_(_KEYS)).order_by(_o.c.key)
_NEWEST = _OF_KEYS.where(IS_CURRENT)
_NULL = (_OF_KEYS.where(IS_FROM_BEFORE), _OF_KEYS.where(IS_OF_SUSPENDED))
_WITH_IDS = _ROWS.where(
    _IN_BUCKET, tuple_(_o.c.key, _o.c.version_order).in_(bindparam("p_keys", expanding=True))
).order_by(_o.c.key, _o.c.version_order)
_IDS = schema.parameter("p_ids", schema.LONG, many=True)
_BLOBS = select(_p.c.blob).where(_p.c.object.in_(_IDS), _p.c.content.is_(None))
_DELETE = delete(_o).where(_o.c.id.in_(_IDS))
_DEMOTE = (
    update(_o).where(_o.c.id.in_(_IDS)).values(is_current=0, noncurrent_since=schema.parameter("p_since", schema.TIME))
)
# A version that another node deletes meanwhile is passed over.
_FIRST = (
    select(_o.c.id)
    .where(_o.c.bucket == schema.parameter("p_bucket"), _o.c.key == schema.parameter("p_key", schema.BYTES))
    .order_by(_o.c.version_order)
    .limit(1)
    .with_for_update()
)
_PROMOTE = update(_o).where(_o.c.id == _FIRST.scalar_subquery()).values(is_current=1, noncurrent_since=None)
_AT_ONCE = 500  # parameters of one IN list
T = TypeVar("T")
_NO_LABELS = Labels(headers="{}", metadata="{}", storage_class=None, tags=None, object_lock=None)


class Wanted(NamedTuple):
    """An object, or one version of it, that is to be deleted, and the ETags that it must have, which may be none."""

    key: str
    version: str | None = None
    etags: frozenset[str] = frozenset()


class Deletion(NamedTuple):
    """What became of one that is wanted: `marker` is the version of a delete marker that was made, or that went.

    Nothing was done if it is `missing` (a condition on an ETag, and no object), `changed` (it has another ETag) or
    `locked`. `removed` says whether a row went.
    """

    marker: str | None = None
    removed: bool = False
    missing: bool = False
    changed: bool = False
    locked: bool = False


class Locks(NamedTuple):
    """How a deletion respects locks: retentions last until a time that has certainly come.

    `bypass` passes over those in governance mode, which takes a right of its own.
    """

    now: float
    bypass: bool = False


STRICT = Locks(0.0)  # every retention lasts


class Removal(NamedTuple):
    """What became of each that is wanted, and the blobs that nothing refers to any longer."""

    deletions: dict[Wanted, Deletion]
    blobs: list[str]


def delete_object(
    conn: Connection,
    name: ObjectName,
    versioning: str | None,
    now: float,
    locks: Locks = STRICT,
    *,
    if_match: str | None = None,
) -> Removal:
    """Delete one; raises PreconditionFailed, NotFound where a condition has no object, as S3 does, and ObjectLocked."""
    wanted = Wanted(name.key, name.version, frozenset() if if_match is None else frozenset((if_match,)))
    done = delete_objects(conn, name.bucket, versioning, now, [wanted], locks)
    if done.deletions[wanted].missing:
        raise NotFound("the object of If-Match")
    if done.deletions[wanted].changed:
        raise PreconditionFailed("If-Match")
    if done.deletions[wanted].locked:
        raise ObjectLocked(name.key)
    return done


def delete_objects(
    conn: Connection,
    bucket: str,
    versioning: str | None,
    now: float,
    wanted: Iterable[Wanted],
    locks: Locks = STRICT,
) -> Removal:
    """Delete many; `versioning` is the bucket's state. Versions and keys without an object do not matter.

    `now` is the time of new delete markers.
    """
    by_key: dict[bytes, list[Wanted]] = defaultdict(list)
    for one in dict.fromkeys(wanted):
        by_key[one.key.encode()].append(one)
    done = Removal({}, [])
    for keys in _pages(sorted(by_key)):
        _Batch(conn, bucket, versioning, now, locks, {key: by_key[key] for key in keys}).run(done)
    return done


def _pages(items: list[T]) -> Iterator[list[T]]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))


class _Batch:
    def __init__(
        self,
        conn: Connection,
        bucket: str,
        versioning: str | None,
        now: float,
        locks: Locks,
        wanted: dict[bytes, list[Wanted]],
    ) -> None:
        self._conn, self._bucket, self._versioning, self._now = conn, bucket, versioning, now
        self._locks, self._wanted = locks, wanted
        self._newest: dict[bytes, Any] = {}
        self._versions: dict[tuple[bytes, str], Any] = {}
        self._removed: set[int] = set()
        self._demoted: list[int] = []
        self._markers: list[dict[str, Any]] = []
        self._promoted: list[bytes] = []

    def run(self, done: Removal) -> None:
        """Delete, and add what became of each."""
        self._read()
        for key, wanted in self._wanted.items():
            self._decide(key, wanted, done.deletions)
        self._write(done.blobs)

    def _select(self, statement: Any, keys: Iterable[object]) -> Iterator[Any]:
        for page in _pages(list(keys)):
            yield from self._conn.execute(statement, {"p_bucket": self._bucket, "p_keys": page})

    def _read(self) -> None:
        """Read and lock the current versions of the keys, and the versions that are wanted."""
        self._newest = {row.key: row for row in self._select(_NEWEST, self._wanted)}
        for key, wanted in self._wanted.items():
            rests_on_it = any(one.version is None and (one.etags or self._versioning is not None) for one in wanted)
            if key not in self._newest and rests_on_it and self._conn.dialect.name == "postgresql":
                # Another node may have put a newer version on top while this one waited.
                row = versions.lock_newest(self._conn, ObjectName(self._bucket, key.decode()))
                if row is not None:
                    self._newest[key] = row
        every = [(key, one.version) for key, wanted in self._wanted.items() for one in wanted]
        found: list[Any] = []
        places = [(key, version_id.parse_order(version or "")) for key, version in every]
        found += self._select(_WITH_IDS, [(key, order) for key, order in places if order is not None])
        takes_null = {UNVERSIONED, None} if self._versioning == versions.SUSPENDED else {UNVERSIONED}
        with_null = {key for key, version in every if version in takes_null}
        for statement in _NULL:
            found += self._select(statement, sorted(with_null))
        self._versions = {(row.key, row.version_id): row for row in found}
        self._newest |= {row.key: row for row in found if row.is_current}

    def _decide(self, key: bytes, wanted: list[Wanted], deletions: dict[Wanted, Deletion]) -> None:
        newest, marker = self._newest.get(key), None
        for one in wanted:
            row = newest if one.version is None else self._versions.get((key, one.version))
            present = None if row is None or row.is_delete_marker else row
            if one.etags and present is None:
                deletions[one] = Deletion(missing=True)
            elif present is not None and not one.etags <= {"*", present.etag}:
                deletions[one] = Deletion(changed=True)
            elif one.version is None and self._versioning is not None:
                marker = marker or self._new_marker(key, newest)
                deletions[one] = Deletion(marker)
            elif row is None:
                deletions[one] = Deletion()
            elif self._is_locked(row):
                deletions[one] = Deletion(locked=True)
            else:
                self._removed.add(row.id)
                deletions[one] = Deletion(row.version_id if row.is_delete_marker else None, removed=True)
        if newest is not None and newest.id in self._removed and marker is None and self._versioning is not None:
            self._promoted.append(key)

    def _is_locked(self, row: Any) -> bool:
        if row.object_lock is None:
            return False
        return object_lock.parse_column(row.object_lock).forbids_deletion(self._locks.now, bypass=self._locks.bypass)

    def _new_marker(self, key: bytes, newest: Any) -> str:
        """Put a delete marker on top of the versions of a key; returns its version."""
        version, order = versions.next_version(
            self._versioning, self._now, None if newest is None else newest.version_order
        )
        row: dict[str, Any] = {
            "bucket": self._bucket, "key": key, "version_id": version, "version_order": order, "is_current": 1,
            "is_delete_marker": 1, "etag": "", "size": 0, "modified": self._now, "encryption": "{}", "part_count": 0,
        }  # fmt: skip
        labels.fill_row(row, _NO_LABELS)
        self._markers.append(row)
        null = self._versions.get((key, UNVERSIONED))
        if null is not None and version == UNVERSIONED:
            versions.require_unlocked(null)
            self._removed.add(null.id)
        if newest is not None:
            self._demoted.append(newest.id)
        return version

    def _write(self, blobs: list[str]) -> None:
        removed = sorted(self._removed)
        for ids in _pages(removed):
            blobs += self._conn.execute(_BLOBS, {"p_ids": ids}).scalars()
            self._conn.execute(_DELETE, {"p_ids": ids})  # its parts go by ON DELETE CASCADE
        if demoted := [each for each in self._demoted if each not in self._removed]:
            self._conn.execute(_DEMOTE, {"p_ids": demoted, "p_since": self._now})
        if self._markers:
            self._conn.execute(_o.insert(), self._markers)
        if self._promoted:
            self._conn.execute(_PROMOTE, [{"p_bucket": self._bucket, "p_key": key} for key in self._promoted])
