"""Roles and temporary credentials for tests: a role that trusts somebody, and clients with a session's credentials."""

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.formats import session_token
from tests.support.place import ACCOUNT, Place, error_of
from tests.support.server import User

ALL_OF_STS = ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"]


def trust(principal: object, actions: Sequence[str] = ("sts:AssumeRole",), **more: Any) -> dict[str, Any]:
    """Return a trust policy for an AWS principal (an ARN, an account, several)."""
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": list(actions), **more}
    return {"Version": "2012-10-17", "Statement": statement}


def allow(action: object, resource: object = "*", **more: Any) -> dict[str, Any]:
    """Return an identity or session policy."""
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": statement}


def user_arn(user: User, account: str = ACCOUNT) -> str:
    """Return a user's ARN."""
    return f"arn:aws:iam::{account}:user/{user.name}"


@dataclass(frozen=True)
class Role:
    """A role of the first account."""

    name: str
    arn: str
    id: str


def new_role(
    place: Place, trust_policy: Mapping[str, Any], policy: Mapping[str, Any] | None = None, **more: Any
) -> Role:
    """Make a role with a trust policy and an inline policy."""
    iam = place.service("iam")
    name = f"role-{secrets.token_hex(4)}"
    made = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust_policy), **more)["Role"]
    if policy is not None:
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
    return Role(name, made["Arn"], made["RoleId"])


@dataclass(frozen=True)
class Session:
    """Temporary credentials, as a user that clients sign as and the token beside it; `answer` is all that STS said."""

    user: User
    token: str
    answer: Mapping[str, Any]

    def client(self, place: Place, service: str) -> Any:
        """Return a client with these credentials."""
        return place.service(service, self.user, token=self.token)


def session_of(answer: Mapping[str, Any]) -> Session:
    """Return the session of an answer of STS."""
    keys = answer["Credentials"]
    return Session(User("session", keys["AccessKeyId"], keys["SecretAccessKey"]), keys["SessionToken"], answer)


def assume(place: Place, role: Role, who: User | Session, **more: Any) -> Session:
    """Assume a role."""
    sts = who.client(place, "sts") if isinstance(who, Session) else place.service("sts", who)
    return session_of(sts.assume_role(**{"RoleArn": role.arn, "RoleSessionName": "night", **more}))


def refused(call: Any, *args: Any, **more: Any) -> tuple[int, str, str]:
    """Call what must be refused; return status, code and message."""
    with pytest.raises(ClientError) as caught:
        call(*args, **more)
    return error_of(caught.value)


def flipped(token: str, at: int) -> str:
    """Return a token with one bit changed."""
    raw = bytearray(session_token.from_text(token))
    raw[at] ^= 1
    return session_token.to_text(bytes(raw))
