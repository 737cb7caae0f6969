"""The forms of AWS Query and of EC2: fields with dotted names in, XML out.

AWS: "Making query requests" in the IAM user guide, "Query requests" in the EC2 API reference. What the members mean is
each service's own.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from fuin.errors import FormatError

_DEPTH_LIMIT = 12

Tree = dict[str, "str | Tree"]  # the form's names, taken apart at their dots

# What XML 1.0 cannot say at all (https://www.w3.org/TR/xml/#charsets); strangers' values come back in errors.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#xD;"})


def parse(*forms: bytes, fields_at_most: int) -> Tree:
    """Return the fields of a query string and a body; raises FormatError for a malformed form or a repeated field."""
    tree: Tree = {}
    try:
        for form in forms:
            fields = parse_qsl(
                form.decode("ascii"), keep_blank_values=True, max_num_fields=fields_at_most, errors="strict"
            )  # fmt: skip
            for name, value in fields:
                _put(tree, name.split("."), value)
    except ValueError:  # not ASCII, not UTF-8 behind its percent signs, too many fields
        raise FormatError("the form is malformed") from None
    return tree


def _put(tree: Tree, path: list[str], value: str) -> None:
    if len(path) > _DEPTH_LIMIT:
        raise FormatError("the name of a field has too many parts")
    for step in path[:-1]:
        below = tree.setdefault(step, {})
        if isinstance(below, str):
            if below:
                raise FormatError("a field has a value and members")
            below = tree[step] = {}  # an empty list is its name without a value
        tree = below
    if path[-1] in tree:
        raise FormatError("a field comes twice")
    tree[path[-1]] = value


def text_of(tree: Tree, name: str) -> str | None:
    """Return a plain field's value, or None."""
    value = tree.get(name)
    return value if isinstance(value, str) else None


def escape(text: str) -> str:
    """Return text as the content of an element; characters that XML does not allow become the replacement character."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text).translate(_ESCAPES)
