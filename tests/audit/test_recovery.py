"""Opening a log after a crash: a torn tail is cut and noted, anything else stops the start."""

import hashlib
from pathlib import Path

import pytest

from fuin.audit import reader
from fuin.audit.recovery import AuditDamaged
from fuin.audit.segments import segments
from fuin.audit.verify import verify
from fuin.formats import record
from tests.audit.logs import SIGNER, copied, only, opened, parts, raw, use, written


def recovered(folder: Path) -> list[dict[str, object]]:
    """Open and close the log, verify it, and return the drafts of its recovery records."""
    log = opened(folder)
    log.append([use(1000)])
    log.close()
    verify(folder, SIGNER.check, (log.position.sequence, log.position.head))
    return [entry.draft for entry in reader.entries(folder) if entry.use == "recovered"]


def test_every_torn_length_is_recovered(tmp_path: Path) -> None:
    """Wherever the last turn was cut, what is before it stays, the rest is cut off and noted with its hash."""
    whole = written(tmp_path / "whole", turns=3, each=2)
    data = only(whole).read_bytes()
    last = parts(only(whole))[1][-3].start  # the last turn: two records and their checkpoint
    for length in range(last + 1, len(data), 7):
        folder = copied(whole, f"cut-{length}")
        only(folder).write_bytes(data[:length])
        torn = data[last:length]
        assert recovered(folder) == [{"bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest()}]
        assert [len(reader.find(folder, f"r-{number}")) for number in range(6)] == [1, 1, 1, 1, 0, 0]


def test_clean_log_is_left_as_it_is(tmp_path: Path) -> None:
    """A log that ends with a checkpoint loses nothing and has no recovery record."""
    whole = written(tmp_path / "log")
    data = only(whole).read_bytes()
    assert recovered(whole) == []
    assert only(whole).read_bytes().startswith(data)


def test_whole_but_unsigned_records_are_cut(tmp_path: Path) -> None:
    """Records without their checkpoint were never acknowledged, and nobody signed them."""
    whole = written(tmp_path / "log", turns=2, each=2)
    checkpoint = parts(only(whole))[1][-1]
    data = only(whole).read_bytes()
    only(whole).write_bytes(data[: checkpoint.start])
    assert len(recovered(whole)) == 1
    assert reader.find(whole, "r-2") == []
    assert len(reader.find(whole, "r-1")) == 1


def test_pages_written_out_of_order(tmp_path: Path) -> None:
    """A power cut may keep the end of the last turn and lose its middle: still only that turn is cut."""
    whole = written(tmp_path / "log", turns=3, each=2)
    entries = parts(only(whole))[1]
    data = bytearray(only(whole).read_bytes())
    hole = entries[-3]
    data[hole.start + 40 : hole.end] = bytes(hole.end - hole.start - 40)
    only(whole).write_bytes(data)
    assert len(recovered(whole)) == 1
    assert [len(reader.find(whole, f"r-{number}")) for number in range(6)] == [1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("offset", [4, 30, 100, -10])
def test_damage_before_the_last_turn_stops_the_start(tmp_path: Path, offset: int) -> None:
    """Acknowledged records are never cut off as if they were a torn tail."""
    whole = written(tmp_path / "log", turns=4, each=2)
    victim = parts(only(whole))[1][3]
    data = bytearray(only(whole).read_bytes())
    data[(victim.start if offset >= 0 else victim.end) + offset] ^= 1
    only(whole).write_bytes(data)
    with pytest.raises(AuditDamaged, match="before its end"):
        opened(whole)
    assert only(whole).read_bytes() == data  # nothing was touched


def test_changed_length_stops_the_start(tmp_path: Path) -> None:
    """A length that hides all that follows is damage, not a torn tail."""
    whole = written(tmp_path / "log", turns=4, each=2)
    victim = parts(only(whole))[1][3]
    data = bytearray(only(whole).read_bytes())
    data[victim.start] ^= 0x40
    only(whole).write_bytes(data)
    with pytest.raises(AuditDamaged, match="before its end"):
        opened(whole)


def test_copied_checkpoints_in_the_tail_prove_nothing(tmp_path: Path) -> None:
    """A draft that holds old checkpoints does not make a torn tail look like damage."""
    whole = written(tmp_path / "log", turns=3, each=1)
    old = b"".join(raw(entry) for entry in parts(only(whole))[1])
    with only(whole).open("ab") as file:
        file.write(b"\0\0\1\0" + old * 2)
    assert len(recovered(whole)) == 1


def test_crash_right_after_rotation(tmp_path: Path) -> None:
    """A new segment with nothing, or with a torn first turn, continues the one before it."""
    whole = written(tmp_path / "log", turns=6, each=2, segment_limit=1500)
    last = segments(whole)[-1].path
    header, _ = parts(last)
    for number, tail in enumerate((b"", b"\0\0", last.read_bytes()[len(header) : len(header) + 50])):
        folder = copied(whole, f"copy-{number}")
        segments(folder)[-1].path.write_bytes(header + tail)
        assert len(recovered(folder)) == bool(tail)


def test_empty_last_segment_after_a_spoiled_one_is_refused(tmp_path: Path) -> None:
    """A segment with nothing in it cannot hide that the one before it was changed."""
    whole = written(tmp_path / "log", turns=6, each=2, segment_limit=1500)
    before, last = (one.path for one in segments(whole)[-2:])
    last.write_bytes(parts(last)[0])
    before.write_bytes(before.read_bytes()[:-1])
    with pytest.raises(AuditDamaged, match="does not follow"):
        opened(whole)


def test_missing_segment_before_an_empty_one_is_refused(tmp_path: Path) -> None:
    """A segment with nothing in it and nothing before it does not begin with a later number."""
    whole = written(tmp_path / "log", turns=6, each=2, segment_limit=1500)
    *others, last = (one.path for one in segments(whole))
    last.write_bytes(parts(last)[0])
    for path in others:
        path.unlink()
    with pytest.raises(AuditDamaged, match="does not follow"):
        opened(whole)


@pytest.mark.parametrize("data", [b"", b"fuin audit segment v1\n", bytes(64)])
def test_file_without_a_header_is_refused(tmp_path: Path, data: bytes) -> None:
    """Segments get their names with their headers in them; one without is no crash's work."""
    whole = written(tmp_path / "log")
    only(whole).write_bytes(data)
    with pytest.raises(AuditDamaged, match="no audit segment"):
        opened(whole)


def test_renamed_segment_is_refused(tmp_path: Path) -> None:
    """A segment under another number is refused."""
    whole = written(tmp_path / "log")
    only(whole).rename(whole / "0000000000000002.log")
    with pytest.raises(AuditDamaged, match="starts with record 1"):
        opened(whole)


def test_left_over_draft_of_a_segment_is_no_matter(tmp_path: Path) -> None:
    """A segment that was being made when the process died is not taken for one."""
    whole = written(tmp_path / "log")
    (whole / ".0000000000000999.log.new").write_bytes(b"half")
    assert recovered(whole) == []


def test_rechained_log_of_a_stranger_is_refused(tmp_path: Path) -> None:
    """A log whose chain is whole but whose last signature is not this key's is refused, not cut back."""
    whole = written(tmp_path / "log", turns=1, each=1)
    data = bytearray(only(whole).read_bytes())
    last = parts(only(whole))[1][-1]
    data[last.end - 40] ^= 1  # in the signature; then make the chain right again
    before = parts(only(whole))[1][-2].hash
    data[last.end - 32 :] = record.link(before, bytes(data[last.start + 4 : last.end - 32]))
    only(whole).write_bytes(data)
    with pytest.raises(AuditDamaged, match="does not hold"):
        opened(whole)
