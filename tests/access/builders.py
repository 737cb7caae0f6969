"""Small makers of policies, principals and questions for the tests of this room."""

import json
from typing import Any

from fuin.access.decide import Limits
from fuin.access.policy import Policy, PolicyKind, parse_policy
from fuin.access.principal import Principal, account_root
from fuin.access.question import Question

ACCOUNT = "123456789012"
OTHER = "111122223333"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OBJECT = "arn:aws:s3:::bucket/a/b.txt"
ROOT_ARN = f"arn:aws:iam::{ACCOUNT}:root"
ANN_ARN = f"arn:aws:iam::{ACCOUNT}:user/ann"
EVE_ARN = f"arn:aws:iam::{OTHER}:user/eve"

ROOT = account_root(ACCOUNT)
OTHER_ROOT = account_root(OTHER)
ANN = Principal("user", ANN_ARN, ACCOUNT, "AIDAANN", "ann")
EVE = Principal("user", EVE_ARN, OTHER, "AIDAEVE", "eve")  # a user of another account
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/app"
SESSION_ARN = f"arn:aws:sts::{ACCOUNT}:assumed-role/app/night"
APP = Principal("role", SESSION_ARN, ACCOUNT, "AROAAPP:night", "app", ROLE_ARN, session="night")
BOT_ARN = f"arn:aws:iam::{OTHER}:role/bot"
BOT_SESSION_ARN = f"arn:aws:sts::{OTHER}:assumed-role/bot/day"
BOT = Principal("role", BOT_SESSION_ARN, OTHER, "AROABOT:day", "bot", BOT_ARN, session="day")  # of another account
SERVICE = Principal("service", "s3.amazonaws.com", "", "s3.amazonaws.com")


def statement(action: Any, resource: Any = "*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    """Return a statement; `more` adds Sid, Principal, Condition."""
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(kind: PolicyKind, *statements: dict[str, Any]) -> Policy:
    """Return a compiled policy of these statements."""
    return parse_policy(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}), kind)


def identity(*statements: dict[str, Any]) -> tuple[Policy, ...]:
    """Return a user's only policy, as the deciders take it."""
    return (policy(PolicyKind.IDENTITY, *statements),)


def limits(boundary: dict[str, Any] | None = None, *session: dict[str, Any]) -> Limits:
    """Return the limits of a boundary of one statement, and of one session policy of these."""
    return Limits(
        None if boundary is None else policy(PolicyKind.BOUNDARY, boundary),
        (policy(PolicyKind.SESSION, *session),) if session else (),
    )


def trust_policy(*statements: dict[str, Any]) -> Policy:
    """Return a role's trust policy; its statements have no Resource."""
    return policy(PolicyKind.TRUST, *({k: v for k, v in one.items() if k != "Resource"} for one in statements))


def key_policy(*statements: dict[str, Any]) -> Policy:
    """Return a key policy."""
    return policy(PolicyKind.KEY, *statements)


def bucket_policy(*statements: dict[str, Any]) -> Policy:
    """Return a bucket policy."""
    return policy(PolicyKind.BUCKET, *statements)


def ask(
    principal: Principal = ANN, action: str = "kms:GenerateDataKey", resource: str = KEY, **context: str
) -> Question:
    """Return a question; the names of condition keys have a double underscore for their colon."""
    return Question(principal, action, resource, {key.replace("__", ":"): value for key, value in context.items()})


DELEGATING = key_policy(statement("kms:*", Principal={"AWS": ROOT_ARN}, Sid="Enable IAM User Permissions"))
