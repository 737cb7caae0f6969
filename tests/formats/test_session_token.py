"""The session token: its vectors, its bindings, its text, and what does not fit into one."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.errors import FormatError, FuinError, SessionExpired, TamperedError
from fuin.formats import session_token
from fuin.formats.session_token import Claims
from fuin.keyholder.sealed.root_key import RootKey
from fuin.keyholder.sealed.sessions import Sessions
from tests.formats import make_session_token_vectors, vectors
from tests.formats.make_session_token_vectors import EXPIRY, NOW, ROLE, SESSION_KEY_ID
from tests.formats.make_vectors import ROOT

ERRORS: dict[str, type[FuinError]] = {"tampered": TamperedError, "expired": SessionExpired, "claims": FormatError}
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
CLAIMS = st.builds(
    Claims, kind=st.sampled_from(["root", "user", "role"]), account=TEXTS, id=TEXTS, issued=st.integers(0, 1 << 40),
    issuer=TEXTS, issuer_key=TEXTS, session=TEXTS, policy=TEXTS,
    policy_arns=st.lists(TEXTS, max_size=3).map(tuple), tags=st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple),
    transitive=st.lists(TEXTS, max_size=3).map(tuple), source_identity=TEXTS,
)  # fmt: skip


def read(path: Path) -> dict[str, Any]:
    """Return a vector."""
    return vectors.read(path, "root_key", "token")


def open_case(case: dict[str, Any]) -> tuple[str, Claims, int]:
    """Open a vector as keyholder and worker do together."""
    holder = Sessions(RootKey(bytearray(case["root_key"])))
    secret, claims, expiry = holder.open(case["token"], case["access_key_id"], case["now"])
    return secret.decode(), session_token.parse_claims(claims), expiry


@pytest.mark.parametrize("path", vectors.paths("session-token"), ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    """Each vector opens to its secret, claims and end, or fails with its kind of error."""
    case = read(path)
    if "error" in case:
        with pytest.raises(ERRORS[case["error"]]):
            open_case(case)
    else:
        assert open_case(case) == (case["secret"], msgspec.convert(case["claims"], Claims), case["expiry"])


def test_failures_outnumber_successes() -> None:
    """The vectors say more about what is refused, and are those that the maker makes."""
    failed, succeeded = vectors.failures("session-token")
    assert failed > 8 * succeeded > 0
    assert {path.stem for path in vectors.paths("session-token")} == make_session_token_vectors.cases().keys()


@pytest.mark.parametrize("name", ["role", "user"])
def test_every_changed_bit_is_refused(name: str) -> None:
    """A token does not open after any one of its bits was changed."""
    case = read(vectors.FOLDER / "session-token" / f"{name}.json")
    for bit in range(8 * len(case["token"])):
        changed = bytearray(case["token"])
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(TamperedError):
            open_case({**case, "token": bytes(changed)})


@given(CLAIMS)
def test_claims_round_trip(claims: Claims) -> None:
    """Claims come back as they were, whatever they say."""
    assert session_token.parse_claims(session_token.pack_claims(claims)) == claims


@given(st.binary(min_size=session_token._SHORTEST, max_size=400))
def test_text_round_trip(data: bytes) -> None:
    """The text of a token needs no escaping in a URL, and stands for that token alone."""
    token = session_token.prefix(EXPIRY) + data[session_token.PREFIX_LENGTH :]
    text = session_token.to_text(token)
    assert text.replace("-", "").replace("_", "").isalnum()
    assert session_token.from_text(text) == token


@given(st.text(max_size=400) | st.binary(min_size=80, max_size=400).map(session_token.to_text))
def test_any_other_text_is_refused(text: str) -> None:
    """What is not the text of a token raises FormatError and nothing else."""
    with pytest.raises(FormatError):
        session_token.from_text(text)


def test_a_token_that_was_written_otherwise_is_refused() -> None:
    """Padding, the other alphabet, white space and bits behind the end are no other ways to write a token."""
    text = session_token.to_text(session_token.prefix(EXPIRY) + b"\xff" * 150)
    assert len(text) % 4 == 2, "the last letter must have spare bits for this test"
    assert session_token.from_text(text)
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    near = last[last.index(text[-1]) ^ 1]
    for wrong in (
        text + "=",
        text.replace("_", "/"),
        text + "\n",
        " " + text,
        text[:-1],
        text[:-1] + near,
        "é" + text[1:],
    ):
        with pytest.raises(FormatError):
            session_token.from_text(wrong)


@given(CLAIMS, st.integers(0, session_token.TEXT_LIMIT))
def test_a_token_is_as_long_as_was_asked(claims: Claims, at_least: int) -> None:
    """Zeros make a token as long as it was asked for, hardly longer, and mean nothing."""
    packed = session_token.pack_claims(claims, at_least)
    text = session_token.to_text(make_session_token_vectors.token_with(packed))
    short = session_token.to_text(make_session_token_vectors.token_of(claims))
    assert max(at_least, len(short)) <= len(text) <= max(at_least + 2, len(short))
    assert session_token.parse_claims(packed) == claims


def test_claims_that_do_not_fit_are_refused() -> None:
    """Policies and tags that do not fit, also when packed, make no token."""
    with pytest.raises(FormatError):
        session_token.pack_claims(msgspec.structs.replace(ROLE, policy=str(list(range(9000)))))


def test_packed_size_counts_policies_and_tags() -> None:
    """Nothing takes nothing; more takes more, and what repeats itself takes little."""
    assert session_token.packed_size("", (), ()) == 0
    small = session_token.packed_size("", (), (("team", "blue"),))
    assert 0 < small < session_token.packed_size(ROLE.policy, ROLE.policy_arns, ROLE.tags) < 250
    assert session_token.packed_size("", (), (("team", "blue" * 60),)) < small + 20


def test_a_session_has_its_longest_life() -> None:
    """The keyholder makes none that lives longer than AWS's longest, 36 hours, and the hour of a clock's step back."""
    holder = Sessions(RootKey(bytearray(ROOT)))
    holder.new_session(SESSION_KEY_ID, NOW + 129_600, b"claims", NOW)
    for expiry in (NOW + 129_600 + 3600 + 61, 1 << 63):
        with pytest.raises(FormatError):
            holder.new_session(SESSION_KEY_ID, expiry, b"claims", NOW)


def test_each_session_has_a_secret_of_its_own() -> None:
    """Two sessions of the same claims have other secrets and tokens, and each token opens to its secret."""
    holder = Sessions(RootKey(bytearray(ROOT)))
    (one, first), (two, second) = (holder.new_session(SESSION_KEY_ID, EXPIRY, b"claims", NOW) for _ in range(2))
    assert one != two
    assert first != second
    assert holder.open(second, SESSION_KEY_ID, NOW) == (bytearray(two), b"claims", EXPIRY)
    assert len(one) == 40


@given(st.binary(max_size=300) | st.binary(max_size=300).map(session_token._deflate))
def test_any_other_claims_are_refused(data: bytes) -> None:
    """Bytes that are no claims raise FormatError and nothing else."""
    with pytest.raises(FormatError):
        session_token.parse_claims(data)
