"""From an operation's output to XML, or to the types of JSON, by the shapes of the service model."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fuin.identity.wire.query import element, leaf

Writer = Callable[[str, Any], str]  # the element's name and the value
Plainer = Callable[[Any], Any]  # from a value to one that JSON takes


def structure(shape: Any) -> Callable[[dict[str, Any]], str]:
    """Return the writer of a structure's members, in the model's order, without an element around them."""
    writers = {name: _value(member) for name, member in shape.members.items()}

    def write(value: dict[str, Any]) -> str:
        for name in value.keys() - writers.keys():
            raise KeyError(f"{shape.name} has no member {name}")
        return "".join(
            write_member(name, value[name]) for name, write_member in writers.items() if value.get(name) is not None
        )

    return write


def _value(shape: Any) -> Writer:
    match shape.type_name:
        case "structure":
            members = structure(shape)
            return lambda name, value: element(name, [members(value)])
        case "list":
            member = _value(shape.member)
            return lambda name, values: element(name, [member("member", value) for value in values])
        case "map":
            key, entry = _value(shape.key), _value(shape.value)
            return lambda name, values: element(
                name, [element("entry", [key("key", one), entry("value", other)]) for one, other in values.items()]
            )
        case "boolean":
            return lambda name, value: leaf(name, "true" if value else "false")
        case "timestamp":
            return lambda name, value: leaf(name, _time(value))
        case "blob":
            return lambda name, value: leaf(name, base64.b64encode(value).decode())
    return lambda name, value: leaf(name, str(value))


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def plain(shape: Any) -> Plainer:
    """Return the function that gives a shape's value the types of JSON: lists are arrays, dates seconds since 1970."""
    match shape.type_name:
        case "structure":
            return _plain_members(shape)
        case "list":
            member = plain(shape.member)
            return lambda values: [member(value) for value in values]
        case "map":
            entry = plain(shape.value)
            return lambda values: {name: entry(value) for name, value in values.items()}
        case "timestamp" | "integer" | "long":
            return int
        case "boolean":
            return bool
        case "blob":
            return lambda value: base64.b64encode(value).decode()
    return str


def _plain_members(shape: Any) -> Plainer:
    plainers = {name: plain(member) for name, member in shape.members.items()}

    def make(value: dict[str, Any]) -> dict[str, Any]:
        for name in value.keys() - plainers.keys():
            raise KeyError(f"{shape.name} has no member {name}")
        return {name: one(value[name]) for name, one in plainers.items() if value.get(name) is not None}

    return make
