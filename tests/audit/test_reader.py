"""Reading the log: in order, the newest, by request, and whatever stands in the drafts."""

from pathlib import Path

import pytest

from fuin.audit import reader
from fuin.audit.log import RecordedUse
from fuin.audit.segments import segments
from fuin.formats import record
from tests.audit.logs import KEY_ID, opened, use, written


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a log of several segments with sixty records."""
    return written(tmp_path_factory.mktemp("log"), turns=20, each=3, segment_limit=4000)


def requests(entries: list[reader.Entry]) -> list[str]:
    """Return the requests of entries."""
    return [entry.draft.get("request", entry.use) for entry in entries]


def test_entries_come_in_order(log: Path) -> None:
    """All records come once, oldest first, without checkpoints unless they are asked for."""
    assert requests(list(reader.entries(log))) == ["opened", *(f"r-{number}" for number in range(60))]
    everything = list(reader.entries(log, checkpoints=True))
    assert [entry.sequence for entry in everything] == list(range(1, len(everything) + 1))
    assert set(everything[1].draft) == {"sequence", "head", "signature"}


def test_following_a_log(log: Path) -> None:
    """Reading goes on after any record that was seen last."""
    everything = list(reader.entries(log))
    for at in (0, 17, 59, 60):
        assert list(reader.entries(log, everything[at].sequence)) == everything[at + 1 :]


def test_newest_entries(log: Path) -> None:
    """The newest records come from as many segments as needed."""
    everything = list(reader.entries(log))
    for count in (0, 1, 5, 30, 61, 1000):
        assert reader.last(log, count) == everything[max(0, 61 - count) :]


def test_find(log: Path) -> None:
    """Every record is found by its request, wherever it stands, and no other one with it."""
    assert len(segments(log)) > 3
    for number in range(60):
        assert requests(reader.find(log, f"r-{number}")) == [f"r-{number}"]
    assert reader.find(log, "r-") == []
    assert reader.find(log, "") == []


def test_find_all_records_of_a_request(tmp_path: Path) -> None:
    """A request with several records is found whole, also when a new segment began in between."""
    log = opened(tmp_path)
    log.segment_limit = 1
    for number in (1, 2, 2, 2, 3):
        log.append([use(number), use(number)])
    log.close()
    assert len(reader.find(tmp_path, "r-2")) == 6


def test_request_id_elsewhere_in_a_draft_is_no_hit(tmp_path: Path) -> None:
    """Only the request of a record counts, not the same text inside another one's facts."""
    log = opened(tmp_path)
    log.append([
        RecordedUse(record.NOTE, record.DONE, "", b"", b'{"request":"r-1","facts":{"request":"r-9"}}'),
        RecordedUse(record.NOTE, record.DONE, "", b"", b'{"request":"r-9"}'),
    ])  # fmt: skip
    log.close()
    assert requests(reader.find(tmp_path, "r-9")) == ["r-9"]
    assert len(reader.find(tmp_path, "r-9")) == 1


def test_request_id_with_quotes_finds_nothing(log: Path) -> None:
    """A request id from a user's command line is data: whatever it holds, it only finds itself."""
    for text in ('"', 'r-1"', '{"request":"r-1"}', "\\", "\ud800"):
        assert reader.find(log, text) == []


def test_one_entry_in_full(log: Path) -> None:
    """An entry says number, time, use, outcome, key, material and draft."""
    (entry,) = reader.find(log, "r-7")
    assert (entry.use, entry.outcome, entry.key_id, entry.material_id) == ("decrypt", "ok", KEY_ID, "00" * 32)
    assert entry.draft == {"request": "r-7", "operation": "kms:Decrypt"}
    assert 1.6e9 < entry.time < 4e9


@pytest.mark.parametrize("draft", [b"", b"not json", b"[1]", b"\xff", b"[" * 100_000, b"null"])
def test_unreadable_draft_is_shown_in_hex(tmp_path: Path, draft: bytes) -> None:
    """The keyholder takes any draft; a reader shows what it cannot read and goes on."""
    log = opened(tmp_path)
    log.append([RecordedUse(record.NOTE, record.DONE, "", b"", draft), use(1)])
    log.close()
    unreadable, readable = list(reader.entries(tmp_path))[1:]
    assert unreadable.draft == {"unreadable": draft.hex()}
    assert readable.draft["request"] == "r-1"


def test_unknown_numbers_are_shown(tmp_path: Path) -> None:
    """A use or outcome of a later version is shown by its number."""
    log = opened(tmp_path)
    log.append([RecordedUse(77, 66, "", b"", b"{}")])
    log.close()
    entry = list(reader.entries(tmp_path))[-1]
    assert (entry.use, entry.outcome) == ("use-77", "outcome-66")


def test_torn_tail_is_not_read(tmp_path: Path) -> None:
    """Reading ends at the first entry that is not whole."""
    written(tmp_path, turns=1, each=2)
    path = segments(tmp_path)[0].path
    data = path.read_bytes()
    path.write_bytes(data + data[-100:])
    assert requests(list(reader.entries(tmp_path))) == ["opened", "r-0", "r-1"]
    assert reader.find(tmp_path, "r-5") == []


def test_no_log(tmp_path: Path) -> None:
    """An empty folder has no entries."""
    assert list(reader.entries(tmp_path)) == []
    assert reader.last(tmp_path, 5) == []
    assert reader.find(tmp_path, "r-1") == []
