"""The policies of forms, without a server: which forms meet them, and what is said of others and of what is none.

The texts are those that AWS answers (`fuin.s3.request.post_policy` says where they are from).
"""

import base64
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from fuin.s3.request import post_policy
from fuin.s3.request.faults import S3Fault
from fuin.s3.request.post_policy import ANY_SIZE, SizeRange

BUCKET = "some-bucket"
NOW = 1_800_000_000.0
WHEN = "2037-01-01T00:00:00Z"
CEPH = {"key": "foo.txt", "acl": "private", "Content-Type": "text/plain"}
INVALID, NOT_MET = "Invalid Policy: ", "Invalid according to Policy: "


def check(policy: Any, fields: Mapping[str, str], now: float = NOW) -> SizeRange:
    """Return the sizes that a policy allows for the file of a form with these fields."""
    raw = policy if isinstance(policy, bytes) else json.dumps(policy).encode()
    names = {name.lower(): name for name in fields}
    values = {name.lower(): value for name, value in fields.items()}
    return post_policy.check(base64.b64encode(raw).decode(), values, names, BUCKET, now)


def refusal(policy: Any, fields: Mapping[str, str], now: float = NOW) -> tuple[int, str, str]:
    """Return the error for a policy that has to fail."""
    with pytest.raises(S3Fault) as error:
        check(policy, fields, now)
    return error.value.status, error.value.code, error.value.message or ""


def conditioned(*conditions: Any, **members: Any) -> dict[str, Any]:
    """Return a policy with the conditions that Ceph's tests have, and others."""
    own = [{"bucket": BUCKET}, ["starts-with", "$key", "foo"], {"acl": "private"},
           ["starts-with", "$Content-Type", "text/plain"]]  # fmt: skip
    return {"expiration": WHEN, "conditions": [*own, *conditions], **members}


@pytest.mark.parametrize(
    ("conditions", "fields"),
    [
        ([], {}),
        ([], {"x-ignore-foo": "bar", "X-IGNORE-x": ""}),
        ([["eq", "$x-amz-meta-foo", "barclamp"]], {"x-amz-meta-foo": "barclamp"}),
        ([["starts-with", "$x-amz-meta-foo", "bar"]], {"X-Amz-Meta-Foo": "barclamp"}),
        ([["starts-with", "$x-amz-meta-foo", ""]], {"x-amz-meta-foo": ""}),
        ([["eq", "$success_Action_STATUS", "200"]], {"success_action_status": "200"}),
        ([["StArTs-WiTh", "$KeY", "fo"], {"KEY": "foo.txt"}], {}),
        ([["starts-with", "$content-type", "text/"]], {"Content-Type": "text/plain, text/plain;x"}),
        ([["content-length-range", 3, 3]], {}),
        ([["content-length-range", "0", "10"]], {}),
        ([["content-length-range", 0, 10**30]], {}),
        ([{"bucket": BUCKET}, ["eq", "$bucket", BUCKET]], {"bucket": BUCKET}),
        ([["starts-with", "$tagging", ""]], {"tagging": "<Tagging/>"}),
    ],
)
def test_policies_that_are_met(conditions: list[Any], fields: dict[str, str]) -> None:
    """Names without case, values with it; x-ignore- needs no condition."""
    check(conditioned(*conditions), CEPH | fields | {"policy": "x", "x-amz-signature": "x"})


@pytest.mark.parametrize(
    ("conditions", "fields", "message"),
    [
        ([["starts-with", "$x-amz-meta-foo", "bar"]], {}, '["starts-with", "$x-amz-meta-foo", "bar"]'),
        ([["starts-with", "$x-amz-meta-foo", ""]], {}, '["starts-with", "$x-amz-meta-foo", ""]'),
        ([["eq", "$X-Amz-Meta-Foo", ""]], {"x-amz-meta-foo": "barclamp"}, '["eq", "$X-Amz-Meta-Foo", ""]'),
        ([["eq", "$x-amz-meta-foo", "BAR"]], {"x-amz-meta-foo": "bar"}, '["eq", "$x-amz-meta-foo", "BAR"]'),
        ([["eq", "x-amz-meta-foo", "bar"]], {"x-amz-meta-foo": "bar"}, '["eq", "x-amz-meta-foo", "bar"]'),
        ([{"key": 'a"ä'}], {}, r'["eq", "$key", "a\"ä"]'),
        ([{"bucket": "other"}], {}, '["eq", "$bucket", "other"]'),
        ([{"bucket": "other"}], {"bucket": "other"}, '["eq", "$bucket", "other"]'),
        ([["starts-with", "$content-type", "text/"]], {"Content-Type": "text/plain, image/gif"},
         '["starts-with", "$Content-Type", "text/plain"]'),
        ([["content-length-range", "test", "10"]], {}, '["content-length-range", "test", "10"]'),
    ],
)  # fmt: skip
def test_conditions_that_are_not_met(conditions: list[Any], fields: dict[str, str], message: str) -> None:
    """403, with the condition as the policy has it."""
    text = f"{NOT_MET}Policy Condition failed: {message}"
    assert refusal(conditioned(*conditions), CEPH | fields) == (403, "AccessDenied", text)


