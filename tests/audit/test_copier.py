"""A log's copies: all records, resumed anywhere, never overwritten, and read as a log."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuin.audit import copier as copier_module
from fuin.audit import copies as copies_module
from fuin.audit import reader
from fuin.audit.copier import CopyConflict, LogCopier
from fuin.audit.copies import CopiedLog, Piece, copies_of, nodes, read_key
from fuin.audit.log import Log
from fuin.audit.pieces import MANY, PieceMerger
from fuin.audit.segments import read, segments
from fuin.audit.verify import LogTampered, verify
from fuin.errors import StoreUnavailable
from fuin.keyholder.sealed.audit_signature import AuditChecker
from tests.audit.logs import SIGNER, STRANGER, opened, use
from tests.support.memory_copies import MemoryCopies

CHECK = AuditChecker(SIGNER.public_key)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """Give an open log in the folder `audit`."""
    one = opened(tmp_path / "audit")
    yield one
    one.close()


@pytest.fixture
def copies() -> MemoryCopies:
    """Give an empty place."""
    return MemoryCopies()


def copier(folder: Path, copies: MemoryCopies, merger: PieceMerger | None = None) -> LogCopier:
    """Return a copier of the node `a` that has found where the copies end."""
    made = LogCopier(folder, copies, "a") if merger is None else LogCopier(
        folder, copies, "a", merger.add, merger.finish
    )  # fmt: skip
    made.resume(SIGNER.public_key)
    return made


def whole(folder: Path) -> bytes:
    """Return all bytes of a log."""
    return b"".join(bytes(read(segment.path)) for segment in segments(folder))


def whole_copy(copies: MemoryCopies, folder: Path) -> bytes:
    """Return all bytes of the copies of `a`."""
    folder.mkdir(exist_ok=True)
    copied = CopiedLog(copies, "a", folder)
    return b"".join(bytes(copied.read(segment)) for segment in copied.segments())


def test_copies_are_the_log(log: Log, tmp_path: Path, copies: MemoryCopies) -> None:
    """After each copy the place has all records, verified with the node's key; several segments, in pieces."""
    log.segment_limit = 2000
    one = copier(tmp_path / "audit", copies)
    for turn in range(20):
        log.append([use(turn * 3 + number) for number in range(3)])
        one.copy(log.position)
        assert one.end == log.position
    assert len(segments(tmp_path / "audit")) > 3
    assert whole_copy(copies, tmp_path / "t") == whole(tmp_path / "audit")
    copied = CopiedLog(copies, "a", tmp_path / "t")
    report = verify(copied, CHECK)
    assert (report.sequence, report.head) == (log.position.sequence, log.position.head)
    assert nodes(copies) == ["a"]
    assert read_key(copies, "a") == SIGNER.public_key
    assert [entry.draft["request"] for entry in reader.find(copied, "r-31")] == ["r-31"]
    assert reader.last(copied, 5) == reader.last(tmp_path / "audit", 5)
    assert list(reader.entries(copied)) == list(reader.entries(tmp_path / "audit"))


