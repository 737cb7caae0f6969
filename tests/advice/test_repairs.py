"""Changes that `fuin explain` proposes: enough when they are made, and nobody gets anything else by them."""

import json
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fuin.access.policy import PolicyKind
from fuin.access.principal import Principal
from fuin.access.question import Question
from fuin.access.resources.bucket import BucketResource
from fuin.access.resources.key import KeyResource
from fuin.advice.case import Case, LabelledPolicy
from fuin.advice.repairs import Change, smallest_changes
from tests.access.builders import (
    ACCOUNT,
    ANN,
    ANN_ARN,
    APP,
    EVE,
    EVE_ARN,
    KEY,
    OBJECT,
    ROLE_ARN,
    ROOT,
    ROOT_ARN,
    SERVICE,
    ask,
    statement,
)

BOB = Principal("user", f"arn:aws:iam::{ACCOUNT}:user/bob", ACCOUNT, "AIDABOB", "bob")
OTHER_KEY = KEY[:-1] + "0"
VIA = "s3.us-east-1.amazonaws.com"
THROUGH = {"StringEquals": {"kms:ViaService": VIA}}
_EMPTY = statement("none:None", "arn:aws:none:::none")
_WHOSE = {
    "ann": (ANN, ("ann's", "group's", "everybody's")), "bob": (BOB, ("bob's", "group's", "everybody's")),
    "eve": (EVE, ("eve's",)), "app": (APP, ("app's",)), "root": (ROOT, ()), "service": (SERVICE, ()),
}  # fmt: skip
_KINDS = {"group's": PolicyKind.GROUP, "everybody's": PolicyKind.MANAGED, "app's": PolicyKind.ROLE}


@dataclass(frozen=True)
class World:
    """Policies by their names: users', a group's and a managed one that Ann and Bob share, a role's, one of a key."""

    policies: dict[str, list[dict[str, Any]]]
    key: list[dict[str, Any]]

    def case(self, who: str) -> Case:
        """Return the case of the key for somebody."""
        _, own = _WHOSE[who]
        sheets = tuple(self._sheet(name, _KINDS.get(name, PolicyKind.IDENTITY)) for name in own)
        extra = f"new policy of {who}"
        if extra in self.policies:
            sheets += (self._sheet(extra, PolicyKind.IDENTITY),)
        return Case(KeyResource(KEY, ACCOUNT, None), who, _document("key policy", PolicyKind.KEY, self.key), sheets)

    def _sheet(self, name: str, kind: PolicyKind) -> LabelledPolicy:
        return _document(name, kind, self.policies.get(name, []))

    def may(self, who: str, action: str, key: str, via: str = "") -> bool:
        """Tell whether somebody may do something to a key; both keys have the same policy."""
        return self.case(who).decide(question(who, action, key, via)).allowed

    def allowed(self) -> set[tuple[str, str, str, str]]:
        """Return everything of a small panel that is allowed."""
        cases = {who: self.case(who) for who in _WHOSE}
        return {one for one in _PANEL if cases[one[0]].decide(question(*one)).allowed}

    def with_changes(self, way: tuple[Change, ...]) -> "World":
        """Return the world once somebody has made the changes."""
        policies = {name: list(statements) for name, statements in self.policies.items()}
        key = list(self.key)
        for change in sorted(way, key=lambda change: -change.index):
            statements = key if change.policy == "key policy" else policies.setdefault(change.policy, [])
            if change.index:
                statements[change.index - 1 : change.index] = [dict(change.statement)] if change.statement else []
            elif change.statement:
                statements.append(dict(change.statement))
        return World(policies, key)


def _document(name: str, kind: PolicyKind, statements: list[dict[str, Any]]) -> LabelledPolicy:
    inert = _EMPTY | ({"Principal": {"AWS": EVE_ARN}} if kind is PolicyKind.KEY else {})
    return LabelledPolicy(name, kind, json.dumps({"Version": "2012-10-17", "Statement": statements or [inert]}))


def question(who: str, action: str, key: str, via: str = "") -> Question:
    """Return a question, through S3 or not."""
    return ask(_WHOSE[who][0], action, key, **({"kms__ViaService": via} if via else {}))


_PANEL = [
    (who, action, key, via)
    for who in _WHOSE
    for action in ("kms:Decrypt", "kms:Encrypt", "kms:DescribeKey")
    for key in (KEY, OTHER_KEY)
    for via in ("", VIA)
]
_ACTIONS = st.sampled_from(["kms:Decrypt", "kms:Encrypt", ["kms:Encrypt", "kms:DescribeKey"], "s3:GetObject", "kms:D*"])
_WHOM = st.sampled_from([ANN_ARN, BOB.arn, ROOT_ARN, EVE_ARN, ROLE_ARN, [ANN_ARN, BOB.arn], "*"])


