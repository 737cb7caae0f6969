"""From a form to an operation's input: names with dots become members, and members with numbers become lists.

EC2's lists are flat: `VolumeId.1=vol-…&Filter.1.Name=status&Filter.1.Value.1=available` (EC2 API reference, "Query
requests"). An input is a Struct whose members have the names of the wire.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from fuin.ec2.wire.faults import Ec2Fault

FIELDS_AT_MOST = 8000
_DEPTH_LIMIT = 8
_UNKNOWN = re.compile(r"Object contains unknown field `(.*?)`")
_MISSING = re.compile(r"Object missing required field `(.*?)`")
_PLACE = re.compile(r" - at `\$\.?(.*)`")
_COMMON = ("Action", "Version")

Tree = dict[str, Any]  # names, taken apart at their dots; lists are still dictionaries of numbers
I = TypeVar("I", bound="Input")  # noqa: E741


class Input(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The members that a request for any operation may have."""

    DryRun: bool = False


def parse(*forms: bytes) -> Tree:
    """Return the fields of a query string and a body; raises MalformedQueryString for a field that comes twice."""
    tree: Tree = {}
    try:
        for form in forms:
            fields = parse_qsl(
                form.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_AT_MOST, errors="strict"
            )  # fmt: skip
            for name, value in fields:
                _put(tree, name.split("."), value)
    except ValueError:  # not ASCII, not UTF-8 behind its percent signs, too many fields
        raise Ec2Fault("MalformedQueryString") from None
    return tree


def _put(tree: Tree, path: list[str], value: str) -> None:
    if len(path) > _DEPTH_LIMIT:
        raise Ec2Fault("MalformedQueryString")
    for step in path[:-1]:
        tree = tree.setdefault(step, {})
        if isinstance(tree, str):  # both a value and members
            raise Ec2Fault("MalformedQueryString")
    if path[-1] in tree:
        raise Ec2Fault("MalformedQueryString")
    tree[path[-1]] = value


def text_of(tree: Tree, name: str) -> str:
    """Return the value of a plain field, empty without one."""
    value = tree.get(name, "")
    return value if isinstance(value, str) else ""


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
