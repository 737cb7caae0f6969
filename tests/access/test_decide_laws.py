"""Laws that every decision obeys, whatever the policies say."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fuin.access.ask import Ask
from fuin.access.decide import Decision, decide_bucket, decide_identity, decide_key
from fuin.access.policy import PolicyKind
from fuin.access.principal import ANONYMOUS
from tests.access.builders import (
    ACCOUNT,
    ANN,
    ANN_ARN,
    EVE,
    EVE_ARN,
    KEY,
    OBJECT,
    OTHER,
    OTHER_ROOT,
    ROOT,
    ROOT_ARN,
    SERVICE,
    policy,
    statement,
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
])  # fmt: skip
_OWN = st.builds(
    lambda action, resource, effect, condition: statement(action, resource, effect, Condition=condition),
    _ACTIONS, _RESOURCES, st.sampled_from(["Allow", "Deny"]), _CONDITIONS,
)  # fmt: skip
_NAMING = st.builds(lambda item, grantees: {**item, "Principal": grantees}, _OWN, _GRANTEES)
_ASKS = st.builds(
    Ask,
    st.sampled_from([ROOT, ANN, EVE, OTHER_ROOT, SERVICE, ANONYMOUS]),
    st.sampled_from(["kms:Decrypt", "kms:GenerateDataKey", "s3:GetObject", "s3:PutObject"]),
    st.sampled_from([KEY, OBJECT]),
    st.dictionaries(
        st.sampled_from(["kms:ViaService", "kms:EncryptionContext:a", "aws:SecureTransport"]),
        st.sampled_from(["s3", "x", "true"]),
    ),
)
_Statements = list[dict[str, Any]]
_WORLDS = st.tuples(
    st.sampled_from(["key", "bucket", "identity"]),
    st.lists(_NAMING, min_size=1, max_size=4),
    st.lists(_OWN, max_size=4),
)
_World = tuple[str, _Statements, _Statements]


def _decide(ask: Ask, world: _World) -> Decision:
    room, naming, own = world
    ask = Ask(ask.principal, ask.action, ask.resource, ask.context)
    mine = (policy(PolicyKind.IDENTITY, *own),) if own else ()
    if room == "key":
        return decide_key(ask, ACCOUNT, policy(PolicyKind.KEY, *naming), mine)
    if room == "bucket":
        return decide_bucket(ask, ACCOUNT, policy(PolicyKind.BUCKET, *naming), mine)
    return decide_identity(ask, ACCOUNT, mine)


@given(_ASKS, _WORLDS, _NAMING, st.booleans())
def test_adding_a_deny_never_allows(ask: Ask, world: _World, more: dict[str, Any], own: bool) -> None:
    """Whoever is refused stays refused when a Deny is added on either side."""
    before, after = _decide(ask, world), _decide(ask, _with(world, more, "Deny", own))
    assert not after.allowed or before.allowed


@given(_ASKS, _WORLDS, _NAMING, st.booleans())
def test_adding_an_allow_never_refuses(ask: Ask, world: _World, more: dict[str, Any], own: bool) -> None:
    """Whoever is allowed stays allowed when an Allow is added on either side."""
    before, after = _decide(ask, world), _decide(ask, _with(world, more, "Allow", own))
    assert after.allowed or not before.allowed


@given(_ASKS, _WORLDS, st.randoms(use_true_random=False))
def test_order_of_statements_does_not_matter(ask: Ask, world: _World, random: Any) -> None:
    """Statements may be shuffled, and split over several policies."""
    room, naming, own = world
    shuffled = (room, random.sample(naming, len(naming)), random.sample(own, len(own)))
    before = _decide(ask, world)
    assert _decide(ask, shuffled).allowed is before.allowed
    if room == "identity":
        apart = tuple(policy(PolicyKind.IDENTITY, item) for item in own)
        assert decide_identity(ask, ACCOUNT, apart).allowed is before.allowed


@given(_ASKS, _WORLDS)
def test_every_decision_has_reasons_that_agree(ask: Ask, world: _World) -> None:
    """Allowed comes with allowing reasons only; refused with a sentence and no sole allowing reason."""
    decision = _decide(ask, world)
    effects = {reason.effect for reason in decision.reasons}
    assert effects == {"Allow"} if decision.allowed else effects - {"Allow"}
    assert bool(decision.sentence) is not decision.allowed


@given(_ASKS, _WORLDS)
def test_nobody_is_allowed_by_silence(ask: Ask, world: _World) -> None:
    """Without any Allow statement only the root of the account gets in, and not at a key."""
    room, naming, own = world
    silent = (room, [{**item, "Effect": "Deny"} for item in naming], [{**item, "Effect": "Deny"} for item in own])
    if _decide(ask, silent).allowed:
        assert ask.principal == ROOT
        assert room != "key"


def _with(world: _World, more: dict[str, Any], effect: str, own: bool) -> _World:
    room, naming, mine = world
    added = {**more, "Effect": effect}
    if own:
        del added["Principal"]
        return room, naming, [*mine, added]
    return room, [*naming, added], mine
