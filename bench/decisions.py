"""What a decision costs: one core's CPU time, without a request around it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bench.measure import Row
from fuin.access.ask import Ask
from fuin.access.decide import Decision, decide_key
from fuin.access.facts import Facts
from fuin.access.kinds import SIZE_LIMITS, PolicyKind
from fuin.access.policy import Policy, parse_policy
from fuin.access.principal import Principal

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROUNDS, TIMES = 7, 4000
_USER = Principal("user", f"arn:aws:iam::{ACCOUNT}:user/app", ACCOUNT, "AIDAAPP", "app", tags=(("team", "a"),))
_VIA_S3 = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
_USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]


def rows() -> list[Row]:
    """Return what decisions about a key cost: a typical key policy, and key policies of the greatest size."""
    own = (_policy(PolicyKind.IDENTITY, _statement(["kms:Decrypt", "kms:GenerateDataKey"], KEY)),)
    admin = (_policy(PolicyKind.IDENTITY, _statement("kms:*")),)
    typical = _policy(PolicyKind.KEY, *_five())
    wanted = [
        ("of five statements, named", "kms:Decrypt", typical, own),
        ("of five statements, delegated", "kms:GetKeyPolicy", typical, admin),
        ("of the greatest size, a statement for each user", "kms:Decrypt", _full(_by_user), own),
        ("of the greatest size, a pattern for each role", "kms:Decrypt", _full(_by_condition), own),
        ("of the greatest size, refused", "kms:Decrypt", _full(_other), own),
    ]
    return [_row(what, partial(_decided, action, policy, mine)) for what, action, policy, mine in wanted]


def _row(what: str, decide: Callable[[], Decision]) -> Row:
    decide()
    tries = []
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(TIMES):
            decide()
        tries.append((time.process_time() - begun) / TIMES * 1e6)
    return Row("Fuin", f"decision, key policy {what}", cpu_us=sorted(tries)[ROUNDS // 2])


def _decided(action: str, policy: Policy, own: tuple[Policy, ...]) -> Decision:
    """Decide as the gate does: the request's facts are gathered once a condition asks."""
    return decide_key(Ask(_USER, action, KEY, _fill), ACCOUNT, policy, own)


def _fill(facts: Facts) -> None:
    facts.known.update({
        "aws:sourceip": ("10.0.0.1",), "aws:securetransport": ("true",), "aws:requestedregion": ("us-east-1",),
        "aws:resourceaccount": (ACCOUNT,), "aws:useragent": ("aws-cli/2.31",), "aws:viaawsservice": ("true",),
        "kms:viaservice": ("s3.us-east-1.amazonaws.com",), "kms:keyspec": ("SYMMETRIC_DEFAULT",),
        "kms:encryptioncontext:aws:s3:arn": ("arn:aws:s3:::bucket/object",),
    })  # fmt: skip


def _five() -> list[dict[str, Any]]:
    """Return a typical key policy's statements: the account, administrators, users, their grants, no plain HTTP."""
    administrator = f"arn:aws:iam::{ACCOUNT}:role/admin"
    for_services = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    plain = {"Bool": {"aws:SecureTransport": "false"}}
    return [
        _statement("kms:*", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
        _statement(["kms:Create*", "kms:Put*", "kms:Schedule*"], Principal={"AWS": administrator}),
        _statement(_USE, Principal={"AWS": [_USER.arn, administrator]}, Condition=_VIA_S3),
        _statement(["kms:CreateGrant", "kms:ListGrants"], Principal={"AWS": _USER.arn}, Condition=for_services),
        _statement("kms:*", effect="Deny", Principal="*", Condition=plain),
    ]


def _full(make: Callable[[int], dict[str, Any]]) -> Policy:
    """Return a key policy as long as AWS takes it, with a statement about the caller at its end."""
    statements: list[dict[str, Any]] = []
    size = len(json.dumps(_document([_last(make)])))
    while size + len(json.dumps(make(len(statements)))) + 2 <= SIZE_LIMITS[PolicyKind.KEY]:
        size += len(json.dumps(make(len(statements)))) + 2
        statements.append(make(len(statements)))
    return _policy(PolicyKind.KEY, *statements, _last(make))


def _last(make: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    if make is _other:
        return make(0)
    return _statement(_USE, Principal={"AWS": _USER.arn}, Condition=_VIA_S3)


def _by_user(number: int) -> dict[str, Any]:
    return _statement(_USE, Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/user{number}"}, Condition=_VIA_S3)


def _by_condition(number: int) -> dict[str, Any]:
    """Return a statement that names everyone, so that only its condition tells whom it is for."""
    condition = {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/team{number}-*"}}
    return _statement("kms:Decrypt", Principal="*", Condition=condition)


def _other(number: int) -> dict[str, Any]:
    return _statement("kms:Decrypt", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/user{number}"})


def _statement(action: Any, resource: str = "*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def _document(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}


def _policy(kind: PolicyKind, *statements: dict[str, Any]) -> Policy:
    return parse_policy(json.dumps(_document(list(statements))), kind)
