"""The checks of inputs, compiled once for each structure from its members' constraints, in AWS's words.

Types are checked where JSON becomes structures (`operations.py`); here are presence, length, range, pattern and
enumeration. A check appends what it finds to a list, since AWS reports all errors of a request at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from fuin.kms.model.faults import KmsFault
from fuin.kms.model.shape import Constraint, Length, OneOf, Pattern, Range, Sensitive, Structure

Check = Callable[[Any, str, list[str]], None]  # value, path, errors found so far
Texts = Callable[[Any], "list[str] | tuple[str, ...]"]  # the constraints that a value fails

# Patterns that Python has no regular expression for, and a function that does not look at each character.
_FUNCTIONS: dict[str, Callable[[str], object]] = {r"^\p{ASCII}+$": lambda text: text.isascii() and text}


def compile_checks(structure: type[Structure]) -> Callable[[Any], None]:
    """Return the check of an operation's input; it raises ValidationException with AWS's text."""
    check_members = _structure_check(structure)

    def check(input: Any) -> None:
        errors: list[str] = []
        check_members(input, "", errors)
        if errors:
            raise KmsFault("ValidationException", _join(errors))

    return check


def _join(errors: list[str]) -> str:
    noun = "error" if len(errors) == 1 else "errors"
    return f"{len(errors)} validation {noun} detected: {'; '.join(errors)}"


def null_at(member: str) -> str:
    """Return AWS's text for a required member that is absent; `member` is in lower camel case."""
    return _join([f"Value null at '{member}' failed to satisfy constraint: Member must not be null"])


def _lower_camel(name: str) -> str:
    return name[0].lower() + name[1:]


def _structure_check(structure: type[Structure]) -> Check:
    """Return the check of each member of a structure."""
    hints = get_type_hints(structure, include_extras=True)
    types = {name: get_args(hints[name])[0] for name in structure.__struct_fields__}  # without None
    members = [
        (name, _lower_camel(name), name in structure.required, _null(kind), _value_check(kind))
        for name, kind in types.items()
    ]
    checked = [member for member in members if member[2] or member[4] is not None]

    def check(input: Any, path: str, errors: list[str]) -> None:
        for name, lower, required, null, check_value in checked:
            value = getattr(input, name)
            if value is None:
                if required:
                    errors.append(f"{null} at '{path}{lower}' failed to satisfy constraint: Member must not be null")
            elif check_value is not None:
                check_value(value, path + lower, errors)

    return check


def _null(kind: Any) -> str:
    """Return how AWS words an absent member: of a sensitive one it shows nothing, not even null."""
    return "Value" if Sensitive() in _constraints(kind) else "Value null"


def _constraints(kind: Any) -> tuple[Constraint, ...]:
    return kind.__metadata__ if get_origin(kind) is Annotated else ()


def _plain_type(kind: Any) -> Any:
    return kind.__origin__ if get_origin(kind) is Annotated else kind


def _value_check(kind: Any) -> Check | None:
    """Return the check of a value, or None when its type has no constraints."""
    plain = _plain_type(kind)
    if get_origin(plain) is list:
        return _list_check(_length_texts(_constraints(kind)), get_args(plain)[0])
    if isinstance(plain, type) and issubclass(plain, Structure):
        members = _structure_check(plain)
        return lambda value, path, errors: members(value, f"{path}.", errors)
    return _scalar_check(kind)


def _list_check(length: Texts, member: Any) -> Check | None:
    """Check a list's length and members: structures by path (tags.1.member.tagKey), scalars as a whole."""
    is_structure = isinstance(member, type) and issubclass(member, Structure)
    check_member = _structure_check(member) if is_structure else None
    texts = None if is_structure else _scalar_texts(_constraints(member))

    def check(values: list[Any], path: str, errors: list[str]) -> None:
        for text in length(values):
            errors.append(_error(values, path, text))
        if check_member is not None:
            for index, value in enumerate(values, 1):
                check_member(value, f"{path}.{index}.member.", errors)
        elif texts is not None and any(next(iter(texts(value)), None) for value in values):
            limits = dict.fromkeys(text for value in values for text in texts(value))
            errors.append(_error(values, path, f"Member must satisfy constraint: [{', '.join(limits)}]"))

    return check


def _scalar_check(kind: Any) -> Check | None:
    constraints = _constraints(kind)
    texts = _scalar_texts(constraints)
    if texts is None:
        return None
    is_hidden = _plain_type(kind) is bytes or Sensitive() in constraints

    def check(value: Any, path: str, errors: list[str]) -> None:
        for text in texts(value):
            errors.append(_error(None if is_hidden else value, path, text))

    return check


def _error(value: Any, path: str, text: str) -> str:
    """Return one error; a blob or sensitive value (None here) is not shown, as in AWS."""
    if value is None:
        return f"Value at '{path}' failed to satisfy constraint: {text}"
    shown = f"[{', '.join(map(str, value))}]" if isinstance(value, list) else value
    return f"Value '{shown}' at '{path}' failed to satisfy constraint: {text}"


def _scalar_texts(constraints: tuple[Constraint, ...]) -> Texts | None:
    """Return a function from a value to the constraints that it fails, or None if there are no constraints."""
    for constraint in constraints:
        match constraint:
            case OneOf():
                return _enumeration_texts(constraint)
            case Range(least, most):
                return _limit_texts("value", int, least, most)
            case Pattern(expression):
                return _pattern_texts(expression, _length_texts(constraints))
    return _length_texts(constraints) if any(isinstance(each, Length) for each in constraints) else None


def _length_texts(constraints: tuple[Constraint, ...]) -> Texts:
    for constraint in constraints:
        if isinstance(constraint, Length):
            return _limit_texts("length", len, constraint.least, constraint.most)
    return lambda _: ()


def _enumeration_texts(constraint: OneOf) -> Texts:
    allowed = frozenset(constraint.values)
    text = (f"Member must satisfy enum value set: [{', '.join(constraint.shown or constraint.values)}]",)
    return lambda value: () if value in allowed else text


def _limit_texts(noun: str, measure: Callable[[Any], int], least: int, most: int) -> Texts:
    too_low = (f"Member must have {noun} greater than or equal to {least}",)
    too_high = (f"Member must have {noun} less than or equal to {most}",)

    def texts(value: Any) -> tuple[str, ...]:
        size = measure(value)
        if size < least:
            return too_low
        return too_high if size > most else ()

    return texts


def _pattern_texts(expression: str, limits: Texts) -> Texts:
    """Return the check of a pattern: all of a text matches, whether the model writes ^ and $ or not."""
    matches = _FUNCTIONS.get(expression) or re.compile(expression, re.ASCII).fullmatch
    text = f"Member must satisfy regular expression pattern: {expression}"
    return lambda value: limits(value) if matches(value) else (*limits(value), text)