def test_large_log_is_copied_in_chunks(
    log: Log, tmp_path: Path, copies: MemoryCopies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However much is missing, no piece is larger than a chunk."""
    monkeypatch.setattr(copier_module, "CHUNK", 1000)
    monkeypatch.setattr(copies_module, "CHUNK", 300)
    log.segment_limit = 5000
    for turn in range(20):
        log.append([use(turn * 3 + number) for number in range(3)])
    copier(tmp_path / "audit", copies).copy(log.position)
    assert max(map(len, copies.kept.values())) <= 1000
    assert whole_copy(copies, tmp_path / "t") == whole(tmp_path / "audit")


def test_nothing_beyond_the_durable_end_is_copied(log: Log, tmp_path: Path, copies: MemoryCopies) -> None:
    """The file may hold what the keyholder has not acknowledged."""
    log.append([use(1)])
    durable = log.position
    log.append([use(2)])
    one = copier(tmp_path / "audit", copies)
    one.copy(durable)
    assert one.end == durable
    assert verify(CopiedLog(copies, "a", tmp_path), CHECK).sequence == durable.sequence


def test_copier_resumes(log: Log, tmp_path: Path, copies: MemoryCopies) -> None:
    """A new copier finds the end of the copies, in any segment, and goes on without a gap and without a second copy."""
    log.segment_limit = 1500
    for turn in range(12):
        log.append([use(turn)])
        copier(tmp_path / "audit", copies).copy(log.position)
    assert whole_copy(copies, tmp_path / "t") == whole(tmp_path / "audit")
    assert sum(len(kept) for name, kept in copies.kept.items() if ".part/" in name) == len(whole(tmp_path / "audit"))


def test_failure_loses_nothing(log: Log, tmp_path: Path, copies: MemoryCopies) -> None:
    """After an outage, and after a put whose answer was lost, the same copier goes on."""
    one = copier(tmp_path / "audit", copies)
    log.append([use(1)])
    copies.fails = True
    with pytest.raises(StoreUnavailable):
        one.copy(log.position)
    copies.fails, copies.loses_answer = False, True
    with pytest.raises(StoreUnavailable):
        one.copy(log.position)
    log.append([use(2)])
    one.copy(log.position)
    assert whole_copy(copies, tmp_path / "t") == whole(tmp_path / "audit")


def test_older_log_is_noticed(log: Log, tmp_path: Path, copies: MemoryCopies) -> None:
    """A log that lacks records of its copies is not copied over them, however it goes on."""
    log.append([use(1)])
    old = shutil.copytree(tmp_path / "audit", tmp_path / "old")
    for number in range(2, 9):
        log.append([use(number)])
    copier(tmp_path / "audit", copies).copy(log.position)
    before = dict(copies.kept)
    with pytest.raises(CopyConflict, match="holds record"):
        copier(old, copies)
    back = opened(old)
    for number in range(20, 60):  # now it is longer than the copies
        back.append([use(number)])
    with pytest.raises(CopyConflict, match="an older log was put back"):
        copier(old, copies).copy(back.position)
    back.close()
    assert copies.kept == before


def test_older_log_of_another_segment_is_noticed(log: Log, tmp_path: Path, copies: MemoryCopies) -> None:
    """Also where the copies have a segment more than the log."""
    log.append([use(1)])
    old = shutil.copytree(tmp_path / "audit", tmp_path / "old")
    log.segment_limit = 100
    log.append([use(2)])
    copier(tmp_path / "audit", copies).copy(log.position)
    with pytest.raises(CopyConflict, match="an older log was put back"):
        copier(old, copies)


def test_two_servers_of_one_name(log: Log, tmp_path: Path, copies: MemoryCopies) -> None:
    """A second server with the name of the first finds the copies of another log when it writes."""
    first, second = copier(tmp_path / "audit", copies), opened(tmp_path / "second")
    other = copier(tmp_path / "second", copies)
    log.append([use(1)])
    second.append([use(2)])
    first.copy(log.position)
    before = dict(copies.kept)
    with pytest.raises(CopyConflict):
        other.copy(second.position)
    second.close()
    assert copies.kept == before


def test_other_root_key_is_noticed(tmp_path: Path, log: Log, copies: MemoryCopies) -> None:
    """The log of another installation is not copied under this name."""
    copier(tmp_path / "audit", copies).copy(log.position)
    with pytest.raises(CopyConflict, match="another root key"):
        LogCopier(tmp_path / "audit", copies, "a").resume(STRANGER.public_key)


def test_damaged_log_is_not_copied(log: Log, tmp_path: Path, copies: MemoryCopies) -> None:
    """A record that does not follow in the chain is not put beside good ones."""
    one = copier(tmp_path / "audit", copies)
    log.append([use(1)])
    (segment,) = segments(tmp_path / "audit")
    data = bytearray(segment.path.read_bytes())
    data[data.index(b"r-1")] ^= 1
    segment.path.write_bytes(data)
    with pytest.raises(CopyConflict, match="damaged"):
        one.copy(log.position)
    assert not any(b"-1" in kept for kept in copies.kept.values())


def test_changed_copy_does_not_verify(log: Log, tmp_path: Path, copies: MemoryCopies) -> None:
    """The copies are a log of their own, with the same checks."""
    log.append([use(1)])
    copier(tmp_path / "audit", copies).copy(log.position)
    (name,) = (name for name in copies.kept if ".part/" in name)
    copies.kept[name] = copies.kept[name].replace(b"r-1", b"r-2")
    with pytest.raises(LogTampered):
        verify(CopiedLog(copies, "a", tmp_path), CHECK)


def merged(folder: Path, copies: MemoryCopies) -> tuple[LogCopier, PieceMerger]:
    """Return a copier and the merger of its pieces."""
    merger = PieceMerger(folder, copies, "a")
    return copier(folder, copies, merger), merger


def test_pieces_become_few(log: Log, tmp_path: Path, copies: MemoryCopies) -> None:
    """Thousands of copies of a record each leave some large ones, and the same bytes."""
    folder = tmp_path / "audit"
    one, merger = merged(folder, copies)
    for number in range(MANY * 3 + 5):
        log.append([use(number)])
        one.copy(log.position)
        merger.merge(1)
    pieces = [name for name in copies.kept if ".part/" in name]
    assert len(pieces) == 3 + 5
    assert whole_copy(copies, tmp_path / "t") == whole(folder)
    copier(folder, copies).copy(log.position)


def test_finished_segment_is_one_copy(log: Log, tmp_path: Path, copies: MemoryCopies) -> None:
    """When a segment is over its pieces are gone, also those of a copier that was ended before."""
    folder = tmp_path / "audit"
    log.append([use(0)])
    copier(folder, copies).copy(log.position)
    log.segment_limit = 1000
    one, _ = merged(folder, copies)
    for number in range(1, 12):
        log.append([use(number)])
        one.copy(log.position)
    there = copies_of(copies, "a")
    last = segments(folder)[-1].first
    assert set(there.pieces) == {last}
    assert sorted(there.finished) == [segment.first for segment in segments(folder)[:-1]]
    assert whole_copy(copies, tmp_path / "t") == whole(folder)


def test_merge_that_was_interrupted_is_done_again(log: Log, tmp_path: Path, copies: MemoryCopies) -> None:
    """A whole that was stored without an answer, and pieces of which some are gone already."""
    folder = tmp_path / "audit"
    for number in range(3):
        log.append([use(number)])
        copier(folder, copies).copy(log.position)
    length = len(whole(folder))
    copies.loses_answer = True
    with pytest.raises(StoreUnavailable):
        PieceMerger(folder, copies, "a").finish(1, length)
    pieces = [name for name in copies.kept if ".part/" in name]
    del copies.kept[pieces[0]]
    PieceMerger(folder, copies, "a").finish(1, length)
    assert not any(".part/" in name for name in copies.kept)
    assert whole_copy(copies, tmp_path / "t") == whole(folder)


@pytest.mark.parametrize("restarted", [False, True])
def test_changed_log_does_not_replace_its_copies(
    log: Log, tmp_path: Path, copies: MemoryCopies, restarted: bool
) -> None:
    """Somebody who changes the log on the node's disk finds the pieces still there, with the old records."""
    folder = tmp_path / "audit"
    log.append([use(1)])
    one, merger = merged(folder, copies)
    one.copy(log.position)
    before = dict(copies.kept)
    (segment,) = segments(folder)
    segment.path.write_bytes(segment.path.read_bytes().replace(b"r-1", b"r-2"))
    with pytest.raises(CopyConflict, match="not the same as the log"):
        (PieceMerger(folder, copies, "a") if restarted else merger).finish(1, len(whole(folder)))
    assert copies.kept == before


def test_pieces_that_overlap() -> None:
    """A late piece of an attempt that was given up is passed over; a gap ends what can be read."""
    there = copies_module.NodeCopies(pieces={1: [Piece(0, 10), Piece(10, 30), Piece(10, 20), Piece(40, 50)]})
    assert there.cover(1) == [Piece(0, 10), Piece(10, 30)]
    assert there.length(1) == 30
