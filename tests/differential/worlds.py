"""Random questions with all the policies that decide about them, in the form of both evaluators."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar

from fuin.access.decide import Decision, Limits, decide_bucket, decide_identity, decide_key, decide_role
from fuin.access.policy import Policy, PolicyKind, parse_policy
from fuin.access.principal import ANONYMOUS, Principal
from fuin.access.question import Question
from tests.access.builders import (
    ACCOUNT,
    ANN,
    ANN_ARN,
    APP,
    BOT,
    BOT_ARN,
    BOT_SESSION_ARN,
    EVE,
    EVE_ARN,
    KEY,
    OBJECT,
    OTHER,
    OTHER_ROOT,
    ROLE_ARN,
    ROOT,
    ROOT_ARN,
    SERVICE,
    SESSION_ARN,
)

T = TypeVar("T")
Statements = list[dict[str, Any]]
Context = dict[str, str | tuple[str, ...]]

PRINCIPALS = (ANN, ANN, APP, APP, EVE, BOT, ROOT, OTHER_ROOT, SERVICE, ANONYMOUS)
# room: (action, resource, the keys that AWS brings to it besides the global ones)
ASKED = (
    ("key", "kms:Decrypt", KEY, ("kms:ViaService", "kms:EncryptionContextKeys")),
    ("key", "kms:GenerateDataKey", KEY, ("kms:ViaService", "kms:KeySpec")),
    ("key", "kms:CreateGrant", KEY, ("kms:GrantOperations", "kms:GrantIsForAWSResource", "kms:GranteePrincipal")),
    ("key", "kms:ScheduleKeyDeletion", KEY, ("kms:ScheduleKeyDeletionPendingWindowInDays", "kms:KeySpec")),
    ("key", "kms:TagResource", KEY, ("aws:TagKeys", "aws:RequestTag/dept", "kms:KeyUsage")),
    ("bucket", "s3:GetObject", OBJECT, ("s3:authType",)),
    ("bucket", "s3:PutObject", OBJECT, ("s3:x-amz-server-side-encryption", "s3:authType")),
    ("bucket", "s3:ListBucket", "arn:aws:s3:::bucket", ("s3:prefix", "s3:max-keys")),
    ("identity", "kms:ListKeys", "*", ()),
    ("identity", "kms:CreateKey", "*", ("aws:TagKeys", "kms:KeySpec", "kms:BypassPolicyLockoutSafetyCheck")),
    ("role", "sts:AssumeRole", ROLE_ARN, ("sts:ExternalId", "sts:RoleSessionName")),
)
_TEXTS = ("a", "A", "b", "dev", "prod", "s3.us-east-1.amazonaws.com", "SYMMETRIC_DEFAULT", "x y", "")
_NUMBERS = ("7", "7.0", "10", "30", "-1", "007")
_DATES = ("2026-01-01T00:00:00Z", "2026-06-30T12:00:00Z", "2027-01-01")
_ADDRESSES = ("10.1.2.3", "192.0.2.7", "2001:db8::1")
_NETWORKS = ("10.0.0.0/8", "192.0.2.0/24", "192.0.2.7", "2001:db8::/32", "0.0.0.0/0", "::/0")
_ARNS = (ANN_ARN, ROLE_ARN, EVE_ARN, "arn:aws:s3:::bucket", "arn:aws:lambda:us-east-1:123456789012:function:f")
_FLAGS = ("true", "false")
# key: (kind of its values, whether it has several)
KEYS: dict[str, tuple[str, bool]] = {
    "aws:SourceIp": ("address", False), "aws:SecureTransport": ("flag", False), "aws:CurrentTime": ("date", False),
    "aws:RequestedRegion": ("text", False), "aws:SourceArn": ("arn", False),
    "aws:MultiFactorAuthAge": ("number", False),
    "aws:PrincipalTag/dept": ("text", False), "aws:CalledVia": ("text", True), "aws:TagKeys": ("text", True),
    "aws:RequestTag/dept": ("text", False), "kms:ViaService": ("text", False),
    "kms:EncryptionContextKeys": ("text", True),
    "kms:KeySpec": ("text", False), "kms:KeyUsage": ("text", False), "kms:GrantOperations": ("text", True),
    "kms:GrantIsForAWSResource": ("flag", False), "kms:GranteePrincipal": ("arn", False),
    "kms:ScheduleKeyDeletionPendingWindowInDays": ("number", False),
    "kms:BypassPolicyLockoutSafetyCheck": ("flag", False), "s3:authType": ("text", False),
    "s3:x-amz-server-side-encryption": ("text", False), "s3:prefix": ("text", False), "s3:max-keys": ("number", False),
    "sts:ExternalId": ("text", False), "sts:RoleSessionName": ("text", False),
}  # fmt: skip
# The other evaluator's table is older than AWS's reference, which has kms:CallerAccount for these as well.
_WITHOUT_CALLER = frozenset({"kms:GenerateRandom", "kms:ListAliases", "kms:ListKeys"})
_GLOBAL = tuple(key for key in KEYS if key.startswith("aws:") and key not in {"aws:TagKeys", "aws:RequestTag/dept"})
_VALUES: dict[str, tuple[str, ...]] = {
    "text": _TEXTS, "number": _NUMBERS, "date": _DATES, "address": _ADDRESSES, "arn": _ARNS, "flag": _FLAGS,
}  # fmt: skip
_OPERATORS: dict[str, tuple[str, ...]] = {
    "text": (
        "StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike",
        "StringNotLike",
    ),
    "number": (
        "NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan",
        "NumericGreaterThanEquals",
    ),
    "date": (
        "DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals",
    ),
    "address": ("IpAddress", "NotIpAddress"),
    "arn": ("ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike", "StringEquals", "StringLike"),
    "flag": ("Bool", "StringEquals"),
}  # fmt: skip
_WILDCARDS = ("*", "a*", "?", "*.amazonaws.com", "s3.*.amazonaws.com", "${*}", "p?od")
_ARN_PATTERNS = ("arn:aws:iam::*:user/*", "arn:aws:s3:*:*:buck?t")
_VARIABLES = ("${aws:username}", "${aws:PrincipalTag/dept}", "${aws:PrincipalTag/dept, 'dev'}", "${aws:userid}")
_RESOURCES = {
    "key": (KEY, "arn:aws:kms:*:*:key/*", f"arn:aws:kms:us-east-1:{ACCOUNT}:*", "arn:aws:kms:us-east-1:*:key/1234*"),
    "bucket": (
        "arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*", OBJECT, "arn:aws:s3:::other/*", "arn:aws:s3:::bu?ket/*",
        "arn:aws:s3:::bucket/${aws:username}/*", "arn:aws:s3:::bucket/${aws:PrincipalTag/dept, 'a'}/*",
    ),
    "identity": ("arn:aws:kms:*:*:key/*",),
    "role": (ROLE_ARN, f"arn:aws:iam::{ACCOUNT}:role/*", "arn:aws:iam::*:role/bot"),
}  # fmt: skip
_GRANTEES: tuple[Any, ...] = (
    "*", {"AWS": "*"}, {"AWS": ROOT_ARN}, {"AWS": ACCOUNT}, {"AWS": OTHER}, {"AWS": ANN_ARN}, {"AWS": ROLE_ARN},
    {"AWS": SESSION_ARN}, {"AWS": [EVE_ARN, ANN_ARN]}, {"AWS": [BOT_ARN]}, {"AWS": BOT_SESSION_ARN},
    {"Service": "s3.amazonaws.com"}, {"AWS": ROLE_ARN, "Service": "s3.amazonaws.com"},
)  # fmt: skip
_SPARED: tuple[Any, ...] = (
    {"AWS": [ANN_ARN, ROOT_ARN]}, {"AWS": ANN_ARN}, {"AWS": [ROOT_ARN]}, {"AWS": [ROLE_ARN, SESSION_ARN, ROOT_ARN]},
    {"AWS": [EVE_ARN, f"arn:aws:iam::{OTHER}:root"]}, {"Service": "s3.amazonaws.com"},
)  # fmt: skip
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


@dataclass(frozen=True)
class World:
    """A question, and every policy in play as a document; limits and the resource's policy may be absent (None)."""

    room: str
    principal: Principal
    action: str
    resource: str
    context: Context
    naming: dict[str, Any] | None
    own: tuple[dict[str, Any], ...]
    boundary: dict[str, Any] | None
    session: dict[str, Any] | None

    def decided(self) -> Decision:
        """Return Fuin's decision."""
        asked = Question(self.principal, self.action, self.resource, self.context)
        own = tuple(_compiled(each, PolicyKind.IDENTITY) for each in self.own)
        session = () if self.session is None else (_compiled(self.session, PolicyKind.SESSION),)
        limits = Limits(None if self.boundary is None else _compiled(self.boundary, PolicyKind.BOUNDARY), session)
        if self.room == "identity" or self.naming is None:
            if self.room == "bucket":
                return decide_bucket(asked, ACCOUNT, None, own, limits)
            return decide_identity(asked, ACCOUNT, own, limits)
        if self.room == "key":
            return decide_key(asked, ACCOUNT, _compiled(self.naming, PolicyKind.KEY), own, limits=limits)
        if self.room == "bucket":
            return decide_bucket(asked, ACCOUNT, _compiled(self.naming, PolicyKind.BUCKET), own, limits)
        return decide_role(asked, ACCOUNT, _compiled(self.naming, PolicyKind.TRUST), own, limits)

    def simulation(self) -> str:
        """Return the same as a line for the other evaluator; the facts of the principal are given to it."""
        asked = Question(self.principal, self.action, self.resource, self.context)
        anonymous = self.principal is ANONYMOUS
        own = (_EVERYTHING,) if self.principal.kind == "root" else self.own  # the other knows nothing of roots
        simulation: dict[str, Any] = {
            "request": {
                "principal": {"type": "Anonymous"} if anonymous else self.principal.arn,
                "action": self.action,
                "resource": {"resource": self.resource, "accountId": ACCOUNT},
                "contextVariables": _told(asked),
            },
            "identityPolicies": [{"name": str(n), "policy": each} for n, each in enumerate(own)],
            "serviceControlPolicies": [],
            "resourceControlPolicies": [],
        }
        if self.naming is not None:
            simulation["resourcePolicy"] = self.naming
        if self.boundary is not None:
            simulation["permissionBoundaryPolicies"] = [{"name": "boundary", "policy": self.boundary}]
        if self.session is not None:
            simulation["sessionPolicy"] = self.session
        return json.dumps(simulation)

    def documents(self) -> list[dict[str, Any]]:
        """Return every policy in play."""
        limits = [each for each in (self.naming, self.boundary, self.session) if each is not None]
        return [*self.own, *limits]


