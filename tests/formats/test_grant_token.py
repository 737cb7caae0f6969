"""The grant token: its vectors, and that nothing else is taken for one."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fuin.errors import FormatError
from fuin.formats.grant_token import decode, encode
from tests.formats import make_grant_token_vectors, vectors


@pytest.mark.parametrize("path", vectors.paths("grant-token"), ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    """Each vector names the grant that it says, or is refused."""
    case = vectors.read(path, "grant_id", "unique")
    if "error" in case:
        with pytest.raises(FormatError):
            decode(case["token"])
    else:
        assert encode(case["grant_id"], case["unique"]) == case["token"]
        assert decode(case["token"]) == case["grant_id"]


def test_failures_outnumber_successes() -> None:
    """The vectors say more about what is refused, and are those that the maker makes."""
    failed, succeeded = vectors.failures("grant-token")
    assert failed > 5 * succeeded > 0
    assert {path.stem for path in vectors.paths("grant-token")} == make_grant_token_vectors.cases().keys()


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=16, max_size=16))
def test_round_trip(grant_id: bytes, unique: bytes) -> None:
    """A token names its grant, is made of letters that need no escaping, and has 88 of them."""
    token = encode(grant_id, unique)
    assert decode(token) == grant_id
    assert len(token) == 88
    assert token.replace("-", "").replace("_", "").isalnum()


@given(st.text(max_size=200) | st.binary(max_size=100).map(lambda raw: raw.hex()))
def test_anything_else_is_refused(text: str) -> None:
    """Other texts raise FormatError and nothing else."""
    with pytest.raises(FormatError):
        decode(text)