MALFORMED: list[tuple[Any, str]] = [
    (b"", "Invalid JSON."),
    (b"[]", "Invalid JSON."),
    (b"{", "Invalid JSON."),
    (b'"\xff"', "invalid Base64 encoding."),
    (b"[" * 10_000, "Invalid JSON."),
    (b'{"expiration": "\\ud800", "conditions": []}', "Invalid JSON."),
    ({"EXPIRATION": WHEN, "conditions": []}, "Unexpected: 'expiration'"),
    ({"expiration": WHEN, "CONDITIONS": []}, "Unexpected: 'conditions'"),
    ({"Version": "2012-10-17", "Statement": []}, "Unexpected: 'version'"),
    (b'{"expiration": "2037-01-01T00:00:00Z", "expiration": "2037-01-01T00:00:00Z"}', "Unexpected: 'expiration'"),
    ({"conditions": []}, "Policy missing expiration."),
    ({"expiration": None, "conditions": []}, "Policy missing expiration."),
    ({"expiration": WHEN}, "Policy missing conditions."),
    ({"expiration": WHEN, "conditions": {}}, "Invalid 'conditions' value: must be a List."),
    ({"expiration": "2037-01-01 00:00:00", "conditions": []}, "Invalid 'expiration' value: '2037-01-01 00:00:00'"),
    ({"expiration": "2037-01-01T00:00:00+02:00", "conditions": []},
     "Invalid 'expiration' value: '2037-01-01T00:00:00+02:00'"),
    ({"expiration": "2037-13-01T00:00:00Z", "conditions": []}, "Invalid 'expiration' value: '2037-13-01T00:00:00Z'"),
    ({"expiration": 5, "conditions": []}, "Invalid 'expiration' value: '5'"),
]  # fmt: skip
ONE = "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified."
CONDITIONS: list[tuple[Any, str]] = [
    ({}, ONE),
    ({"acl": "private", "key": "foo.txt"}, ONE),
    ({"acl": 5}, "Invalid Simple-Condition: value must be a string."),
    ({"acl": None}, "Invalid JSON."),
    ("acl", "Invalid condition test: must be a List or Object."),
    ([], "Invalid Condition: missing operation identifier."),
    ([5, "$key", "a"], "Invalid Condition: missing operation identifier."),
    (["ne", "$key", "a"], "Invalid Condition: unknown operation 'ne'."),
    (["eq", "$key"], "Invalid eq: wrong number of arguments."),
    (["content-length-range", 0], "Invalid content-length-range: wrong number of arguments."),
    (["content-length-range", 0, 512.0], "Invalid JSON."),
    (["content-length-range", True, 1], "Invalid JSON."),
    (["eq", "$key", 5], "Invalid JSON."),
]


@pytest.mark.parametrize(
    ("policy", "message"),
    [*MALFORMED, *(({"expiration": WHEN, "conditions": [condition]}, text) for condition, text in CONDITIONS)],
)
def test_policies_that_are_malformed(policy: Any, message: str) -> None:
    """400, though its signer has signed it."""
    assert refusal(policy, CEPH) == (400, "InvalidPolicyDocument", INVALID + message)


def test_text_that_is_no_base64() -> None:
    """It is told from JSON that is none."""
    with pytest.raises(S3Fault, match="invalid Base64 encoding"):
        post_policy.check("a policy", CEPH, {}, BUCKET, NOW)


def test_each_field_needs_a_condition() -> None:
    """Also the bucket, which is no field; the name is shown as it was sent."""
    text = f"{NOT_MET}Extra input fields: "
    assert refusal(conditioned(), CEPH | {"X-Amz-Meta-A": "b"}) == (403, "AccessDenied", f"{text}X-Amz-Meta-A")
    policy = conditioned()
    policy["conditions"].remove({"bucket": BUCKET})
    assert refusal(policy, CEPH) == (403, "AccessDenied", f"{text}bucket")


@pytest.mark.parametrize("ending", ["Z", ".000Z", ".5Z", ".999999999Z"])
def test_the_end_of_a_policy(ending: str) -> None:
    """It is good up to its end, which may be a fraction of a second."""
    expiration = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(NOW)) + ending
    policy = conditioned(expiration=expiration)
    fraction = float(f"0{ending.removesuffix('Z')}") if "." in ending else 0.0
    check(policy, CEPH, NOW + fraction)
    assert refusal(policy, CEPH, NOW + fraction + 0.01) == (403, "AccessDenied", f"{NOT_MET}Policy expired.")


def test_sizes() -> None:
    """Of several ranges the narrowest holds; without one there is no bound."""
    assert check(conditioned(), CEPH) == ANY_SIZE
    ranges = [["content-length-range", -1, "100"], ["content-length-range", 2, 10**30]]
    assert check(conditioned(*ranges), CEPH) == SizeRange(2, 100)


@pytest.mark.parametrize(
    ("condition", "key"),
    [
        (rb'["starts-with", "$key", "\\$foo"]', r"\$foo.txt"),
        (rb'{"key": "\$a"}', "$a"),
        (rb'{"key": "a\vb\u00e9"}', "a\vb\u00e9"),
    ],
)
def test_backslashes(condition: bytes, key: str) -> None:
    r"""AWS's policies may have `\$` and `\v`, which JSON has not; `\\$` is a backslash and a dollar sign."""
    policy = json.dumps({"expiration": WHEN, "conditions": [{"bucket": BUCKET}]}).encode()
    check(policy.replace(b"]}", b", " + condition + b"]}"), {"key": key})
