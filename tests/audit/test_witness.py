"""What the log witnesses of the database: the highest serial, whether there was a server, what record stood where."""

import json
from pathlib import Path

import pytest

from fuin.audit import witness
from fuin.audit.log import RecordedUse
from fuin.formats import record
from tests.audit.logs import KEY_ID, only, opened, parts, written


def noted(**members: object) -> RecordedUse:
    """Return a note with a draft of these members."""
    return RecordedUse(record.NOTE, record.DONE, "", b"", json.dumps(members, separators=(",", ":")).encode())


def log_of(folder: Path, *uses: RecordedUse, segment_limit: int = 1 << 26) -> Path:
    """Write a log with a turn for each use."""
    log = opened(folder)
    log.segment_limit = segment_limit
    for use in uses:
        log.append([use])
    log.close()
    return folder


def test_highest_commit_is_found_whatever_the_order(tmp_path: Path) -> None:
    """Records come in the order of their ends, not of their commits, and most have none."""
    uses = [noted(operation="s3:PutObject", commit=number) for number in (3, 9, 8)]
    folder = log_of(tmp_path / "audit", *uses, noted(operation="kms:Encrypt"))
    assert witness.highest_commit(folder) == 9
    assert witness.highest_commit(tmp_path / "none") == 0


def test_highest_commit_is_found_across_segments(tmp_path: Path) -> None:
    """A newest segment without any commit, or with fewer than may be under way at once, is not enough."""
    uses = [noted(operation="o", commit=100 - number) for number in range(20)] + [noted(operation="o")] * 10
    folder = log_of(tmp_path / "audit", *uses, segment_limit=900)
    assert len(list(folder.glob("*.log"))) > 5
    assert witness.highest_commit(folder) == 100


def test_segments_behind_enough_commits_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The search is bounded: it ends with the segment in which it has seen enough."""
    uses = [noted(operation="o", commit=number) for number in (1000, *range(1, 40))]
    folder = log_of(tmp_path / "audit", *uses, segment_limit=900)
    monkeypatch.setattr(witness, "ENOUGH", 5)
    assert witness.highest_commit(folder) == 39


@pytest.mark.parametrize(
    "draft",
    [
        b'{"facts":{"commit":999}}',
        b'{"operation":"a\\",\\"commit\\":999"}',
        b'{"context":{"commit":"999"}}',
        b'{"commit":"999"}',
        b'[{"commit":999}]',
        b'{"commit":999',
        b'\xff"commit":999}',
    ],
)
def test_what_a_client_says_is_no_commit(tmp_path: Path, draft: bytes) -> None:
    """Only the number that the server puts at the top of a draft counts, wherever else the word stands."""
    use = RecordedUse(record.ENCRYPT, record.DONE, KEY_ID, bytes(32), draft)
    assert witness.highest_commit(log_of(tmp_path / "audit", use)) == 0


@pytest.mark.parametrize(
    ("expected", "uses"),
    [
        (False, []),
        (False, [noted(operation=witness.FIRST_ACCOUNT), noted(operation=witness.FIRST_ACCOUNT)]),
        (True, [noted(operation=witness.FIRST_ACCOUNT, commit=1)]),
        (True, [noted(operation="fuin:CreateUser")]),
        (True, [RecordedUse(record.DATA_KEY, record.DONE, KEY_ID, bytes(32), b"{}")]),
        (True, [noted(operation="kms:ListKeys", error="AccessDeniedException")]),
    ],
)
def test_history_is_what_no_first_start_leaves(tmp_path: Path, expected: bool, uses: list[RecordedUse]) -> None:
    """Openings and the note of an account that was not made yet are a first start's; all else is a server's."""
    assert witness.has_history(log_of(tmp_path / "audit", *uses)) is expected


def test_log_whose_beginning_is_gone_has_history(tmp_path: Path) -> None:
    """Segments that begin later than with record 1 are no first start's."""
    folder = written(tmp_path / "audit", segment_limit=900)
    sorted(folder.glob("*.log"))[0].unlink()
    assert witness.has_history(folder)


def test_chain_hash_at_a_record(tmp_path: Path) -> None:
    """It is that record's chain hash, in whichever segment, and None behind the end and before the beginning."""
    folder = written(tmp_path / "one")
    entries = parts(only(folder))[1]
    assert [witness.chain_hash_at(folder, number + 1) for number in range(len(entries))] == [
        each.hash for each in entries
    ]
    assert witness.chain_hash_at(folder, len(entries) + 1) is None
    assert witness.chain_hash_at(folder, 0) is None
    many = written(tmp_path / "many", segment_limit=900)
    assert all(witness.chain_hash_at(many, number) for number in range(1, 10))