@st.composite
def _statements(draw: st.DrawFn, *, whom: bool = False) -> dict[str, Any]:
    made = statement(draw(_ACTIONS), draw(st.sampled_from(["*", KEY, OTHER_KEY, [KEY, OTHER_KEY]])))
    if draw(st.booleans()) and draw(st.booleans()):
        made["Effect"] = "Deny"
    if draw(st.booleans()) and draw(st.booleans()):
        made["Condition"] = THROUGH
    return made | ({"Principal": {"AWS": draw(_WHOM)}, "Resource": "*"} if whom else {})


_POLICY = st.lists(_statements(), max_size=2)
_WORLDS = st.builds(
    World,
    st.fixed_dictionaries(dict.fromkeys(("ann's", "group's", "everybody's", "app's", "eve's"), _POLICY)),
    st.lists(_statements(whom=True), max_size=3),
)


@settings(deadline=None, max_examples=150)
@given(world=_WORLDS, asked=st.sampled_from(_PANEL))
def test_changes_are_enough_and_give_nothing_else(world: World, asked: tuple[str, str, str, str]) -> None:
    """Whoever makes them is allowed what was refused, on this key; nobody else gets anything, nor on another key."""
    who, action, key, via = asked
    before = world.allowed()
    for way in smallest_changes(world.case(who), question(*asked)):
        if any(change.text.startswith("let the request") for change in way):
            assert all(change.statement is None for change in way if change.text.startswith("let the request"))
            continue
        after = world.with_changes(way)
        assert after.may(*asked), way
        if any(change.text.startswith("remove the Deny") for change in way):
            continue
        for other in after.allowed() - before:
            of_key = (key, KEY, OTHER_KEY) if any(change.policy == "key policy" for change in way) else (key,)
            assert other[:2] == (who, action), (way, other)
            assert other[2] in of_key  # a key policy is its key's alone; this panel has it for both
            assert via in ("", other[3]), (way, other)


def test_a_shared_policy_is_never_widened() -> None:
    """What several have, a group's policy, a managed one, a statement for two, or for more than this: not touched."""
    for shared in ("group's", "everybody's"):
        world = World({shared: [statement("kms:Encrypt", KEY)]}, [_named(ROOT_ARN, "kms:*")])
        (first, *_) = smallest_changes(world.case("ann"), question("ann", "kms:Decrypt", KEY))
        assert [change.policy for change in first] == ["ann's"]
    world = World({"ann's": [statement("kms:Encrypt", "*")]}, [_named([ANN_ARN, BOB.arn], "kms:Encrypt")])
    for way in smallest_changes(world.case("ann"), question("ann", "kms:Decrypt", KEY)):
        for change in way:
            assert change.index == 0
            assert change.statement is not None
            assert change.statement["Action"] == "kms:Decrypt"


def _named(whom: object, action: str) -> dict[str, Any]:
    return statement(action, Principal={"AWS": whom})


def test_an_objects_name_is_no_pattern() -> None:
    """A key with a star gives that object and no other; in a policy of the old version it cannot be said."""
    odd = "arn:aws:s3:::bucket/2*6/${aws:username}?"
    (change,) = smallest_changes(_bucket(), ask(ANN, "s3:GetObject", odd))[0]
    assert change.statement is not None
    assert change.statement["Resource"] == "arn:aws:s3:::bucket/2${*}6/${$}{aws:username}${?}"
    old = LabelledPolicy("own", PolicyKind.IDENTITY, json.dumps({"Statement": [statement("s3:GetObject", OBJECT)]}))
    ways = smallest_changes(replace(_bucket(), identity=(old,)), ask(ANN, "s3:GetObject", odd))
    assert {change.policy for way in ways for change in way} == {"new policy of user ann", "bucket policy"}


def _bucket() -> Case:
    return Case(BucketResource("arn:aws:s3:::bucket", ACCOUNT, None), "user ann")


def test_not_principal_denies_who_has_a_boundary() -> None:
    """The Deny that spares the caller by name does not, and is the one to be removed."""
    spares = {**statement("kms:*", effect="Deny"), "NotPrincipal": {"AWS": [ANN_ARN, ROOT_ARN]}}
    world = World({"ann's": [statement("kms:*")]}, [_named(ROOT_ARN, "kms:*"), spares])
    assert world.may("ann", "kms:Decrypt", KEY)
    boundary = _document("boundary", PolicyKind.BOUNDARY, [statement("kms:*")])
    bounded = replace(world.case("ann"), boundary=boundary)
    asked = question("ann", "kms:Decrypt", KEY)
    assert not bounded.decide(asked).allowed
    ((change,),) = smallest_changes(bounded, asked)
    assert change.text.startswith("remove the Deny in statement 2 of the key policy")
