"""Drafts of audit records fit their bounds whatever stands in them, and say what they do not hold."""

import hashlib
import json
import os
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuin.formats import context, notes
from fuin.gate import drafts
from fuin.gate.drafts import DraftMembers

_LONG = os.environ.get("FUIN_LONG") == "1"
ARN = "arn:aws:iam::123456789012:user/alice"
WHO = ("6f1c0000-0000-4000-8000-000000000001", "s3:DeleteObjects", ARN, "AKIAEXAMPLE", "us-east-1", "::1")
LONG = st.tuples(st.sampled_from(["a", "\x01", '"', "é", "\U0001f511"]), st.integers(0, 20_000)).map(
    lambda p: p[0] * p[1]
)
TEXT = st.one_of(st.text(max_size=40), LONG)
VALUE = st.recursive(TEXT, lambda below: st.lists(below, max_size=5) | st.dictionaries(TEXT, below, max_size=5))
PAIRS = st.dictionaries(
    st.text(st.characters(codec="utf-8"), max_size=30), LONG.map(lambda text: text[:9000]), max_size=7
)
DECISION = st.fixed_dictionaries(
    {
        "action": st.just("s3:GetObject"), "resource": TEXT, "allowed": st.booleans(),
        "because": st.lists(TEXT, max_size=8), "rule": st.just("bucket"), "policies": st.just(["0" * 32]),
    },
    optional={"keys": st.dictionaries(TEXT, st.lists(TEXT, max_size=4), max_size=6)},
)  # fmt: skip


def decision(resource: str, *because: str, allowed: bool = True, **more: Any) -> dict[str, Any]:
    """Return a decision as the gate notes it."""
    return {"action": "s3:DeleteObject", "resource": resource, "allowed": allowed, "because": list(because), **more}


def test_a_short_draft_is_taken_as_it_is() -> None:
    """What is within every bound is the plain JSON of its members."""
    record = DraftMembers(*WHO, facts={"bucket": "b"}, decisions=[decision("arn:aws:s3:::b/k", "so")])
    for stranger in (False, True):
        assert drafts.encode(record, stranger=stranger) == msgspec.json.encode(record)


@settings(max_examples=1000 if _LONG else 8, deadline=None)
@given(
    facts=st.dictionaries(st.sampled_from(["bucket", "key", "parameters", "session", "policy", "range"]), VALUE),
    decisions=st.lists(DECISION, max_size=8),
    pairs=PAIRS,
    refused=PAIRS,
    access_key=TEXT,
    message=TEXT,
)
def test_every_draft_fits(
    facts: dict[str, Any], decisions: list[Any], pairs: dict[str, str], refused: dict[str, str], access_key: str,
    message: str,
) -> None:  # fmt: skip
    """However long and many the texts of a request are, its record fits, and names the request and the error."""
    facts = {**facts, "refusedUse": {"use": "kms:Decrypt", "context": refused}}
    given = DraftMembers(
        WHO[0],
        WHO[1],
        ARN,
        access_key,
        "r",
        "::1",
        None,
        facts,
        decisions,
        None,
        "AccessDenied",
        message,
        context=pairs,
    )
    for stranger, at_most in ((False, drafts.AT_MOST), (True, drafts.OF_STRANGERS)):
        data = drafts.encode(given, stranger=stranger)
        draft = json.loads(data)
        assert len(data) <= at_most
        assert (draft["request"], draft["operation"], draft["error"]) == (WHO[0], WHO[1], "AccessDenied")
        assert data.startswith(b'{"request":"' + WHO[0].encode())


def test_what_is_asked_for_stays_whole() -> None:
    """Who asks, and the names of eight resources of 1,024 control characters, are no notes for known callers."""
    names = [f"arn:aws:s3:::b/{chr(number)}" + "\x01" * 1023 for number in range(65, 73)]
    many = [decision(name, "x" * 60_000, keys={"aws:useragent": ["\x02" * 30_000]}) for name in names]
    role = "arn:aws:iam::123456789012:user" + "/\x7f" * 300
    record = DraftMembers(
        WHO[0], WHO[1], role, *WHO[3:], facts={"key": "\x01" * 1024, "policy": "p" * 90_000}, decisions=many
    )
    draft = json.loads(drafts.encode(record, stranger=False))
    assert [one["resource"] for one in draft["decisions"]] == names
    assert (draft["principal"], draft["facts"]["key"]) == (role, "\x01" * 1024)
    assert notes.is_note(draft["facts"]["policy"])


def test_a_long_context_is_known_by_its_canonical_bytes() -> None:
    """The short pairs of a long encryption context stay, and the hash of its canonical encoding identifies it."""
    pairs = {"tenant": "a", "long": "\x01" * 60_000, "app": "b"}
    draft = json.loads(drafts.encode(DraftMembers(*WHO, use="kms:Decrypt", context=pairs), stranger=False))
    encoded = context.encode(pairs)
    assert draft["context"] == {
        "sha256": hashlib.sha256(encoded).hexdigest(), "bytes": len(encoded), "pairs": 3,
        "holds": {"tenant": "a", "app": "b"},
    }  # fmt: skip


