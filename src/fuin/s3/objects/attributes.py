"""The parts of an object in the answer of GetObjectAttributes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.numbers import whole_number
from fuin.s3.objects import index
from fuin.s3.payload import checksums
from fuin.s3.payload.checksums import ALGORITHMS
from fuin.s3.request import xml
from fuin.s3.request.faults import invalid_argument

if TYPE_CHECKING:
    from fuin.s3.payload.checksums import Checksum
    from fuin.s3.request.call import S3Call
    from fuin.store.s3.objects import Object
    from fuin.store.s3.parts import Part

_PARTS_AT_MOST = 1000


def object_parts(call: S3Call, obj: Object, checksum: Checksum | None) -> str:
    """Return the ObjectParts element: the number of parts and, for a composite checksum, a page of them.

    AWS lists the parts only if the object's checksum is made from theirs.
    """
    count = xml.text("PartsCount", len(obj.parts))
    if checksum is None or checksum.kind != checksums.COMPOSITE:
        return xml.tag("ObjectParts", count)
    after, limit = (
        _number_header(call, b"x-amz-part-number-marker", 0),
        _number_header(call, b"x-amz-max-parts", _PARTS_AT_MOST),
    )
    found = [part for part in obj.parts if part.number > after]
    shown = found[: min(limit, _PARTS_AT_MOST)]
    return xml.tag(
        "ObjectParts",
        count,
        xml.text("PartNumberMarker", after),
        xml.text("NextPartNumberMarker", shown[-1].number if shown else 0),
        xml.text("MaxParts", limit),
        xml.text("IsTruncated", "true" if len(found) > len(shown) else "false"),
        *(_part_element(part, checksum.algorithm) for part in shown),
    )


def _part_element(part: Part, algorithm: str) -> str:
    value = index.parse_values(part).get(algorithm)
    kept = "" if value is None else xml.text(ALGORITHMS[algorithm].element, value)
    return xml.tag("Part", kept, xml.text("PartNumber", part.number), xml.text("Size", part.size))


def _number_header(call: S3Call, name: bytes, default: int) -> int:
    text = call.header(name)
    if not text:
        return default
    number = whole_number(text, 0, 2**31 - 1)
    if number is None:
        raise invalid_argument(name.decode(), text[:100], f"Argument {name.decode()} must be an integer")
    return number
