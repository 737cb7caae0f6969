"""Laws that every decision obeys, whatever the policies say."""

from collections.abc import Callable
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from fuin.access.decide import UNLIMITED, Decision, Limits, decide_bucket, decide_identity, decide_key, decide_role
from fuin.access.policy import Policy, PolicyKind
from fuin.access.principal import ANONYMOUS
from fuin.access.question import Question
from tests.access.builders import (
    ACCOUNT,
    ANN,
    ANN_ARN,
    APP,
    BOT,
    BOT_ARN,
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
    policy,
    statement,
    trust_policy,
)

_CONDITIONS = st.sampled_from([
    {},
    {"StringEquals": {"kms:ViaService": "s3"}},
    {"StringNotEquals": {"kms:ViaService": "s3"}},
    {"StringLikeIfExists": {"kms:EncryptionContext:a": "x*"}},
    {"Bool": {"aws:SecureTransport": "true"}},
    {"StringNotEqualsIgnoreCase": {"aws:username": ["ANN", "bob"]}},
])  # fmt: skip
_ACTIONS = st.sampled_from(["*", "kms:*", "kms:Decrypt", "kms:GenerateDataKey*", "s3:*", "s3:GetObject"])
_RESOURCES = st.sampled_from(["*", KEY, "arn:aws:kms:*", "arn:aws:s3:::bucket/*", "arn:aws:s3:::other/*"])
_GRANTEES = st.sampled_from([
    "*", {"AWS": ROOT_ARN}, {"AWS": [ANN_ARN, EVE_ARN]}, {"AWS": OTHER}, {"Service": "s3.amazonaws.com"},
    {"AWS": [ROLE_ARN, BOT_ARN]}, {"AWS": SESSION_ARN},
])  # fmt: skip
_OWN = st.builds(
    lambda action, resource, effect, condition: statement(action, resource, effect, Condition=condition),
    _ACTIONS, _RESOURCES, st.sampled_from(["Allow", "Deny"]), _CONDITIONS,
)  # fmt: skip
_NAMING = st.builds(lambda item, grantees: {**item, "Principal": grantees}, _OWN, _GRANTEES)
_ASKS = st.builds(
    Question,
    st.sampled_from([ROOT, ANN, APP, BOT, EVE, OTHER_ROOT, SERVICE, ANONYMOUS]),
    st.sampled_from(["kms:Decrypt", "kms:GenerateDataKey", "s3:GetObject", "s3:PutObject"]),
    st.sampled_from([KEY, OBJECT]),
    st.dictionaries(
        st.sampled_from(["kms:ViaService", "kms:EncryptionContext:a", "aws:SecureTransport"]),
        st.sampled_from(["s3", "x", "true"]),
    ),
)
_Statements = list[dict[str, Any]]
_SIDES = ("naming", "own", "boundary", "session")


class _World(NamedTuple):
    """The statements of every policy in play; a boundary or session policy that is None is not there."""

    room: str
    naming: _Statements
    own: _Statements
    boundary: _Statements | None
    session: _Statements | None


_LIMIT = st.none() | st.lists(_OWN, min_size=1, max_size=3)
_WORLDS = st.builds(
    _World,
    st.sampled_from(["key", "bucket", "identity", "role"]),
    st.lists(_NAMING, min_size=1, max_size=4),
    st.lists(_OWN, max_size=4),
    _LIMIT,
    _LIMIT,
)


def _limits(world: _World) -> Limits:
    if world.boundary is None and world.session is None:
        return UNLIMITED
    return Limits(
        None if world.boundary is None else policy(PolicyKind.BOUNDARY, *world.boundary),
        () if world.session is None else (policy(PolicyKind.SESSION, *world.session),),
    )


def _decide(ask: Question, world: _World) -> Decision:
    mine = (policy(PolicyKind.IDENTITY, *world.own),) if world.own else ()
    limits = _limits(world)
    if world.room == "role":
        return _decide_role(ask, world, mine, limits)
    ask = Question(ask.principal, ask.action, ask.resource, ask.context)
    if world.room == "key":
        return decide_key(ask, ACCOUNT, policy(PolicyKind.KEY, *world.naming), mine, limits=limits)
    if world.room == "bucket":
        return decide_bucket(ask, ACCOUNT, policy(PolicyKind.BUCKET, *world.naming), mine, limits)
    return decide_identity(ask, ACCOUNT, mine, limits)


def _decide_role(ask: Question, world: _World, mine: tuple[Policy, ...], limits: Limits) -> Decision:
    """Decide about assuming a role; trust policies have no other actions than those of STS."""
    trust = [
        {**item, "Action": "sts:AssumeRole" if item["Action"].endswith("*") else "sts:TagSession"}
        for item in world.naming
    ]  # fmt: skip
    asked = Question(ask.principal, "sts:AssumeRole", ROLE_ARN, ask.context)
    return decide_role(asked, ACCOUNT, trust_policy(*trust), mine, limits)


