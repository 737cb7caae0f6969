"""Policies that were written to cost time: reading them and deciding by them stays bounded."""

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from fuin.access.document import LONGEST
from fuin.access.kinds import SIZE_LIMITS
from fuin.access.policy import PolicyKind, parse_policy
from fuin.access.question import Question
from fuin.errors import MalformedPolicy
from tests.access.builders import ANN

READING, DECIDING = 2.0, 3.0  # seconds, on a machine that does much else; alone it takes a tenth of it
VALUE = 8192  # characters: a whole encryption context
NAME = "kms:EncryptionContext:a"


def own(**members: Any) -> str:
    """Return a document of one statement."""
    item = {"Effect": "Allow", "Action": "*", "Resource": "*", **members}
    return json.dumps({"Version": "2012-10-17", "Statement": item}, ensure_ascii=False)


def filled(make: Callable[[int], str], limit: int) -> list[str]:
    """Return texts that take `limit` characters together as JSON."""
    texts: list[str] = []
    size = 300
    while True:
        text = make(len(texts))
        size += len(text) + 4
        if size > limit:
            return texts
        texts.append(text)


def on(operator: str, wanted: Any) -> dict[str, Any]:
    """Return a Condition on the encryption context."""
    return {"Condition": {operator: {NAME: wanted}}}


_DOCUMENTS = {
    "brackets": "[" * LONGEST,
    "objects": '{"a":' * (LONGEST // 5),
    "one name twice at last": "{" + ",".join(f'"{n}":0' for n in range(12_000)) + ',"1":0}',
    "digits": '{"Version":' + "9" * 130_000 + "}",
    "escapes": '{"Id":"' + "\\ud83d\\ude00" * 10_000 + '"}',
    "surrogates": '{"Id":"' + "\\ud83d" * 20_000 + '"}',
    "statements": json.dumps({"Statement": [{"Effect": "Deny", "Action": "a:b", "Resource": "*"}] * 2000}),
    "actions": own(Action=filled(lambda n: f"a:*{n}?*", LONGEST)),
    "resources": own(Resource=filled(lambda n: f"arn:*{n}?*", LONGEST)),
    "keys": own(Condition={"StringLike": {f"a:{n}": "*" for n in range(9000)}}),
    "stars": own(Resource="arn:" + "*" * 130_000),
    "variables": own(**on("StringLike", "${a:b}" * 20_000)),
    "open variables": own(**on("StringLike", "${a:b" * 24_000)),
    "open defaults": own(**on("StringLike", "${a:b, '" * 16_000)),
    "spaces of a default": own(**on("StringLike", "${a:b," + " " * 130_000)),
    "dates": own(**on("DateLessThan", filled(lambda n: f"2025-01-31T09:30:00.{n:06}Z", LONGEST))),
    "a long date": own(**on("DateLessThan", "2" * 130_000)),
    "a long number": own(**on("NumericEquals", "1" * 130_000)),
    "an exponent": own(**on("NumericEquals", "1e" + "9" * 60)),
    "a long address": own(**on("IpAddress", ":" * 130_000)),
    "ranges": own(**on("IpAddress", filled(lambda n: f"10.{n >> 8}.{n & 255}.0/24", LONGEST))),
    "a long service": own(Principal={"Service": "a." * 60_000}),
    "a long user": own(Principal={"AWS": "arn:aws:iam::123456789012:user/" + "a/" * 60_000}),
}


@pytest.mark.parametrize("name", _DOCUMENTS)
def test_reading_is_bounded(name: str) -> None:
    """The longest documents of all shapes are read or refused in little time."""
    for kind in (PolicyKind.IDENTITY, PolicyKind.KEY):
        started = time.thread_time()
        with contextlib.suppress(MalformedPolicy):
            parse_policy(_DOCUMENTS[name], kind)
        assert time.thread_time() - started < READING


_LIMIT = SIZE_LIMITS[PolicyKind.KEY]
_MATCHES: dict[str, tuple[str, Any, str]] = {
    "stars": ("StringLike", "*a" * (_LIMIT // 2 - 200) + "b", "a" * VALUE),
    "stars and places": ("StringLike", "*?a" * (_LIMIT // 3 - 200) + "b", "a" * VALUE),
    "many parts": ("StringLike", filled(lambda n: f"*a*{n}*", _LIMIT), "a" * VALUE),
    "many parts with places": ("StringLike", filled(lambda n: f"*a?{chr(256 + n)}*", _LIMIT), "a" * VALUE),
    "parts that nearly match": ("StringLike", filled(lambda n: f"*{'a' * 20}?{'a' * 20}{n}*", _LIMIT), "a" * VALUE),
    "a long part": ("StringLike", f"*{'a' * 4000}?{'a' * 4000}b*", "a" * VALUE),
    "long parts": ("StringLike", filled(lambda n: f"*{'a' * 50}?{'a' * 50}{n}*", _LIMIT), "a" * VALUE),
    "heads": ("StringLike", filled(lambda n: f"{'a' * (n % 200)}*{n}*", _LIMIT), "a" * VALUE),
    "negated": ("StringNotLike", filled(lambda n: f"*a?{chr(256 + n)}*", _LIMIT), "a" * VALUE),
    "ARNs": ("ArnLike", filled(lambda n: f"arn:*a:*a?:*a:*a:*{n}?*", _LIMIT), f"arn:{'a' * 4000}:aa:a:a:{'a' * 4000}"),
    "one variable often": ("StringLike", "${" + NAME + "}" * 800, "a" * VALUE),
    "variables often": ("StringLike", filled(lambda n: "${" + NAME + f"}}*{n}", _LIMIT), "a" * VALUE),
    "variables and places": ("StringLike", filled(lambda n: "*${" + NAME + f"}}?*{n}", _LIMIT), "a" * VALUE),
    "equal variables": ("StringEquals", filled(lambda n: "${" + NAME + f"}}{n}", _LIMIT), "a" * VALUE),
    "a number": ("NumericEquals", "1", "1" * VALUE),
    "a date": ("DateEquals", "2025", "2" * VALUE),
    "an address": ("IpAddress", "::/0", ":" * VALUE),
    "base64": ("BinaryEquals", "QQ==", "A" * VALUE),
}


@pytest.mark.parametrize("name", _MATCHES)
def test_deciding_is_bounded(name: str) -> None:
    """Patterns as long as a key policy, against a value that nearly matches and is as long as values get."""
    operator, wanted, value = _MATCHES[name]
    (statement,) = parse_policy(own(**on(operator, wanted)), PolicyKind.IDENTITY).statements
    started = time.thread_time()
    assert statement.meets_conditions(Question(ANN, "kms:Decrypt", "*", {NAME: value})) is (operator == "StringNotLike")
    assert time.thread_time() - started < DECIDING


def test_repeated_variables_take_no_memory() -> None:
    """A text of thousands of variables does not become thousands of times the request's value."""
    (statement,) = parse_policy(own(Resource="arn:aws:s3:::" + "${a:b}" * 20_000), PolicyKind.IDENTITY).statements
    (template,) = statement.templates
    assert template.resolve({"a:b": ("x" * VALUE,)}, VALUE) is None
    assert not statement.covers(Question(ANN, "s3:GetObject", "arn:aws:s3:::x", {"a:b": "x" * VALUE}))
