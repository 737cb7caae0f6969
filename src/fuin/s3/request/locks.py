"""Locks of objects: from headers and documents to the index's form, and from there to answers.

Source: AWS, "Locking objects with Object Lock", and what AWS was recorded to answer (localstack, the tests of
TestS3ObjectLockRetention and TestS3ObjectLockLegalHold).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from fuin.clock import CLOCK
from fuin.s3.request import xml
from fuin.s3.request.conditions import iso_date
from fuin.s3.request.faults import S3Fault, invalid_argument
from fuin.store.s3 import object_lock
from fuin.store.s3.object_lock import MODES, ObjectLock

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.s3.request.call import Headers, S3Call
    from fuin.s3.request.xml import Node
    from fuin.store.s3.buckets import Bucket

SETTING = "object-lock"  # of the bucket
MODE, UNTIL = b"x-amz-object-lock-mode", b"x-amz-object-lock-retain-until-date"
HOLD, BYPASS = b"x-amz-object-lock-legal-hold", b"x-amz-bypass-governance-retention"
HOLDS = ("ON", "OFF")
_NO_CONFIGURATION = "Bucket is missing Object Lock Configuration"
_NO_BYPASS = "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets."
_PAST = "The retain until date must be in the future!"
_BOTH = "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied"
_WITHOUT_DIGEST = (
    "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
)
_DAY = 86_400
_DAYS_AT_MOST, _YEARS_AT_MOST = 36_500, 100


class DefaultRetention(msgspec.Struct, frozen=True, omit_defaults=True):
    """The retention of new versions of a bucket, in days or years; a year has 365 days here."""

    mode: str
    days: int | None = None
    years: int | None = None

    def end_of(self, now: float) -> float:
        """Return the end of a retention that begins now."""
        return now + _DAY * (self.days if self.days is not None else 365 * (self.years or 0))


class Configuration(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a bucket with Object Lock has: a default retention, or none."""

    default: DefaultRetention | None = None

    def column(self) -> str:
        """Return the setting's document."""
        return msgspec.json.encode(self).decode()


_decode = msgspec.json.Decoder(Configuration).decode


def configuration(bucket: Bucket) -> Configuration | None:
    """Return a bucket's configuration, None for one without Object Lock."""
    kept = bucket.setting(SETTING)
    return None if kept is None else _decode(kept)


def require_configuration(bucket: Bucket) -> None:
    """Raise InvalidRequest for a bucket without Object Lock."""
    if bucket.setting(SETTING) is None:
        raise S3Fault("InvalidRequest", _NO_CONFIGURATION)


def parse_request(call: S3Call, bucket: Bucket) -> str | None:
    """Return the lock that a new object gets by its headers, in the index's form; raises InvalidArgument.

    The default retention of the bucket comes when the object is made: `with_default`.
    """
    given = parse_headers(call.request.headers)
    if given == object_lock.UNLOCKED:
        return None
    require_configuration(bucket)
    return given.column()


def check_digest(call: S3Call) -> None:
    """Raise InvalidRequest for a PutObject with a lock and without a digest of its body, as AWS does."""
    headers = call.request.headers
    locked = any(headers.get(name) for name in (MODE, UNTIL, HOLD))
    if locked and not any(
        name == b"content-md5" or name.startswith((b"x-amz-checksum-", b"x-amz-trailer")) for name in headers
    ):
        raise S3Fault("InvalidRequest", _WITHOUT_DIGEST)


def with_default(bucket: Bucket, kept: str | None, now: float) -> str | None:
    """Return the lock of an object that is made now: its own, or the default of the bucket if it has no retention.

    A wall clock that is behind makes no retention shorter: it begins at the latest time that has certainly come.
    """
    if bucket.setting(SETTING) is None:
        return kept
    found, own = configuration(bucket), object_lock.parse_column(kept)
    if found is None or found.default is None or own.mode is not None:
        return kept
    return ObjectLock(found.default.mode, found.default.end_of(max(now, CLOCK.certain_time())), own.hold).column()


def parse_headers(headers: Mapping[bytes, bytes]) -> ObjectLock:
    """Return the lock that headers give; raises InvalidArgument."""
    mode, until, hold = (_text(headers, name) for name in (MODE, UNTIL, HOLD))
    if mode is not None and mode not in MODES:
        raise invalid_argument(MODE.decode(), mode[:100], "Unknown wormMode directive.")
    if hold is not None and hold not in HOLDS:
        raise invalid_argument(HOLD.decode(), hold[:100], "Legal Hold must be either of 'ON' or 'OFF'")
    if (mode is None) != (until is None):
        missing = UNTIL if until is None else MODE
        raise S3Fault("InvalidArgument", _BOTH, ArgumentName=missing.decode())
    return ObjectLock(mode, None if until is None else _parse_end(until, UNTIL.decode()), hold)


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return value.decode("latin-1") if value else None


