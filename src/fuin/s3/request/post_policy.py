"""The policy of a form: the conditions that its signer has set for the upload.

Source: Amazon S3 API Reference, "POST Policy". The texts are those that AWS answers (localstack, TestS3PresignedPost,
run against AWS; others from answers that people have quoted when they reported a problem). As there, names are compared
without case, values with it; a condition on a field that the form does not have fails; and each field needs a
condition, also the bucket, which is no field of most forms.
"""

from __future__ import annotations

import base64
import binascii
import calendar
import json
import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from fuin.numbers import whole_number
from fuin.s3.request.faults import S3Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

_EQUAL, _STARTS, _SIZE = "eq", "starts-with", "content-length-range"
_BUCKET, _CONTENT_TYPE = "bucket", "content-type"
_NEED_NONE = frozenset({"file", "policy", "x-amz-signature"})  # no condition
_IGNORED = "x-ignore-"
_LARGEST = 2**63 - 1  # bytes
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?Z")
# AWS, "Character Escaping": what JSON has not.
_ESCAPES = re.compile(r"\\(.)", re.DOTALL)
_NOT_JSON = {"$": "$", "v": "\\u000b"}


class SizeRange(NamedTuple):
    """The sizes that the file may have, in bytes."""

    least: int
    most: int

    def check_most(self, size: int, proposed: int) -> None:
        """Raise EntityTooLarge for a size beyond the range; the answer gives the `proposed` one."""
        if size > self.most:
            raise S3Fault("EntityTooLarge", ProposedSize=str(proposed), MaxSizeAllowed=str(self.most))

    def check_least(self, size: int) -> None:
        """Raise EntityTooSmall for a size below the range."""
        if size < self.least:
            raise S3Fault("EntityTooSmall", ProposedSize=str(size), MinSizeAllowed=str(self.least))


ANY_SIZE = SizeRange(0, _LARGEST)


class _Condition(NamedTuple):
    """A condition: its kind, the field that it is on in lower case (None if it names none), and its operands."""

    kind: str
    field: str | None
    operands: tuple[Any, Any]

    @property
    def text(self) -> str:
        """Return the condition as AWS shows it."""
        return json.dumps([self.kind, *self.operands], ensure_ascii=False)


def check(document: str, fields: Mapping[str, str], names: Mapping[str, str], bucket: str, now: float) -> SizeRange:
    """Return the sizes that a policy, in base64, allows for the file; raises AccessDenied, InvalidPolicyDocument.

    `fields` are the form's values and `names` their names as they were sent, both by names in lower case. The file's
    name is in the values already: conditions are on what is stored.
    """
    expiration, conditions = _parse(document)
    if now > expiration:
        raise _policy_fault("Policy expired.")
    values = {**fields, _BUCKET: bucket}
    sizes, covered = ANY_SIZE, set[str]()
    for condition in conditions:
        if condition.kind == _SIZE:
            sizes = _narrow_range(sizes, condition)
        elif condition.field is None or not _holds(condition, values):
            raise _condition_fault(condition)
        else:
            covered.add(condition.field)
    for name in values:
        if name not in covered and name not in _NEED_NONE and not name.startswith(_IGNORED):
            raise _policy_fault(f"Extra input fields: {names.get(name, name)}")
    return sizes


def _policy_fault(text: str) -> S3Fault:
    return S3Fault("AccessDenied", f"Invalid according to Policy: {text}")


def _condition_fault(condition: _Condition) -> S3Fault:
    return _policy_fault(f"Policy Condition failed: {condition.text}")


def _holds(condition: _Condition, values: Mapping[str, str]) -> bool:
    value = values.get(condition.field or "")
    wanted = str(condition.operands[1])
    if value is None:
        return False
    if condition.kind == _EQUAL:
        return value == wanted
    if condition.field == _CONTENT_TYPE:  # a list, of which each member must do
        return all(member.strip().startswith(wanted) for member in value.split(","))
    return value.startswith(wanted)


def _narrow_range(sizes: SizeRange, condition: _Condition) -> SizeRange:
    """Return the sizes that this condition also allows; numbers may be texts, as AWS takes them."""
    least, most = map(_parse_size, condition.operands)
    if least is None or most is None:
        raise _condition_fault(condition)
    return SizeRange(max(sizes.least, least), min(sizes.most, most))


