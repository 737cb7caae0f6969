"""Verifying the log: every kind of tampering is seen, and a growing log verifies."""

import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuin.audit.segments import segments
from fuin.audit.verify import LogTampered, verify
from fuin.errors import TamperedError
from fuin.formats import record
from fuin.keyholder.offline import AuditChecker, audit_checker
from tests.audit.logs import SIGNER, STRANGER, copied, only, opened, parts, raw, use, written

CHECK = AuditChecker(SIGNER.public_key)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a log of one segment; tests copy it."""
    return written(tmp_path_factory.mktemp("one") / "log", turns=4, each=3)


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a log of several segments; tests copy it."""
    return written(tmp_path_factory.mktemp("many") / "log", turns=12, each=3, segment_limit=2500)


def head(folder: Path) -> tuple[int, bytes]:
    """Return the head of a good log."""
    report = verify(folder, CHECK, None)
    return report.sequence, report.head


def problems(folder: Path, expected: tuple[int, bytes] | None = None) -> str:
    """Return what verification says against a log; it must say something."""
    with pytest.raises(LogTampered) as caught:
        verify(folder, CHECK, expected)
    assert caught.value.problems
    return "; ".join(caught.value.problems)


def rewritten(log: Path, tmp_path: Path, order: list[int]) -> Path:
    """Return a copy of a one-segment log with its entries in another order."""
    folder = copied(log, tmp_path.name)
    header, entries = parts(only(folder))
    only(folder).write_bytes(header + b"".join(raw(entries[at]) for at in order))
    return folder


def test_good_log(log: Path) -> None:
    """A good log gives its counts and its head, with the public key beside it too."""
    report = verify(log, audit_checker(log), None)
    assert (report.segments, report.records, report.checkpoints, report.unsigned) == (1, 18, 5, 0)
    assert report.head == parts(only(log))[1][-1].hash


def test_every_changed_bit_is_seen(log: Path, tmp_path: Path) -> None:
    """No bit of a segment, header, records, hashes and signatures alike, can change unseen against a noted head."""
    noted = head(log)
    folder = copied(log, tmp_path.name)
    data = only(log).read_bytes()
    for bit in range(0, 8 * len(data), 37):  # all eight places in a byte come, each at every 37th byte
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        only(folder).write_bytes(changed)
        problems(folder, noted)


def test_removed_record_is_seen(log: Path, tmp_path: Path) -> None:
    """A record taken out leaves a gap."""
    assert "record 5 stands where 4 should" in problems(rewritten(log, tmp_path, [0, 1, 2, *range(4, 18)]))


def test_reordered_records_are_seen(log: Path, tmp_path: Path) -> None:
    """Two records in each other's place are seen."""
    assert "stands where" in problems(rewritten(log, tmp_path, [0, 1, 3, 2, *range(4, 18)]))


def test_repeated_record_is_seen(log: Path, tmp_path: Path) -> None:
    """A record that stands twice is seen."""
    assert "stands where" in problems(rewritten(log, tmp_path, [0, 1, 2, 2, *range(3, 18)]))


def rechained(folder: Path, changed: int, draft: bytes) -> None:
    """Change a record's draft and make all hashes after it right again, as a forger without the key would."""
    header, entries = parts(only(folder))
    previous, result = record.ZERO, header
    for number, entry in enumerate(entries):
        data = entry.data
        if number == changed:
            old = record.parse(data)
            data = record.encode_parts(
                old.sequence, old.time, old.use, old.outcome, old.key_id, old.material_id, draft
            )  # fmt: skip
        previous = record.link(previous, data)
        result += record.entry(data, previous)
    only(folder).write_bytes(result)


def test_rechained_forgery_is_seen(log: Path, tmp_path: Path) -> None:
    """Whoever makes all hashes right again still lacks the signature."""
    folder = copied(log, tmp_path.name)
    rechained(folder, 3, b'{"request":"forged"}')
    assert "the last checkpoint" in problems(folder)


def test_inserted_record_is_seen(log: Path, tmp_path: Path) -> None:
    """A record that is put in, with its hash right, breaks what follows."""
    folder = copied(log, tmp_path.name)
    header, entries = parts(only(folder))
    data = record.encode_parts(4, 1, record.NOTE, record.DONE, "", b"", b"{}")
    forged = record.entry(data, record.link(entries[2].hash, data))
    only(folder).write_bytes(
        header + b"".join(map(raw, entries[:3])) + forged + b"".join(map(raw, entries[3:]))
    )  # fmt: skip
    assert "stands where" in problems(folder)


def test_log_of_another_signer_is_seen(tmp_path: Path) -> None:
    """A whole log made with another key does not pass for this one."""
    stranger = opened(tmp_path, STRANGER)
    stranger.append([use(1)])
    stranger.close()
    assert "signature" in problems(tmp_path)


