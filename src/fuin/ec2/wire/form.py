"""From a form to an operation's input: names with dots become members, and members with numbers become lists.

EC2's lists are flat: `VolumeId.1=vol-…&Filter.1.Name=status&Filter.1.Value.1=available` (EC2 API reference, "Query
requests"). An input is a Struct whose members have the names of the wire.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from fuin.ec2.wire.faults import Ec2Fault
from fuin.errors import FormatError
from fuin.gate import query_form
from fuin.gate.query_form import Tree

FIELDS_AT_MOST = 8000
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`")
_MISSING = re.compile(r"Object missing required field `(.*?)`")
_PLACE = re.compile(r" - at `\$\.?(.*)`")
_COMMON = ("Action", "Version")

I = TypeVar("I", bound="Input")  # noqa: E741


class Input(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The members that a request for any operation may have."""

    DryRun: bool = False


def parse(*forms: bytes) -> Tree:
    """Return the fields of a query string and a body; raises MalformedQueryString for a field that comes twice."""
    try:
        return query_form.parse(*forms, fields_at_most=FIELDS_AT_MOST)
    except FormatError:
        raise Ec2Fault("MalformedQueryString") from None


def read_input(kind: type[I], tree: Tree) -> I:
    """Return the input of an operation; raises MissingParameter, UnknownParameter or InvalidParameterValue."""
    members = {name: _with_lists(value) for name, value in tree.items() if name not in _COMMON}
    try:
        return msgspec.convert(members, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _fault(str(error), members) from None


def _with_lists(value: Any) -> Any:
    """Return a value in which members named by numbers have become lists, in the order of the numbers."""
    if not isinstance(value, dict):
        return value
    below = {name: _with_lists(one) for name, one in value.items()}
    if all(name.isascii() and name.isdigit() and len(name) < 7 for name in below):
        return [below[name] for name in sorted(below, key=int)]
    return below


def _fault(text: str, members: dict[str, Any]) -> Ec2Fault:
    """Return the fault for an input that is not of its kind, from the text that says where."""
    place = found[1] if (found := _PLACE.search(text)) else ""
    if unknown := _UNKNOWN.match(text):
        name = f"{place}.{unknown[1]}" if place else unknown[1]
        return Ec2Fault("UnknownParameter", f"The parameter {name} is not recognized")
    if missing := _MISSING.match(text):
        name = f"{place}.{missing[1]}" if place else missing[1]
        return Ec2Fault("MissingParameter", f"The request must contain the parameter {name}")
    value = members.get(place, "")
    shown = f" ({value})" if isinstance(value, str) and value else ""
    return Ec2Fault("InvalidParameterValue", f"Value{shown} for parameter {place} is invalid.")