def _compiled(document: dict[str, Any], kind: PolicyKind) -> Policy:
    return parse_policy(json.dumps(document), kind)


def _told(asked: Question) -> dict[str, str | list[str]]:
    """Return the facts as the other evaluator takes them; it finds none of the principal by itself."""
    several = {key.lower() for key, (_, many) in KEYS.items() if many}
    facts = dict(asked.facts())
    if asked.action in _WITHOUT_CALLER:
        facts.pop("kms:calleraccount", None)
    return {key: list(values) if key in several else values[0] for key, values in facts.items() if values}


class Maker:
    """Makes worlds from a seed; the same seed gives the same worlds."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def world(self) -> World:
        """Return the next world."""
        room, action, resource, keys = self._one(ASKED)
        principal = self._principal(room)
        mine = principal.kind in ("user", "role")
        keys = (*keys, *_GLOBAL)
        naming = None
        if room in ("key", "role") or (room == "bucket" and self._chance(0.8)):
            naming = _document([self._statement(room, action, keys, naming=True) for _ in range(self._count(4))])
        own = tuple(self._policy(room, action, keys) for _ in range(self._random.randrange(3))) if mine else ()
        boundary = self._policy(room, action, keys) if mine and self._chance(0.35) else None
        session = self._policy(room, action, keys) if principal.kind == "role" and self._chance(0.35) else None
        return World(room, principal, action, resource, self._context(keys), naming, own, boundary, session)

    def _principal(self, room: str) -> Principal:
        known = [each for each in PRINCIPALS if room == "bucket" or each is not ANONYMOUS]
        principal = self._one(known)
        if principal.kind in ("user", "role") and self._chance(0.6):
            return replace(principal, tags=(("dept", self._one(_TEXTS[:-1])),))
        return principal

    def _context(self, keys: Sequence[str]) -> Context:
        context: Context = {}
        for key in keys:
            kind, many = KEYS[key]
            if key == "aws:PrincipalTag/dept" or not self._chance(0.7):
                continue
            choices = [value for value in _VALUES[kind] if value]  # see the page on differences
            values = tuple(dict.fromkeys(self._one(choices) for _ in range(self._count(3))))
            context[key] = values if many else values[0]
        return context

    def _policy(self, room: str, action: str, keys: Sequence[str]) -> dict[str, Any]:
        return _document([self._statement(room, action, keys, naming=False) for _ in range(self._count(3))])

    def _statement(self, room: str, action: str, keys: Sequence[str], *, naming: bool) -> dict[str, Any]:
        effect = "Deny" if self._chance(0.12) else "Allow"
        statement: dict[str, Any] = {"Effect": effect}
        if naming:
            spared = effect == "Deny" and room != "role" and self._chance(0.3)
            statement |= {"NotPrincipal": self._one(_SPARED)} if spared else {"Principal": self._one(_GRANTEES)}
        element = "NotAction" if self._chance(0.1) and room != "role" else "Action"
        statement[element] = self._actions(room, action, naming=naming)
        if not (naming and room == "role"):
            element = "NotResource" if self._chance(0.1) and not (naming and room == "key") else "Resource"
            everything = room == "identity" or self._chance(0.5) or (naming and room == "key")
            statement[element] = "*" if everything else self._several(_RESOURCES[room])
        if self._chance(0.35):
            statement["Condition"] = self._conditions(keys)
        return statement

    def _actions(self, room: str, action: str, *, naming: bool) -> Any:
        if room == "role" and naming:
            return self._one((action, action, "sts:TagSession"))
        service, _, name = action.partition(":")
        choices = (action, f"{service}:*", f"{service}:{name[:4]}*", f"{service}:{name.lower()}", f"{service}:Nothing*")
        return self._several((*choices, f"{service}:?{name[1:]}", *(() if naming else ("*",))))

    def _conditions(self, keys: Sequence[str]) -> dict[str, Any]:
        conditions: dict[str, dict[str, Any]] = {}
        for _ in range(self._count(2)):
            key = self._one(keys)
            kind, many = KEYS[key]
            if self._chance(0.1):
                conditions.setdefault("Null", {})[key] = self._one(_FLAGS)
                continue
            operator = self._one(_OPERATORS[kind])
            if many or self._chance(0.05):
                operator = self._one(("ForAllValues:", "ForAnyValue:")) + operator
            if self._chance(0.2):
                operator += "IfExists"
            conditions.setdefault(operator, {})[key] = self._values(kind, operator)
        return conditions

    def _values(self, kind: str, operator: str) -> Any:
        choices = _NETWORKS if kind == "address" else _VALUES[kind]
        if "Like" in operator and kind in ("text", "arn"):
            choices = (
                *choices,
                *(_WILDCARDS if kind == "text" else ("arn:aws:iam::*:user/*", "arn:aws:s3:*:*:buck?t")),
            )
        if kind == "text" and "String" in operator:
            choices = (*choices, *_VARIABLES)
        return self._several(choices)

    def _several(self, choices: Sequence[str]) -> Any:
        chosen = sorted({self._one(choices) for _ in range(self._count(2))})
        return chosen[0] if len(chosen) == 1 and self._chance(0.7) else chosen

    def _one(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)

    def _count(self, most: int) -> int:
        return self._random.randint(1, most)

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability


def _document(statements: Statements) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": statements}
