"""From a form's fields to an operation's members, by the shapes of its input, with the model's constraints.

Each reader takes a field (text, or the fields below it), its path for errors, and a list to which it adds the errors
that it finds. Source: the service model's required, min, max, pattern and enum; texts as AWS IAM gives them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fuin.gate.query_form import Tree
from fuin.identity.wire.faults import QueryFault

Field = str | Tree
Reader = Callable[[Field, str, list[str]], Any]

# Java's classes of Unicode letters, spaces and numbers, as Python's expressions say them; the patterns of tags have
# all three, and the underscore that Python's words have too.
_JAVA, _PYTHON = r"\p{L}\p{Z}\p{N}", "\\w \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# Patterns of names, and what IAM says of a name that does not match.
_NAMES = {
    r"[\w+=,.@-]+": "must contain only alphanumeric characters and/or the following: +=,.@_-",
    r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)": (
        "must begin and end with / and contain only alphanumeric characters and/or / characters."
    ),
}


def structure(shape: Any) -> Callable[[Field, str, list[str]], dict[str, Any]]:
    """Return the reader of a structure: a dictionary of the members that were given."""
    members = [
        (name, name[0].lower() + name[1:], name in shape.required_members, _value(member))
        for name, member in shape.members.items()
    ]

    def read(field: Field, path: str, errors: list[str]) -> dict[str, Any]:
        given: dict[str, Any] = {}
        fields = field if isinstance(field, dict) else {}
        for name, lower, required, read_value in members:
            below = fields.get(name)
            if below is not None:
                given[name] = read_value(below, path + lower, errors)
            elif required:
                errors.append(_constraint_failure("Value null", path + lower, "Member must not be null"))
        return given

    return read


def _value(shape: Any) -> Reader:
    match shape.type_name:
        case "structure":
            read_members = structure(shape)
            return lambda field, path, errors: read_members(field, f"{path}.", errors)
        case "list":
            return _list(shape)
        case "integer":
            return _integer(shape)
        case "boolean":
            return _boolean
    return _string(shape)


def _list(shape: Any) -> Reader:
    limits = _limits(shape, "length")
    read_member = _value(shape.member)

    def read(field: Field, path: str, errors: list[str]) -> list[Any]:
        found = _numbered_members(_members(field, path))
        text = limits(len(found))
        if text:
            errors.append(_constraint_failure(f"Value '{_preview(found)}'", path, text))
            return []
        return [read_member(item, f"{path}.{index}.member", errors) for index, item in enumerate(found, 1)]

    return read


def _members(field: Field, path: str) -> Tree:
    """Return the fields under Name.member; raises ValidationError for a list that is written in another way.

    It is not taken for an empty list: a list of session policies that nobody reads would limit nothing.
    """
    if field == "":  # how a client writes an empty one
        return {}
    members = field["member"] if isinstance(field, dict) and field.keys() == {"member"} else ""
    if not isinstance(members, dict):
        raise QueryFault(
            "ValidationError", f"The members of the list '{path}' must be named {path}.member.1 and so on."
        )
    return members


def _numbered_members(members: Tree) -> list[Field]:
    """Return the fields under 1, 2, 3, …; gaps do not matter, other names are refused."""
    numbers = [name for name in members if name.isascii() and name.isdigit() and len(name) <= 6]
    if len(numbers) != len(members):
        raise QueryFault("ValidationError", "The members of a list must be numbered from 1.")
    return [members[name] for name in sorted(numbers, key=int)]


def _preview(found: list[Field]) -> str:
    return f"[{', '.join(item if isinstance(item, str) else '…' for item in found[:8])}]"


def _integer(shape: Any) -> Reader:
    limits = _limits(shape, "value")

    def read(field: Field, path: str, errors: list[str]) -> int:
        text = field if isinstance(field, str) else ""
        if not re.fullmatch(r"-?[0-9]{1,10}", text, re.ASCII):
            raise QueryFault("ValidationError", f"Value '{text}' at '{path}' is not an integer.")
        wrong = limits(int(text))
        if wrong:
            errors.append(_constraint_failure(f"Value '{text}'", path, wrong))
        return int(text)

    return read


def _boolean(field: Field, path: str, _errors: list[str]) -> bool:
    text = field.lower() if isinstance(field, str) else ""
    if text not in {"true", "false"}:
        raise QueryFault("ValidationError", f"Value '{text}' at '{path}' is not a boolean.")
    return text == "true"


def _string(shape: Any) -> Reader:
    metadata = shape.metadata
    limits = _limits(shape, "length")
    hidden = metadata.get("sensitive", False)
    enumeration = metadata.get("enum")
    pattern = metadata.get("pattern")
    matches = _compile_pattern(pattern) if pattern else None

    def read(field: Field, path: str, errors: list[str]) -> str:
        text = field if isinstance(field, str) else ""
        value = "Value" if hidden else f"Value '{text}'"
        wrong = limits(len(text))
        if wrong:
            errors.append(_constraint_failure(value, path, wrong))
        if enumeration and text not in enumeration:
            errors.append(
                _constraint_failure(value, path, f"Member must satisfy enum value set: [{', '.join(enumeration)}]")
            )
        if matches is not None and not matches(text):
            if pattern in _NAMES and text and not wrong:
                raise QueryFault("ValidationError", f"The specified value for {path} is invalid. It {_NAMES[pattern]}")
            errors.append(
                _constraint_failure(value, path, f"Member must satisfy regular expression pattern: {pattern}")
            )
        return text

    return read


def _compile_pattern(pattern: str) -> Callable[[str], object]:
    """Return a function that tests a whole value."""
    if _JAVA in pattern:
        return re.compile(pattern.replace(_JAVA, _PYTHON)).fullmatch
    return re.compile(pattern, re.ASCII).fullmatch


def _limits(shape: Any, noun: str) -> Callable[[int], str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")

    def text(size: int) -> str:
        if low is not None and size < low:
            return f"Member must have {noun} greater than or equal to {low}"
        if high is not None and size > high:
            return f"Member must have {noun} less than or equal to {high}"
        return ""

    return text


def _constraint_failure(value: str, path: str, text: str) -> str:
    return f"{value} at '{path}' failed to satisfy constraint: {text}"
