"""Preconditions of reads, writes and copies: ETags and times (RFC 9110 section 13, S3 "Conditional requests")."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from fuin.s3.request.faults import S3Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Preconditions(msgspec.Struct, frozen=True):
    """The four precondition headers of a request, or of a copy's source."""

    match: str | None
    none_match: str | None
    modified_since: float | None
    unmodified_since: float | None


_OF_REQUEST = (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since")
_OF_SOURCE = tuple(b"x-amz-copy-source-" + name for name in _OF_REQUEST)
_UNCONDITIONAL = Preconditions(None, None, None, None)


def _parse_time(value: str | None) -> float | None:
    """Return an HTTP date as seconds since 1970; RFC 9110 13.1.3: any other text is ignored."""
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def parse_conditions(headers: Mapping[bytes, bytes], *, of_source: bool = False) -> Preconditions:
    """Return a request's conditions, or those on a copy's source."""
    names = _OF_SOURCE if of_source else _OF_REQUEST
    if headers.keys().isdisjoint(names):
        return _UNCONDITIONAL
    match, none_match, since, until = [headers[name].decode("latin-1") if name in headers else None for name in names]
    return Preconditions(match, none_match, _parse_time(since), _parse_time(until))


def strip_quotes(etag: str) -> str:
    """Return an ETag as the index has it."""
    return etag.strip().removeprefix("W/").strip('"')


def names_etag(header: str, etag: str) -> bool:
    """Return whether a list of ETags, or `*`, names this one."""
    return any(strip_quotes(entry) in {"*", etag} for entry in header.split(","))


def is_unchanged(validator: str, etag: str, modified: float) -> bool:
    """Return whether If-Range names the current object: by its ETag, compared strongly, or its exact Last-Modified.

    Otherwise the client has bytes of another object, and a range of this one would not fit (RFC 9110 13.1.5).
    """
    given = validator.strip()
    return given in {f'"{etag}"', etag} or _parse_time(given) == int(modified)


def _precondition_failed(condition: str) -> S3Fault:
    return S3Fault("PreconditionFailed", Condition=condition)


def check_read(conditions: Preconditions, etag: str, modified: float) -> None:
    """Raise PreconditionFailed (412) or NotModified (304); If-Match goes before the times, as RFC 9110 13.2.2 says.

    HTTP dates have no fractions, so `modified` is compared in whole seconds.
    """
    second = int(modified)
    if conditions.match is not None:
        if not names_etag(conditions.match, etag):
            raise _precondition_failed("If-Match")
    elif conditions.unmodified_since is not None and second > conditions.unmodified_since:
        raise _precondition_failed("If-Unmodified-Since")
    if conditions.none_match is not None:
        if names_etag(conditions.none_match, etag):
            raise S3Fault("NotModified")
    elif conditions.modified_since is not None and second <= conditions.modified_since:
        raise S3Fault("NotModified")


def check_copy(conditions: Preconditions, etag: str, modified: float) -> None:
    """Raise PreconditionFailed if the copy's source is not what the caller expects; a copy has no 304."""
    try:
        check_read(conditions, etag, modified)
    except S3Fault as fault:
        name = fault.details.get("Condition", "If-None-Match" if conditions.none_match else "If-Modified-Since")
        raise _precondition_failed(f"x-amz-copy-source-{name}") from None


class WriteCondition(msgspec.Struct, frozen=True):
    """A write's If-None-Match: * (the key must be new) or If-Match (it must hold that ETag), in the store's form."""

    if_none_match: str | None
    if_match: str | None


def parse_write(header: Callable[[bytes], str | None]) -> WriteCondition:
    """Return a write's condition; the only value of If-None-Match is `*`, as in S3."""
    none_match, match = header(b"if-none-match"), header(b"if-match")
    if none_match is not None and strip_quotes(none_match) != "*":
        raise S3Fault(
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
            Header="If-None-Match",
            additionalMessage="We don't accept the provided value of If-None-Match header for this API",
        )
    if none_match is not None and match is not None:
        raise S3Fault("InvalidRequest", "If-Match and If-None-Match cannot be given together")
    return WriteCondition("*" if none_match is not None else None, strip_quotes(match) if match is not None else None)


def http_date(moment: float) -> str:
    """Return a time as HTTP writes it."""
    return _http_date(int(moment))


@lru_cache(maxsize=4096)
def _http_date(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC), usegmt=True)


def iso_date(moment: float) -> str:
    """Return a time as S3's XML writes it, with milliseconds."""
    return f"{_iso_second(int(moment))}.{int(moment * 1000) % 1000:03d}Z"


@lru_cache(maxsize=4096)
def _iso_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