def _parse_end(text: str, name: str) -> float:
    """Return the end of a retention; raises InvalidArgument for no date, and for one that is past."""
    try:
        moment = datetime.fromisoformat(text.strip())
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        end = aware.astimezone(UTC).timestamp()  # which refuses a date after 9999, that no answer could show
    except (ValueError, OverflowError):
        raise invalid_argument(name, text[:100], "The retain until date must be provided in ISO 8601 format") from None
    if end <= CLOCK.certain_time():
        raise invalid_argument(name, text[:100], _PAST)
    return end


def parse_retention(root: Node) -> ObjectLock:
    """Return the retention of a document, which may be empty; raises MalformedXML, InvalidArgument."""
    root.refuse_others("Mode", "RetainUntilDate")
    mode, until = root.get("Mode"), root.get("RetainUntilDate")
    if mode is None and until is None:
        return object_lock.UNLOCKED
    if mode is None or until is None or mode.strip() not in MODES:
        raise S3Fault("MalformedXML")
    return ObjectLock(mode.strip(), _parse_end(until, "RetainUntilDate"))


def parse_hold(root: Node) -> ObjectLock:
    """Return the legal hold of a document; raises MalformedXML."""
    root.refuse_others("Status")
    status = (root.get("Status") or "").strip()
    if status not in HOLDS:
        raise S3Fault("MalformedXML")
    return ObjectLock(hold=status)


def parse_configuration(root: Node) -> str:
    """Return the setting's document; raises MalformedXML, InvalidArgument."""
    root.refuse_others("ObjectLockEnabled", "Rule")
    if (root.get("ObjectLockEnabled") or "").strip() != "Enabled":
        raise S3Fault("MalformedXML")
    rule = root.find_child("Rule")
    return Configuration(None if rule is None else _parse_default(rule)).column()


def _parse_default(rule: Node) -> DefaultRetention:
    rule.refuse_others("DefaultRetention")
    node = rule.find_child("DefaultRetention")
    if node is None:
        raise S3Fault("MalformedXML")
    node.refuse_others("Mode", "Days", "Years")
    mode, days, years = ((node.get(name) or "").strip() for name in ("Mode", "Days", "Years"))
    if mode not in MODES or bool(days) == bool(years):
        raise S3Fault("MalformedXML")
    if days:
        return DefaultRetention(mode, days=_parse_period(days, _DAYS_AT_MOST))
    return DefaultRetention(mode, years=_parse_period(years, _YEARS_AT_MOST))


def _parse_period(text: str, most: int) -> int:
    if not text.lstrip("-").isdecimal() or not text.isascii():
        raise S3Fault("MalformedXML")
    number = int(text) if len(text) < 12 else most + 1
    if number <= 0:
        raise S3Fault("InvalidArgument", "Default retention period must be a positive integer value.")
    if number > most:
        raise S3Fault("InvalidArgument", "Default retention period is too large.")
    return number


def configuration_content(document: str) -> str:
    """Return the elements of GetObjectLockConfiguration."""
    content, default = xml.text("ObjectLockEnabled", "Enabled"), _decode(document).default
    if default is None:
        return content
    period = xml.text("Days", default.days) if default.days is not None else xml.text("Years", default.years)
    return content + xml.tag("Rule", xml.tag("DefaultRetention", xml.text("Mode", default.mode), period))


def asks_bypass(call: S3Call, bucket: Bucket) -> bool:
    """Return whether a request passes over retention in governance mode; raises InvalidArgument without Object Lock."""
    value = call.header(BYPASS)
    if value is None:
        return False
    if bucket.setting(SETTING) is None:
        raise S3Fault("InvalidArgument", _NO_BYPASS, ArgumentName=BYPASS.decode())
    return value.strip().lower() == "true"


def answer_headers(lock: ObjectLock, *, retention: bool, hold: bool) -> Headers:
    """Return the headers of a GET or HEAD with what the caller may see of a lock: its retention, its legal hold."""
    found: Headers = []
    if retention and lock.mode is not None and lock.until is not None:
        found += [(MODE, lock.mode.encode()), (UNTIL, iso_date(lock.until).encode())]
    if hold and lock.hold is not None:
        found.append((HOLD, lock.hold.encode()))
    return found
