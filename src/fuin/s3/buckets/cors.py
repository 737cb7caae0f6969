"""A bucket's CORS rules: which pages of other origins may ask, and read the answers.

Source: Amazon S3 API Reference, PutBucketCors; user guide, "Using cross-origin resource sharing (CORS)". The texts and
headers are those that AWS answers (localstack, test_s3_cors.py, run against AWS). A rule gives nobody a right: it only
tells a browser what its page may see.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from fuin.numbers import whole_number
from fuin.s3.request import fields, xml
from fuin.s3.request.faults import S3Fault

if TYPE_CHECKING:
    from fuin.s3.request.call import Headers, S3Call
    from fuin.s3.request.xml import Node

SETTING = "cors"
_RULES_AT_MOST = 100
_LONGEST_ID = 255  # characters
_LONGEST_AGE = 2**31 - 1  # seconds
_METHODS = ("GET", "PUT", "HEAD", "POST", "DELETE")
_VARY = (b"Vary", b"Origin, Access-Control-Request-Headers, Access-Control-Request-Method")


# The elements of a rule, by the fields of `CorsRule`.
_TEXTS = {
    "allowed_headers": "AllowedHeader", "allowed_methods": "AllowedMethod", "allowed_origins": "AllowedOrigin",
    "exposed_headers": "ExposeHeader",
}  # fmt: skip
_ELEMENTS = {"id": "ID", **_TEXTS, "max_age": "MaxAgeSeconds"}


class CorsRule(msgspec.Struct, frozen=True, omit_defaults=True, rename=_ELEMENTS):
    """One rule; a `*` in an origin or a header stands for any text, `max_age` is in seconds."""

    id: str | None = None
    allowed_headers: tuple[str, ...] = ()
    allowed_methods: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    exposed_headers: tuple[str, ...] = ()
    max_age: int | None = None


_decode = msgspec.json.Decoder(tuple[CorsRule, ...]).decode


@lru_cache(maxsize=256)
def parse_setting(document: str) -> tuple[CorsRule, ...]:
    """Return the rules of a stored setting."""
    return _decode(document)


def parse_document(root: Node) -> str:
    """Return the rules of a CORSConfiguration as a setting; raises MalformedXML, InvalidRequest."""
    root.refuse_others("CORSRule")
    nodes = root.find_children("CORSRule")
    if not 1 <= len(nodes) <= _RULES_AT_MOST:
        raise S3Fault("MalformedXML")
    return msgspec.json.encode([_parse_rule(node) for node in nodes]).decode()


def _parse_rule(node: Node) -> CorsRule:
    node.refuse_others(*_ELEMENTS.values())
    age = node.get("MaxAgeSeconds")
    seconds = None if age is None else whole_number(age.strip(), 0, _LONGEST_AGE)
    texts = {field: tuple(found.value for found in node.find_children(name)) for field, name in _TEXTS.items()}
    rule = CorsRule(id=node.get("ID"), max_age=seconds, **texts)
    if not rule.allowed_methods or not rule.allowed_origins or (age is not None and seconds is None):
        raise S3Fault("MalformedXML")
    _check_texts(rule)
    return rule


def _check_texts(rule: CorsRule) -> None:
    """Raise InvalidRequest for a text that a rule cannot have; what goes into headers of answers must be names."""
    if rule.id is not None and len(rule.id) > _LONGEST_ID:
        raise S3Fault("InvalidRequest", f"The ID of a CORS rule can have {_LONGEST_ID} characters.")
    for method in rule.allowed_methods:
        if method not in _METHODS:
            text = f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
            raise S3Fault("InvalidRequest", text)
    for element, patterns in (("AllowedOrigin", rule.allowed_origins), ("AllowedHeader", rule.allowed_headers)):
        for pattern in patterns:
            if pattern.count("*") > 1:
                raise S3Fault("InvalidRequest", f'{element} "{pattern}" can not have more than one wildcard.')
    for name in rule.exposed_headers:
        if "*" in name:
            text = f'ExposeHeader "{name}" contains wildcard. We currently do not support wildcard for ExposeHeader.'
            raise S3Fault("InvalidRequest", text)
        if not fields.is_name(name.encode()):
            raise S3Fault("InvalidRequest", f'ExposeHeader "{name}" is not the name of a header.')


def show(document: str) -> str:
    """Return a stored setting as XML."""
    return "".join(xml.tag("CORSRule", *_elements(rule)) for rule in parse_setting(document))


def _elements(rule: CorsRule) -> list[str]:
    found = []
    for field, name in _ELEMENTS.items():
        value = getattr(rule, field)
        values = value if isinstance(value, tuple) else () if value is None else (value,)
        found += [xml.text(name, each) for each in values]
    return found


def find_headers(call: S3Call) -> Headers:
    """Return the headers that let a page of the request's origin read the answer; none without a rule for it."""
    bucket = call.services.store.catalog().bucket(call.bucket) if call.bucket else None
    document = None if bucket is None else bucket.setting(SETTING)
    if document is None:
        return []
    asked = call.header(b"access-control-request-headers")
    return allowing_headers(document, call.header(b"origin") or "", call.request.method, asked) or []


def allowing_headers(document: str, origin: str, method: str, asked: str | None) -> Headers | None:
    """Return the headers of the first rule that allows an origin, a method, and the headers that are asked for.

    `asked` is Access-Control-Request-Headers. Returns None if no rule does.
    """
    names = [] if asked is None else [name.strip().lower() for name in asked.split(",") if name.strip()]
    for rule in parse_setting(document):
        allowed = next((text for text in rule.allowed_origins if _fits(text, origin)), None)
        if allowed is None or method not in rule.allowed_methods:
            continue
        if all(any(_fits(text.lower(), name) for text in rule.allowed_headers) for name in names):
            return _answer_headers(rule, "*" if allowed == "*" else origin, names)
    return None


def _fits(pattern: str, text: str) -> bool:
    """Return whether a text fits a pattern with at most one `*`."""
    start, star, end = pattern.partition("*")
    if not star:
        return text == pattern
    return len(text) >= len(start) + len(end) and text.startswith(start) and text.endswith(end)


def _answer_headers(rule: CorsRule, origin: str, names: list[str]) -> Headers:
    found = [("Access-Control-Allow-Origin", origin), ("Access-Control-Allow-Methods", ", ".join(rule.allowed_methods))]
    if names:
        found.append(("Access-Control-Allow-Headers", ", ".join(names)))
    if rule.exposed_headers:
        found.append(("Access-Control-Expose-Headers", ", ".join(rule.exposed_headers)))
    if rule.max_age is not None:
        found.append(("Access-Control-Max-Age", str(rule.max_age)))
    if origin != "*":
        found.append(("Access-Control-Allow-Credentials", "true"))
    return [*((name.encode(), value.encode("latin-1")) for name, value in found), _VARY]
