"""The small parts of the proof: the scope that a person names, the pace of reading, and how a finding is said."""

import time

import pytest

from fuin.errors import FuinError
from fuin.proof.finding import FAULT, ORPHAN, Finding
from fuin.proof.pace import Pace
from fuin.proof.scope import Scope, parse_scope


@pytest.mark.parametrize(
    ("text", "scope", "name"),
    [
        (None, Scope(), "the whole store"),
        ("s3://a", Scope("a"), "s3://a/"),
        ("s3://a/", Scope("a"), "s3://a/"),
        ("s3://a/b/c ", Scope("a", "b/c "), "s3://a/b/c "),
        ("s3://a//b", Scope("a", "/b"), "s3://a//b"),
    ],
)
def test_scopes(text: str | None, scope: Scope, name: str) -> None:
    """A bucket, and whatever comes after its slash is the beginning of a key."""
    assert parse_scope(text) == scope
    assert (str(scope), scope.is_whole) == (name, text is None)


@pytest.mark.parametrize("text", ["", "a", "s3://", "s3:///a", "/a/b", "S3://a"])
def test_what_is_no_scope(text: str) -> None:
    """Nothing is guessed: a wrong word would prove the wrong part of the store."""
    with pytest.raises(FuinError, match="is not s3://bucket"):
        parse_scope(text)


def test_the_pace_is_kept_by_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits until the bytes of all before it have had their time; an idle time is not saved up."""
    now, pauses = [100.0], list[float]()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", pauses.append)
    pace = Pace(1000)
    for count in (500, 500, 2000):
        pace.wait(count)
    now[0] = 200.0
    pace.wait(100)
    assert pauses == pytest.approx([0.5, 1.0, 3.0, 0.1])
    Pace().wait(10**12)
    assert len(pauses) == 4


def test_sentences() -> None:
    """They name the version or the upload, its part and its blob, and the reason."""
    whole = Finding(FAULT, "why", "b", "k", version="v")
    assert whole.sentence == "fault: object s3://b/k, version v: why"
    part = Finding(FAULT, "why", "b", "k", version="v", part=2, blob="00")
    assert part.sentence == "fault: object s3://b/k, version v, part 2, blob 00: why"
    upload = Finding(FAULT, "why", "b", "k", upload="u", part=2, blob="00")
    assert upload.sentence == "fault: upload u to s3://b/k, part 2, blob 00: why"
    assert Finding(ORPHAN, "why", blob="00").sentence == "orphan: blob 00: why"
