"""The number of a part in a request: which part of a multipart upload or of its object it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.numbers import whole_number
from fuin.s3.request.faults import invalid_argument
from fuin.store.s3 import uploads as rows

if TYPE_CHECKING:
    from fuin.s3.request.call import S3Call


def part_number(call: S3Call) -> int:
    """Return the request's part number; raises InvalidArgument unless it is 1 to 10,000."""
    text = call.query.get("partNumber", "")
    number = whole_number(text, 1, rows.PARTS_AT_MOST)
    if number is None:
        raise invalid_argument("partNumber", text[:20], "Part number must be an integer between 1 and 10000, inclusive")
    return number
