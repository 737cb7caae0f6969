"""What shapes are made of: the base classes of structures, and the constraints that a type can have.

Every member may be None, since presence is for the checks (`checks.py`); members that are None are left out of answers.
Times are seconds since 1970.
"""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import msgspec


class Length(NamedTuple):
    """The least and the greatest length of a text, of bytes or of a list."""

    least: int
    most: int


class Range(NamedTuple):
    """The least and the greatest value of a number."""

    least: int
    most: int


class Pattern(NamedTuple):
    """The regular expression that a whole text matches, as AWS shows it."""

    expression: str


class OneOf(NamedTuple):
    """The values of an enumeration; AWS shows other ones where `shown` is given."""

    values: tuple[str, ...]
    shown: tuple[str, ...] | None = None


class Sensitive(NamedTuple):
    """Marks a type whose values no error shows."""


Constraint = Length | Range | Pattern | OneOf | Sensitive


class Structure(msgspec.Struct, frozen=True):
    """A structure; its representation leaves out secrets and bytes."""

    required: ClassVar[tuple[str, ...]] = ()
    hidden: ClassVar[tuple[str, ...]] = ()  # members that no representation shows

    def __repr__(self) -> str:
        values = ((name, getattr(self, name)) for name in self.__struct_fields__ if name not in self.hidden)
        members = ", ".join(f"{name}={value!r}" for name, value in values if value is not None)
        return f"{type(self).__name__}({members})"


class Input(Structure, frozen=True):
    """The input of an operation, or a part of one; members that are not in the model are ignored, as AWS does."""


class Output(Structure, frozen=True, omit_defaults=True):
    """The output of an operation, or a part of one."""
