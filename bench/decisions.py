"""What a decision about a key costs: policies compiled, the question asked anew each time, as a request does it.

The condition keys are put together by the product's own functions, of a user's request that S3 forwards.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from bench.measure import Row
from bench.primitives import median
from fuin.access import request_keys
from fuin.access.decide import decide_key
from fuin.access.kinds import SIZE_LIMITS
from fuin.access.policy import Policy, PolicyKind, parse_policy
from fuin.access.principal import Principal
from fuin.access.question import Question
from fuin.access.resources.key import KeyResource
from fuin.gate.call import Call
from fuin.kms.reach import rights
from fuin.kms.reach.use import Use
from fuin.store.kms.keys import Key

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.gate.services import Services

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
USER = f"arn:aws:iam::{ACCOUNT}:user/"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
ANN = Principal("user", f"{USER}ann", ACCOUNT, "AIDAANN", "ann")
KEY_ROW = Key(
    KEY[-36:], ACCOUNT, "us-east-1", "Enabled", "", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS", "CUSTOMER", "",
    multi_region=False, created=0.0, deletion_date=None, policy="", current_material=bytes(32),
    tags=(("team", "shop"),),
)  # fmt: skip
CALL = Call(
    cast("Services", None), "", "s3", "GetObject", ANN, "AKIDANN", "us-east-1", 1.8e9, "203.0.113.9", secure=True,
    headers={b"user-agent": b"Boto3/1.44.5"}, via="s3.us-east-1.amazonaws.com",
)  # fmt: skip
FACTS = partial(rights.add_use, Use("kms:Decrypt"), {"App": "shop", "tenant": "1"})
CONTEXT = partial(request_keys.add, CALL, KeyResource(KEY, ACCOUNT, "", KEY_ROW), FACTS)
APP = "kms:EncryptionContext:App"
USE = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"]


def rows() -> list[Row]:
    """Return a row for each shape of key policy."""
    own = policy(PolicyKind.IDENTITY, [{"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": "*"}])
    return [
        Row(
            "fuin",
            f"decision, {what}, {len(key.statements)} statements",
            cpu_us=median(partial(decide, key, own)),
        )
        for what, key in policies().items()
    ]


def decide(key_policy: Policy, own: Policy) -> bool:
    """Decide about one request of Ann's."""
    return decide_key(Question(ANN, "kms:Decrypt", KEY, CONTEXT), ACCOUNT, key_policy, (own,)).allowed


def policies() -> dict[str, Policy]:
    """Return a typical key policy, with and without conditions that matter, and some as long as AWS takes."""
    typical = [
        allow("kms:*", ROOT, Sid="Enable IAM User Permissions"),
        allow(["kms:Create*", "kms:Describe*", "kms:Put*"], {"AWS": f"{USER}admin"}),
        allow(USE, {"AWS": [f"{USER}bob", f"{USER}ann"]}),
        allow("kms:CreateGrant", {"AWS": f"{USER}ann"}, Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}}),
    ]
    insecure = allow("kms:*", "*", Effect="Deny", Condition={"Bool": {"aws:SecureTransport": "false"}})
    through_s3 = allow(USE, {"AWS": f"{USER}ann"}, Condition={"StringLike": {"kms:ViaService": "s3.*.amazonaws.com"}})
    return {
        "typical key policy": policy(PolicyKind.KEY, [*typical, allow("kms:*", {"AWS": "111122223333"})]),
        "typical, one condition": policy(PolicyKind.KEY, [*typical, insecure]),
        "typical, two conditions": policy(PolicyKind.KEY, [*typical[:2], typical[3], through_s3, insecure]),
        "longest: a statement a team": longest(
            lambda n: allow(
                USE, {"AWS": [f"{USER}team{n}/bob", f"{USER}team{n}/eve"]}, Condition={"StringEquals": {APP: f"{n}"}}
            )
        ),
        "longest: a statement an application": longest(
            lambda n: allow(USE, "*", Condition={"StringEquals": {APP: f"{n}"}})
        ),
        "longest: a pattern a role": longest(
            lambda n: allow(USE, "*", Condition={"ArnLike": {"aws:PrincipalArn": f"{ROLE}r{n}-*"}})
        ),
        "longest: a Deny an account": longest(lambda n: allow("kms:*", {"AWS": f"{111122220000 + n}"}, Effect="Deny")),
        "longest: one statement of patterns": policy(
            PolicyKind.KEY, [allow(USE, "*", Condition={"StringLike": {APP: [f"app{n}*" for n in range(2500)]}})]
        ),
    }


def allow(action: str | list[str], whom: Any, **members: Any) -> dict[str, Any]:
    """Return a statement of a key policy."""
    return {"Effect": "Allow", "Principal": whom, "Action": action, "Resource": "*", **members}


def longest(make: Callable[[int], dict[str, Any]]) -> Policy:
    """Return the key policy of as many statements as AWS takes, and one that lets Ann in."""
    statements = [allow("kms:*", ROOT)]
    size = 400
    while size < SIZE_LIMITS[PolicyKind.KEY]:
        statements.append(make(len(statements)))
        size += len(json.dumps(statements[-1])) + 2
    return policy(PolicyKind.KEY, statements[:-1])


def policy(kind: PolicyKind, statements: list[dict[str, Any]]) -> Policy:
    """Return a compiled policy."""
    return parse_policy(json.dumps({"Version": "2012-10-17", "Statement": statements}), kind)