def test_a_context_that_looks_like_a_note_is_none() -> None:
    """The values of a client's context are texts, and the length in a note is a number."""
    forged = {"sha256": "0" * 64, "bytes": "1", "begins": "x"}
    assert not notes.is_note(forged)
    assert notes.held_part(forged) == forged


def test_a_long_list_says_how_many_it_had() -> None:
    """What does not fit is counted and hashed, and the first items stay: nothing is left out silently."""
    tags = [{"TagKey": "\x01" * 128, "TagValue": "v"} for _ in range(900)]
    facts = json.loads(drafts.encode(DraftMembers(*WHO, facts={"parameters": {"Tags": tags}}), stranger=False))["facts"]
    note = facts["parameters"]["Tags"]
    assert (note["items"], note["bytes"]) == (900, notes.size(tags))
    assert note["sha256"] == hashlib.sha256(msgspec.json.encode(tags)).hexdigest()
    assert note["holds"] == tags[: len(note["holds"])]
    assert note["holds"]


def test_half_a_surrogate_pair_does_not_prevent_the_record() -> None:
    """Text that JSON cannot hold is written as an escape, wherever it stands."""
    record = DraftMembers(
        *WHO, facts={"a\ud800": ["\udfff"]}, decisions=[decision("\ud800" * 900)], context={"\ud800": ""}
    )
    for stranger in (False, True):
        assert json.loads(drafts.encode(record, stranger=stranger))["request"] == WHO[0]
    (piece,) = drafts.pieces([decision("\ud800")] * 2, stranger=False)
    assert piece[0]["resources"] == ["\\ud800"] * 2


KEYS = st.lists(st.tuples(st.sampled_from(["k", "\x01", "é"]), st.integers(1, 1024)), min_size=1, max_size=300)


@settings(max_examples=500 if _LONG else 15, deadline=None)
@given(keys=KEYS, refused=st.sets(st.integers(0, 299)), stranger=st.booleans())
def test_pieces_name_every_resource_once(keys: list[tuple[str, int]], refused: set[int], stranger: bool) -> None:
    """All resources of many decisions stand in the pieces, in order for each decision, and each piece fits a record."""
    names = [f"arn:aws:s3:::b/{number}/{text * length}" for number, (text, length) in enumerate(keys)]
    every = [
        decision(name, f"no policy allows s3:DeleteObject on {name}", allowed=False)
        if number in refused
        else decision(name, "statement 1 allows it")
        for number, name in enumerate(names)
    ]
    found: dict[bool, list[Any]] = {True: [], False: []}
    for piece in drafts.pieces(every, stranger=stranger):
        data = drafts.encode(DraftMembers(*WHO, decisions=piece, about="delete", piece=99), stranger=stranger)
        assert len(data) <= (drafts.OF_STRANGERS if stranger else drafts.AT_MOST)
        for one in json.loads(data)["decisions"]:
            found[one["allowed"]] += one.get("resources") or [one["resource"]]
    for allowed, told in found.items():
        asked = [one["resource"] for one in every if one["allowed"] is allowed]
        assert len(told) == len(asked)
        for name, resource in zip(asked, told, strict=True):
            assert resource == name or (stranger and resource["sha256"] == notes.text_note(name)["sha256"])


def test_decisions_that_differ_are_not_put_together() -> None:
    """Only what is the same but for the resource becomes one; reasons, policies and condition keys differ."""
    one = decision("arn:aws:s3:::b/k", "because of arn:aws:s3:::b/k")
    others = [
        decision("arn:aws:s3:::b/l", "because of arn:aws:s3:::b/k"),
        decision("arn:aws:s3:::b/l", "because of arn:aws:s3:::b/l", allowed=False),
        decision("arn:aws:s3:::b/l", "because of arn:aws:s3:::b/l", keys={"aws:referer": ["x"]}),
    ]
    for other in others:
        assert list(drafts.pieces([one, other], stranger=False)) == [[one, other]]
    same = decision("arn:aws:s3:::b/l", "because of arn:aws:s3:::b/l")
    (piece,) = drafts.pieces([one, same], stranger=False)
    assert piece == [{**one, "resources": ["arn:aws:s3:::b/k", "arn:aws:s3:::b/l"]}]


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_long_lists_are_named_whole(count: int) -> None:
    """A list in portions is the same list, and each portion fits."""
    names = [f"{number:04}/{'x' * 28}" for number in range(count)]
    portions = list(drafts.portions(names))
    assert [name for portion in portions for name in portion] == names
    assert all(notes.size(portion) <= drafts.PIECE + 2 for portion in portions)
