"""What is due by the rules of a bucket: asked once before the record is written, and once more in the transaction.

Both times the rules are those of the database at that moment. So nothing goes by a rule that was removed, and nothing
that has changed meanwhile. Only what was on the record before may go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from fuin.s3.lifecycle.rules import LifecycleRule, midnight_after, rules_of
from fuin.store.errors import NoSuchUpload
from fuin.store.s3 import buckets, deletions, object_lock
from fuin.store.s3 import lifecycle as rows
from fuin.store.s3 import uploads as upload_rows
from fuin.store.s3.deletions import Locks, Wanted
from fuin.store.s3.listing import end_of_prefix
from fuin.store.s3.object_name import UNVERSIONED, ObjectName
from fuin.store.s3.versions import SUSPENDED

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.lifecycle import UploadRow, VersionRow

PAGE = 500  # rows that are looked at together
AT_ONCE = 100  # versions that go in one transaction
UPLOADS_AT_ONCE = 20  # each may have 10,000 parts


class Stretch(NamedTuple):
    """A stretch of a bucket: what is left of the keys with one prefix, of versions or of uploads.

    `after` is the last key that was looked at, and the place of the version or the id of the upload.
    """

    of_uploads: bool
    after: tuple[bytes, Any]
    end: bytes


class DueItem(NamedTuple):
    """A version or an upload whose time has ended, and the rule by which; `id` is that of the version or upload.

    `makes_marker` says that the current version stays, under a delete marker.
    """

    key: str
    id: str
    rule: str
    is_current: bool = False
    makes_marker: bool = False

    def entry(self) -> dict[str, Any]:
        """Return the item as a record names it."""
        named: dict[str, Any] = {"key": self.key, "id": self.id, "rule": self.rule}
        return named | {"deleteMarker": True} if self.makes_marker else named


class DuePage(NamedTuple):
    """What is due on one page, and the stretch that is left after it, or None at the end."""

    items: list[DueItem]
    left: Stretch | None


class Outcome(NamedTuple):
    """What a transaction has done: the items that went, and the blobs that nothing refers to any longer."""

    done: list[DueItem]
    blobs: list[str]


def find_stretches(conn: Connection, bucket: str) -> list[Stretch]:
    """Return the stretches of a bucket that its enabled rules are about; none overlaps another one."""
    found = rules_of(buckets.find_bucket(conn, bucket))
    of_versions = found.select(lambda rule: rule.looks_at_versions)
    of_uploads = found.select(lambda rule: rule.upload_days is not None)
    return [
        *(Stretch(False, (start, rows.BEFORE_ALL), end_of_prefix(start)) for start in _prefixes(of_versions)),
        *(Stretch(True, (start, ""), end_of_prefix(start)) for start in _prefixes(of_uploads)),
    ]


def _prefixes(rules: Iterable[LifecycleRule]) -> list[bytes]:
    """Return the prefixes of rules in order, without those that begin with another one."""
    kept: list[bytes] = []
    for prefix in sorted({(rule.prefix or "").encode() for rule in rules}):
        if not kept or not prefix.startswith(kept[-1]):
            kept.append(prefix)
    return kept


def find_due(conn: Connection, name: str, stretch: Stretch, now: float) -> DuePage:
    """Return the items that are due on the next page of a stretch; `now` is a time that has certainly come."""
    bucket = buckets.find_bucket(conn, name)
    if bucket is None:
        return DuePage([], None)
    return (_find_uploads if stretch.of_uploads else _find_versions)(conn, bucket, stretch, now)


def _find_versions(conn: Connection, bucket: Bucket, stretch: Stretch, now: float) -> DuePage:
    found = rows.list_versions(conn, bucket.name, stretch.after, stretch.end, PAGE + 1)
    rules = rules_of(bucket).select(lambda rule: rule.looks_at_versions)
    if not rules or not found:
        return DuePage([], None)
    judge = _Judge(bucket.versioning, _rules_between(rules, found[0].key, found[-1].key), now)
    if found[0].key == stretch.after[0] and judge.counts_newer:
        judge.begin_within(found[0].key, rows.count_newer(conn, bucket.name, *stretch.after, judge.counts_newer))
    items: list[DueItem] = []
    for number, row in enumerate(found[:PAGE]):
        is_last = number + 1 == len(found) or found[number + 1].key != row.key
        item = judge.decide(row, is_last_of_key=is_last)
        if item is not None:
            items.append(item)
            if len(items) == AT_ONCE:
                return DuePage(items, stretch._replace(after=(row.key, row.order)))
    last = found[:PAGE][-1]
    return DuePage(items, stretch._replace(after=(last.key, last.order)) if len(found) > PAGE else None)


def _rules_between(rules: Iterable[LifecycleRule], first: bytes, last: bytes) -> list[LifecycleRule]:
    """Return the rules whose prefix a key between two keys can have: of a thousand rules, mostly a few."""
    prefixes = ((rule, (rule.prefix or "").encode()) for rule in rules)
    return [rule for rule, prefix in prefixes if prefix <= last and end_of_prefix(prefix) > first]


class _Judge:
    """Decides about versions in the order of their keys, of each key the newest first."""

    def __init__(self, versioning: str | None, rules: Sequence[LifecycleRule], now: float) -> None:
        self._versioning, self._now = versioning, now
        self._of_current = [rule for rule in rules if rule.ends_objects]
        self._of_markers = [rule for rule in rules if rule.takes_markers]
        self._of_noncurrent = [rule for rule in rules if rule.noncurrent_days is not None]
        self.counts_newer = max((rule.newer_versions or 0 for rule in self._of_noncurrent), default=0)
        self._key, self._newer = b"", 0  # the noncurrent versions with bytes that stay, of this key

    def begin_within(self, key: bytes, newer: int) -> None:
        """Begin within the versions of a key, of which some newer ones were looked at before."""
        self._key, self._newer = key, newer

    def decide(self, row: VersionRow, *, is_last_of_key: bool) -> DueItem | None:
        """Return a version as due, or None; the versions that stay are counted."""
        if row.key != self._key:
            self._key, self._newer = row.key, 0
        if row.is_current:
            rule = self._find_for_marker(row, is_last_of_key) if row.is_delete_marker else self._find_for_current(row)
        else:
            rule = self._find_for_noncurrent(row)
        is_object = bool(row.is_current and not row.is_delete_marker)
        makes_marker = is_object and self._versioning is not None
        if rule is None or self._is_locked(row, makes_marker):
            self._newer += not row.is_current and not row.is_delete_marker
            return None
        return DueItem(row.key.decode(), row.version, rule.id, is_object, makes_marker)

    def _is_locked(self, row: VersionRow, makes_marker: bool) -> bool:
        """Return whether a lock forbids what is due: to delete the version, or to put a null delete marker over it."""
        if row.object_lock is None:
            return False
        if makes_marker:
            return self._versioning == SUSPENDED and row.version == UNVERSIONED
        return object_lock.parse_column(row.object_lock).forbids_deletion(self._now, bypass=False)

    def _find_for_current(self, row: VersionRow) -> LifecycleRule | None:
        key = row.key.decode()
        for rule in self._of_current:
            if rule.end_of_object(row.modified) <= self._now and rule.is_for(key, row.size, row.tags):
                return rule
        return None

    def _find_for_marker(self, row: VersionRow, is_last_of_key: bool) -> LifecycleRule | None:
        """Return the rule for a delete marker without versions below it; those with days wait for its age."""
        if not is_last_of_key:
            return None
        key = row.key.decode()
        for rule in self._of_markers:
            is_old = rule.ends_objects and rule.end_of_object(row.modified) <= self._now
            if (rule.expired_markers or is_old) and rule.has_prefix_of(key):
                return rule
        return None

    def _find_for_noncurrent(self, row: VersionRow) -> LifecycleRule | None:
        since = row.noncurrent_since
        if since is None:
            return None
        key = row.key.decode()
        for rule in self._of_noncurrent:
            if midnight_after(since, rule.noncurrent_days or 0) > self._now or self._newer < (rule.newer_versions or 0):
                continue
            if rule.is_for(key, row.size, row.tags):
                return rule
        return None


def _find_uploads(conn: Connection, bucket: Bucket, stretch: Stretch, now: float) -> DuePage:
    found = rows.list_uploads(conn, bucket.name, stretch.after, stretch.end, PAGE)
    rules = rules_of(bucket).select(lambda rule: rule.upload_days is not None)
    if not rules or not found:
        return DuePage([], None)
    near = _rules_between(rules, found[0].key, found[-1].key)
    items: list[DueItem] = []
    for row in found:
        rule = _find_for_upload(near, row, now)
        if rule is not None:
            items.append(DueItem(row.key.decode(), row.upload_id, rule.id))
            if len(items) == UPLOADS_AT_ONCE:
                return DuePage(items, stretch._replace(after=(row.key, row.upload_id)))
    last = found[-1]
    return DuePage(items, stretch._replace(after=(last.key, last.upload_id)) if len(found) == PAGE else None)


def _find_for_upload(rules: Iterable[LifecycleRule], row: UploadRow, now: float) -> LifecycleRule | None:
    key = row.key.decode()
    for rule in rules:
        if midnight_after(row.created, rule.upload_days or 0) <= now and rule.has_prefix_of(key):
            return rule
    return None


def carry_out(
    conn: Connection, name: str, stretch: Stretch, announced: Sequence[DueItem], now: float, made: float
) -> Outcome:
    """Delete what was announced and is still due; `made` is the time of new delete markers."""
    if not stretch.of_uploads:
        rows.lock_keys(conn, name, sorted({item.key.encode() for item in announced}))
    bucket = buckets.find_bucket(conn, name)
    known = {(item.key, item.id, item.is_current) for item in announced}
    still = [item for item in find_due(conn, name, stretch, now).items if (item.key, item.id, item.is_current) in known]
    if bucket is None or not still:
        return Outcome([], [])
    if stretch.of_uploads:
        return _abort(conn, name, still)
    wanted = {Wanted(item.key, None if item.is_current else item.id): item for item in still}
    removal = deletions.delete_objects(conn, name, bucket.versioning, made, wanted, Locks(now))
    return Outcome([item for one, item in wanted.items() if not removal.deletions[one].locked], removal.blobs)


def _abort(conn: Connection, bucket: str, items: Iterable[DueItem]) -> Outcome:
    outcome = Outcome([], [])
    for item in items:
        try:
            outcome.blobs.extend(upload_rows.abort_upload(conn, item.id, ObjectName(bucket, item.key)))
        except NoSuchUpload:  # another node has ended it since it was listed
            continue
        outcome.done.append(item)
    return outcome