def test_cut_off_end_is_seen_against_a_note(log: Path, tmp_path: Path) -> None:
    """A log cut after a checkpoint is whole in itself; the head noted elsewhere shows what is missing."""
    noted = head(log)
    folder = rewritten(log, tmp_path, list(range(14)))
    assert verify(folder, CHECK, None).records == 14
    assert "cut off: it ends with record 14, 18 was noted" in problems(folder, noted)
    assert "cut off" in problems(copied_empty(log, tmp_path), noted)


def copied_empty(log: Path, tmp_path: Path) -> Path:
    """Return a copy of a log with its header only."""
    folder = copied(log, f"{tmp_path.name}-empty")
    only(folder).write_bytes(parts(only(log))[0])
    return folder


def test_other_history_is_seen_against_a_note(log: Path, tmp_path: Path) -> None:
    """A log with another record under the noted number is not the one that was noted."""
    assert "is not the one that was noted" in problems(log, (9, bytes(32)))
    verify(log, CHECK, (9, parts(only(log))[1][8].hash))


def test_missing_segments_are_seen(long_log: Path, tmp_path: Path) -> None:
    """A segment missing at the beginning or in the middle is seen without a note, at the end with one."""
    noted = head(long_log)
    count = len(segments(long_log))
    assert count > 3
    for number in range(count):
        folder = copied(long_log, f"{tmp_path.name}-{number}")
        segments(folder)[number].path.unlink()
        if number < count - 1:
            assert "a segment is missing" in problems(folder)
        else:
            verify(folder, CHECK, None)
            assert "cut off" in problems(folder, noted)


def test_spliced_histories_are_seen(long_log: Path, tmp_path: Path) -> None:
    """Segments of two histories that the same key signed (a restored copy that went on) do not pass as one."""
    other = written(tmp_path / "other", turns=12, each=3, segment_limit=2500)
    assert [one.path.name for one in segments(other)] == [one.path.name for one in segments(long_log)]
    folder = copied(long_log, tmp_path.name)
    segments(folder)[0].path.write_bytes(segments(other)[0].path.read_bytes())
    assert "does not follow from the segment before it" in problems(folder)


def test_segment_cut_in_the_middle_of_the_log_is_seen(long_log: Path, tmp_path: Path) -> None:
    """A segment that is not the last one must end with a checkpoint, and the next must follow it."""
    folder = copied(long_log, tmp_path.name)
    path = segments(folder)[1].path
    path.write_bytes(path.read_bytes()[:-1])
    assert "no checkpoint signs" in problems(folder)
    path.write_bytes(path.read_bytes()[: parts(path)[1][3].end])
    assert "a segment is missing" in problems(folder) or "does not follow" in problems(folder)


def test_no_log_is_seen(tmp_path: Path) -> None:
    """An empty folder is no log."""
    assert "no segments" in problems(tmp_path)


def test_torn_tail_does_not_count(log: Path, tmp_path: Path) -> None:
    """What stands behind the last checkpoint is neither counted nor held against the log."""
    folder = rewritten(log, tmp_path, list(range(18)))
    data = only(folder).read_bytes()
    entry = raw(parts(only(log))[1][17])
    for tail in (b"\0", entry[:50], bytes(500)):
        only(folder).write_bytes(data + tail)
        report = verify(folder, CHECK, head(log))
        assert (report.records, report.unsigned) == (18, len(tail))


@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_other_arrangement_is_seen(log: Path, tmp_path: Path, data: st.DataObject) -> None:
    """No selection and order of the entries but a true one passes against the noted head."""
    order = data.draw(st.lists(st.integers(0, 17), min_size=10, max_size=22))
    folder = tmp_path / "log"
    folder.mkdir(exist_ok=True)
    header, entries = parts(only(log))
    (folder / "0000000000000001.log").write_bytes(header + b"".join(raw(entries[at]) for at in order))
    if order != list(range(18)):
        problems(folder, head(log))


def test_growing_log_verifies(tmp_path: Path) -> None:
    """While records are appended, and segments change, verification never complains."""
    folder = tmp_path / "log"
    log = opened(folder)
    log.segment_limit = 20_000
    stop = threading.Event()

    def grow() -> None:
        number = 0
        while not stop.is_set():
            log.append([use(number + more) for more in range(5)])
            number += 5

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        seen = [0]
        while seen[-1] < 300:
            seen.append(verify(folder, CHECK, None).records)
    finally:
        stop.set()
        writer.join()
        log.close()
    assert seen == sorted(seen)
    assert verify(folder, CHECK, (log.position.sequence, log.position.head)).segments > 1


def test_wrong_public_key_is_refused() -> None:
    """A public key of a wrong length is no public key."""
    with pytest.raises(TamperedError):
        AuditChecker(bytes(31))
