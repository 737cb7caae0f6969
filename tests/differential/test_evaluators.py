"""Decisions beside those of an independent evaluator, on random policies and requests."""

import json
import os
from typing import Any

import pytest

from fuin.access.principal import ANONYMOUS, Principal
from tests.access.builders import (
    ACCOUNT,
    ANN,
    APP,
    KEY,
    OBJECT,
    OTHER,
    ROOT_ARN,
    SERVICE,
    SESSION_ARN,
    statement,
)
from tests.differential import evaluator
from tests.differential.worlds import Maker, Statements, World

_LONG = os.environ.get("FUIN_LONG") == "1"
_SEEDS, _PAIRS = (range(5), 10_000) if _LONG else (range(1), 600)

pytestmark = pytest.mark.skipif(not evaluator.is_installed(), reason=evaluator.MISSING)


@pytest.mark.parametrize("seed", _SEEDS)
def test_both_evaluators_agree(seed: int) -> None:
    """Two programs of different origin decide alike; the pairs are many enough to be allowed, refused and denied."""
    maker = Maker(seed)
    worlds = [maker.world() for _ in range(_PAIRS)]
    decided = [world.decided() for world in worlds]
    found = evaluator.disagreements(worlds, [decision.allowed for decision in decided])
    assert not found, f"{len(found)} of {_PAIRS} pairs, such as {_told(found[0])}"
    allowed = sum(decision.allowed for decision in decided)
    assert _PAIRS / 5 < allowed < _PAIRS / 2
    sentences = "\n".join(decision.sentence for decision in decided)
    for cause in ("identity-based policy", "resource-based policy", "permissions boundary", "session policy"):
        assert f"deny in a {cause}" in sentences or f"deny in an {cause}" in sentences
        assert f"because no {cause} allows" in sentences


def test_a_wrong_decision_is_found() -> None:
    """The comparison itself sees decisions that are turned round, in both directions."""
    maker = Maker(1)
    worlds = [maker.world() for _ in range(40)]
    turned = [not world.decided().allowed for world in worlds]
    found = evaluator.disagreements(worlds, turned)
    assert len(found) == len(worlds)
    assert {one.here for one in found} == {True, False}


def _told(one: evaluator.Disagreement) -> str:
    """Return a disagreement so that it can be settled by hand: everything that decided, as JSON."""
    world = one.world
    asked = {"principal": world.principal.arn, "tags": world.principal.tags, "action": world.action}
    policies = {"resource": world.naming, "own": world.own, "boundary": world.boundary, "session": world.session}
    return json.dumps({"here": one.here, "there": one.there, **asked, "context": world.context, **policies}, indent=1)


def _world(
    who: Principal = ANN,
    naming: Statements | None = None,
    own: Statements | None = None,
    session: Statements | None = None,
    **context: str | tuple[str, ...],
) -> World:
    """Return a world about an object; names of condition keys have a double underscore for their colon."""

    def document(statements: Statements) -> dict[str, object]:
        return {"Version": "2012-10-17", "Statement": statements}

    return World(
        "bucket", who, "s3:GetObject", OBJECT, {key.replace("__", ":"): value for key, value in context.items()},
        None if naming is None else document(naming), () if own is None else (document(own),), None,
        None if session is None else document(session),
    )  # fmt: skip


def _when(operator: str, key: str, value: str) -> dict[str, Any]:
    return statement("s3:*", Condition={operator: {key: value}})


_ALLOW, _ELSE = statement("s3:*"), statement("sqs:*")
_SPARING = {"Effect": "Deny", "NotPrincipal": {"AWS": ROOT_ARN}, "Action": "s3:*", "Resource": "*"}
_MINE = {"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::bucket/${aws:username}/*"}


@pytest.mark.parametrize(
    ("difference", "world", "here", "there"),
    [
        (
            "a session policy limits what is given to the session itself",
            _world(APP, [statement("s3:*", Principal={"AWS": SESSION_ARN})], [_ALLOW], [_ELSE]), True, False,
        ),
        (
            "the network of all addresses holds none",
            _world(own=[_when("IpAddress", "aws:SourceIp", "0.0.0.0/0")], aws__SourceIp="10.1.2.3"),
            True, False,
        ),
        (
            "an IPv6 address is not apart from an IPv4 one",
            _world(own=[_when("NotIpAddress", "aws:SourceIp", "192.0.2.7")], aws__SourceIp="2001:db8::1"),
            True, False,
        ),
        (
            "NotPrincipal with an account spares everyone of it",
            _world(naming=[_SPARING], own=[_ALLOW]), False, True,
        ),
        ("a lost variable in NotResource makes the statement void", _world(APP, [_ALLOW | {"Principal": "*"}], [_MINE]),
         False, True),
        (
            "a lost variable under a negated operator makes the condition fail",
            _world(
                APP, None, [_when("StringNotEquals", "aws:RequestedRegion", "${aws:username}")],
                aws__RequestedRegion="a",
            ),
            True, False,
        ),
    ],
)  # fmt: skip
def test_known_differences(difference: str, world: World, here: bool, there: bool) -> None:
    """Each difference of docs/reference/evaluation-differences.md is one, and is accounted for."""
    assert world.decided().allowed is here, difference
    assert (evaluator.asked([world]) == ["Allowed"]) is there, difference
    assert not evaluator.disagreements([world], [here]), difference


def test_keys_have_no_anonymous_requests() -> None:
    """KMS refuses requests without a signature whatever the key policy says; the other evaluator goes by the policy."""
    open_to_all = {"Version": "2012-10-17", "Statement": [statement("kms:*", Principal="*")]}
    world = World("key", ANONYMOUS, "kms:Decrypt", KEY, {}, open_to_all, (), None, None)
    assert not world.decided().allowed
    assert evaluator.asked([world]) == ["Allowed"]


def test_accounts_and_services_are_told_apart() -> None:
    """The worlds are about two accounts, roots, users, sessions, services and nobody."""
    maker = Maker(0)
    kinds = {(world.principal.kind, world.principal.account) for world in (maker.world() for _ in range(300))}
    assert {("user", ACCOUNT), ("user", OTHER), ("role", ACCOUNT), ("role", OTHER), ("root", OTHER)} <= kinds
    assert {(SERVICE.kind, ""), (ANONYMOUS.kind, "")} <= kinds