def _parse_size(operand: int | str) -> int | None:
    return whole_number(operand, 0, _LARGEST) if isinstance(operand, str) else min(operand, _LARGEST)


# The document


def _document_fault(text: str) -> S3Fault:
    return S3Fault("InvalidPolicyDocument", f"Invalid Policy: {text}")


def _json_fault() -> S3Fault:
    return _document_fault("Invalid JSON.")


def _parse(document: str) -> tuple[float, list[_Condition]]:
    """Return the time at which a policy expires, in seconds since 1970, and its conditions."""
    root = _parse_json(document)
    if not isinstance(root, tuple):  # no object
        raise _json_fault()
    members: dict[str, Any] = {}
    for name, value in root:
        if name not in ("expiration", "conditions") or name in members:
            raise _document_fault(f"Unexpected: '{name.lower()[:100]}'")
        members[name] = value
    for name in ("expiration", "conditions"):
        if members.get(name) is None:
            raise _document_fault(f"Policy missing {name}.")
    if not isinstance(members["conditions"], list):
        raise _document_fault("Invalid 'conditions' value: must be a List.")
    return _parse_expiration(members["expiration"]), list(map(_parse_condition, members["conditions"]))


def _parse_json(document: str) -> Any:
    """Return the value of a policy; its objects are tuples of pairs, so that no member hides another one."""
    try:
        text = base64.b64decode(document, validate=True).decode()
    except (binascii.Error, UnicodeError, ValueError):
        raise _document_fault("invalid Base64 encoding.") from None
    text = _ESCAPES.sub(lambda found: _NOT_JSON.get(found[1], found[0]), text)
    try:
        value = json.loads(text, object_pairs_hook=tuple, parse_float=_refuse_number, parse_constant=_refuse_number)
        json.dumps(value, ensure_ascii=False).encode()  # half a character, as an escape can give it, has no UTF-8
    except (ValueError, RecursionError):
        raise _json_fault() from None
    return value


def _refuse_number(text: str) -> None:
    raise ValueError(text)


def _parse_expiration(value: Any) -> float:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is not None:
        try:
            whole = calendar.timegm(time.strptime(found[1], "%Y-%m-%dT%H:%M:%S"))
        except ValueError:  # such as a month 13
            pass
        else:
            return whole + float(found[2] or 0)
    raise _document_fault(f"Invalid 'expiration' value: '{str(value)[:100]}'")


def _parse_condition(value: Any) -> _Condition:
    if isinstance(value, tuple):
        return _parse_simple(value)
    if not isinstance(value, list):
        raise _document_fault("Invalid condition test: must be a List or Object.")
    if not value or not isinstance(value[0], str):
        raise _document_fault("Invalid Condition: missing operation identifier.")
    kind, operands = value[0].lower(), tuple(value[1:])
    if kind not in (_EQUAL, _STARTS, _SIZE):
        raise _document_fault(f"Invalid Condition: unknown operation '{value[0][:100]}'.")
    if len(operands) != 2:
        raise _document_fault(f"Invalid {kind}: wrong number of arguments.")
    if not all(_is_operand(kind, operand) for operand in operands):
        raise _json_fault()
    field = None
    if kind != _SIZE and operands[0].startswith("$"):
        field = operands[0][1:].lower()
    return _Condition(kind, field, (operands[0], operands[1]))


def _is_operand(kind: str, value: Any) -> bool:
    """Return whether a value can be an operand; `True` is no number here."""
    return isinstance(value, str) or (kind == _SIZE and type(value) is int)


def _parse_simple(pairs: tuple[tuple[str, Any], ...]) -> _Condition:
    """Return the condition that an object is: `{"acl": "private"}` is `["eq", "$acl", "private"]`."""
    if len(pairs) != 1:
        raise _document_fault("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
    ((name, value),) = pairs
    if value is None:
        raise _json_fault()
    if not isinstance(value, str):
        raise _document_fault("Invalid Simple-Condition: value must be a string.")
    return _Condition(_EQUAL, name.lower(), (f"${name}", value))
