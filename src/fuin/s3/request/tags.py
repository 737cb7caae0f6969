"""Tags of objects and buckets: from a header or a document to the index's form, and from there to answers.

Source: Amazon S3 API Reference, Tag, PutObjectTagging and PutBucketTagging. The texts of the errors are those that AWS
answers (localstack, test_tagging_validation and test_object_tagging_exc, both run against AWS).
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

import msgspec

from fuin.s3.request import xml
from fuin.s3.request.faults import S3Fault, invalid_argument

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from fuin.s3.request.xml import Node

HEADER = b"x-amz-tagging"
_LONGEST_NAME, _LONGEST_VALUE = 128, 256  # characters
_KINDS_OF_CHARACTERS = "LZN"  # letters, separators and numbers of Unicode; with them these:
_OTHER_CHARACTERS = frozenset("_.:/=+-@")
_RESERVED = "aws:"
_MALFORMED_HEADER = (
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name "
    "duplicates."
)

_decode = msgspec.json.Decoder(dict[str, str]).decode
Tags = dict[str, str]  # values by name; those of a document are in the order in which they were given


class TagRules(NamedTuple):
    """The rules of one kind of resource: how many tags it may have, and the texts of its errors."""

    at_most: int
    too_many: str
    reserved: str


OF_OBJECTS = TagRules(10, "Object tags cannot be greater than 10", "Your TagKey cannot be prefixed with aws:")
OF_BUCKETS = TagRules(
    50, "Bucket tag count cannot be greater than 50", "System tags cannot be added/updated by requester"
)
# of CreateBucket
OF_NEW_BUCKETS = OF_BUCKETS._replace(
    reserved='User-defined tag keys can\'t start with "aws:". This prefix is reserved for system tags. Remove "aws:" '
    "from your tag keys and try again."
)


def parse_header(value: bytes) -> Tags:
    """Return the tags of x-amz-tagging, which are written as in a query; raises InvalidArgument, BadRequest.

    They are in the order of their names. AWS promises none for the header, and ceph/s3-tests expects this one.
    """
    pieces = [piece.partition(b"=") for piece in value.split(b"&") if piece]
    pairs = sorted((_decode_piece(name, value), _decode_piece(text, value)) for name, _, text in pieces)
    try:
        return _check_tags(pairs, OF_OBJECTS)
    except S3Fault as fault:
        if fault.code == "InvalidTag":  # AWS has one sentence for all that is wrong with the header's tags
            raise _malformed_header(value) from None
        raise


def _decode_piece(piece: bytes, header: bytes) -> str:
    try:
        return unquote_to_bytes(piece.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise _malformed_header(header) from None


def _malformed_header(value: bytes) -> S3Fault:
    return invalid_argument(HEADER.decode(), value.decode("latin-1"), _MALFORMED_HEADER)


def parse_document(root: Node, rules: TagRules) -> Tags:
    """Return the tags of a Tagging document; raises MalformedXML, InvalidTag, BadRequest."""
    root.refuse_others("TagSet")
    found = root.find_child("TagSet")
    return {} if found is None else parse_set(found, rules)


def parse_set(node: Node, rules: TagRules) -> Tags:
    """Return the tags of an element that holds them; raises MalformedXML, InvalidTag, BadRequest."""
    node.refuse_others("Tag")
    pairs = []
    for tag in node.find_children("Tag"):
        tag.refuse_others("Key", "Value")
        name, value = tag.get("Key"), tag.get("Value")
        if name is None or value is None:
            raise S3Fault("MalformedXML")
        pairs.append((name, value))
    return _check_tags(pairs, rules)


def _check_tags(pairs: Iterable[tuple[str, str]], rules: TagRules) -> Tags:
    """Return the tags if each is valid and no name is there twice; raises InvalidTag, BadRequest."""
    tags: Tags = {}
    for name, value in pairs:
        if name[: len(_RESERVED)].lower() == _RESERVED:
            raise S3Fault("InvalidTag", rules.reserved, TagKey=name)
        if not _is_name(name):
            raise S3Fault("InvalidTag", "The TagKey you have provided is invalid", TagKey=name)
        if not _is_value(value):
            raise S3Fault("InvalidTag", "The TagValue you have provided is invalid", TagKey=name, TagValue=value)
        if name in tags:
            raise S3Fault("InvalidTag", "Cannot provide multiple Tags with the same key", TagKey=name)
        tags[name] = value
    if len(tags) > rules.at_most:
        raise S3Fault("BadRequest", rules.too_many)
    return tags


def _is_name(text: str) -> bool:
    return 1 <= len(text) <= _LONGEST_NAME and all(map(_is_permitted, text))


def _is_value(text: str) -> bool:
    return len(text) <= _LONGEST_VALUE and all(map(_is_permitted, text))


def _is_permitted(character: str) -> bool:
    return unicodedata.category(character)[0] in _KINDS_OF_CHARACTERS or character in _OTHER_CHARACTERS


def column(tags: Mapping[str, str]) -> str | None:
    """Return tags in the index's form: JSON, or None without tags."""
    return msgspec.json.encode(tags).decode() if tags else None


def parse_column(kept: str | None) -> Tags:
    """Return the tags that `column` has written."""
    return {} if kept is None else _decode(kept)


def count_header(kept: str) -> tuple[bytes, bytes]:
    """Return the header of a GET or HEAD that says how many tags there are."""
    return b"x-amz-tagging-count", str(len(parse_column(kept))).encode()


def tag_set(kept: str | None) -> str:
    """Return the TagSet element of stored tags."""
    tags = parse_column(kept).items()
    return xml.tag("TagSet", *(xml.tag("Tag", xml.text("Key", name), xml.text("Value", value)) for name, value in tags))