def _each(world: _World, change: Callable[[_Statements], _Statements]) -> _World:
    """Change every list of statements that there is."""
    return _World(
        world.room, change(world.naming), change(world.own), world.boundary and change(world.boundary),
        world.session and change(world.session),
    )  # fmt: skip


def _with(world: _World, more: dict[str, Any], effect: str, side: str) -> _World:
    """Add a statement to a side of the world; a limit that is not there is not made by it."""
    added = {**more, "Effect": effect}
    own = {name: value for name, value in added.items() if name != "Principal"}
    match side:
        case "naming":
            return world._replace(naming=[*world.naming, added])
        case "own":
            return world._replace(own=[*world.own, own])
        case "boundary":
            return world._replace(boundary=world.boundary and [*world.boundary, own])
        case _:
            return world._replace(session=world.session and [*world.session, own])


@given(_ASKS, _WORLDS, _NAMING, st.sampled_from(_SIDES))
def test_adding_a_deny_never_allows(ask: Question, world: _World, more: dict[str, Any], side: str) -> None:
    """Whoever is refused stays refused when a Deny is added anywhere."""
    before, after = _decide(ask, world), _decide(ask, _with(world, more, "Deny", side))
    assert not after.allowed or before.allowed


@given(_ASKS, _WORLDS, _NAMING, st.sampled_from(_SIDES))
def test_adding_an_allow_never_refuses(ask: Question, world: _World, more: dict[str, Any], side: str) -> None:
    """Whoever is allowed stays allowed when an Allow is added anywhere."""
    before, after = _decide(ask, world), _decide(ask, _with(world, more, "Allow", side))
    assert after.allowed or not before.allowed


@given(_ASKS, _WORLDS, st.randoms(use_true_random=False))
def test_order_of_statements_does_not_matter(ask: Question, world: _World, random: Any) -> None:
    """Statements may be shuffled, and an identity's split over several policies."""
    shuffled = _each(world, lambda side: random.sample(side, len(side)))
    before = _decide(ask, world)
    assert _decide(ask, shuffled).allowed is before.allowed
    if world.room == "identity":
        apart: tuple[Policy, ...] = tuple(policy(PolicyKind.IDENTITY, item) for item in world.own)
        assert decide_identity(ask, ACCOUNT, apart, _limits(world)).allowed is before.allowed


@given(_ASKS, _WORLDS, st.booleans(), st.booleans())
def test_a_limit_never_widens(ask: Question, world: _World, boundary: bool, session: bool) -> None:
    """Without its boundary, its session policies or both a caller may do all that it may do with them."""
    less = world._replace(
        boundary=None if boundary else world.boundary, session=None if session else world.session
    )  # fmt: skip
    assert _decide(ask, less).allowed or not _decide(ask, world).allowed


@given(_ASKS, _WORLDS, st.lists(_OWN, min_size=1, max_size=3))
def test_limits_give_nothing(ask: Question, world: _World, limit: _Statements) -> None:
    """With a boundary and a session policy instead of own policies nobody may more than without any of them."""
    bare = world._replace(own=[], boundary=None, session=None)
    assert _decide(ask, bare).allowed or not _decide(ask, bare._replace(boundary=limit, session=limit)).allowed


@given(_ASKS, _WORLDS)
def test_every_decision_has_reasons_that_agree(ask: Question, world: _World) -> None:
    """Allowed comes with allowing reasons only; refused with a sentence and no sole allowing reason."""
    decision = _decide(ask, world)
    effects = {reason.effect for reason in decision.reasons}
    assert effects == {"Allow"} if decision.allowed else effects - {"Allow"}
    assert bool(decision.sentence) is not decision.allowed


@given(_ASKS, _WORLDS)
def test_nobody_is_allowed_by_silence(ask: Question, world: _World) -> None:
    """Without any Allow statement only the root of the account gets in, and neither at a key nor at a role."""
    denying = _each(world, lambda side: [{**item, "Effect": "Deny"} for item in side])
    if _decide(ask, denying).allowed:
        assert ask.principal == ROOT
        assert world.room not in ("key", "role")


_UNMET = {
    "StringEquals": "x", "StringLike": "*", "Bool": "false", "NumericLessThan": "1", "ArnLike": "arn:aws:*:*:*:*:*",
    "DateLessThan": "2100-01-01T00:00:00Z", "IpAddress": "0.0.0.0/0", "ForAnyValue:StringNotEquals": "x",
}  # fmt: skip


@given(_ASKS, _WORLDS, st.sampled_from(sorted(_UNMET)))
def test_what_is_unknown_never_allows(ask: Question, world: _World, operator: str) -> None:
    """Where every Allow wants a key that no request brings, nobody is allowed but the root of the account."""
    unknown = {operator: {"aws:RequestTag/nobody-sends-it": _UNMET[operator]}}

    def unmet(side: _Statements) -> _Statements:
        return [
            item | {"Condition": item["Condition"] | unknown} if item["Effect"] == "Allow" else item for item in side
        ]

    if _decide(ask, _each(world, unmet)).allowed:
        assert ask.principal == ROOT
        assert world.room not in ("key", "role")
