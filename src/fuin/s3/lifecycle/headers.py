"""What answers say about lifecycle rules: when an object ends, or an upload, and by which rule.

Source: Amazon S3 API Reference, GetObject and CreateMultipartUpload. AWS was recorded to send the id of a rule as it
is, with its spaces, though the reference says that it is encoded. Here it is encoded only where a header could not
carry it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from fuin.s3.lifecycle import rules
from fuin.s3.lifecycle.rules import SETTING, midnight_after
from fuin.s3.request.conditions import http_date

if TYPE_CHECKING:
    from fuin.s3.request.call import Headers
    from fuin.store.s3.buckets import Bucket
    from fuin.store.s3.objects import Object
    from fuin.store.s3.uploads import Upload

MINIMUM_SIZE = b"x-amz-transition-default-minimum-object-size"
_EXPIRATION = b"x-amz-expiration"
_ABORT_DATE, _ABORT_RULE = b"x-amz-abort-date", b"x-amz-abort-rule-id"
_LAST_MIDNIGHT = 253_402_214_400.0  # of the year 9999, after which dates cannot be written
_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '"%')


def object_headers(bucket: Bucket, obj: Object) -> Headers:
    """Return the header that says when the current version of an object ends; none in a bucket without rules for it."""
    document = bucket.setting(SETTING)
    if document is None:
        return []
    found = rules.find_earliest([
        (rule.end_of_object(obj.modified), rule)
        for rule in rules.object_rules(document)
        if rule.is_for(obj.key, obj.size, obj.labels.tags)
    ])  # fmt: skip
    if found is None:
        return []
    end, rule = found
    return [(_EXPIRATION, f'expiry-date="{_date(end)}", rule-id="{_encode(rule.id)}"'.encode())]


def upload_headers(bucket: Bucket, upload: Upload) -> Headers:
    """Return the headers that say when an upload is aborted; none in a bucket without rules for it."""
    document = bucket.setting(SETTING)
    if document is None:
        return []
    found = rules.find_earliest(
        (midnight_after(upload.created, rule.upload_days or 0), rule)
        for rule in rules.upload_rules(document)
        if rule.has_prefix_of(upload.key)
    )
    if found is None:
        return []
    end, rule = found
    return [(_ABORT_DATE, _date(end).encode()), (_ABORT_RULE, _encode(rule.id).encode())]


@lru_cache(maxsize=64)  # objects of one day end at one midnight, and to write a date takes 15 µs
def _date(end: float) -> str:
    return http_date(min(end, _LAST_MIDNIGHT))


def _encode(rule_id: str) -> str:
    return quote(rule_id, safe=_PLAIN)
