"""The durable log: what is appended, rotation, a full disk, and who may write."""

import resource
import signal
from pathlib import Path

import pytest

from fuin.audit import folder as log_folder
from fuin.audit import reader
from fuin.audit.folder import LogInUse
from fuin.audit.recovery import AuditDamaged
from fuin.audit.segments import segments
from fuin.audit.verify import verify
from tests.audit.logs import SIGNER, STRANGER, opened, use, written


def test_records_and_one_checkpoint(tmp_path: Path) -> None:
    """A turn's records get one checkpoint, and the position is the checkpoint's."""
    log = opened(tmp_path)
    before = log.position.sequence
    log.append([use(1), use(2), use(3)])
    log.close()
    found = [entry.use for entry in reader.entries(tmp_path, before, checkpoints=True)]
    assert found == ["decrypt"] * 3 + ["checkpoint"]
    assert log.position.sequence == before + 4


def test_log_goes_on_after_reopening(tmp_path: Path) -> None:
    """A second opening continues the chain and says that it began."""
    written(tmp_path)
    log = opened(tmp_path)
    log.append([use(99)])
    log.close()
    report = verify(tmp_path, SIGNER.check, (log.position.sequence, log.position.head))
    assert report.records == log.position.sequence
    assert [entry.use for entry in reader.entries(tmp_path)].count("opened") == 2


def test_segments_follow_each_other(tmp_path: Path) -> None:
    """A full segment ends with a checkpoint, and the next one goes on with the next number."""
    written(tmp_path, turns=20, segment_limit=2000)
    found = segments(tmp_path)
    assert len(found) > 5
    assert found[0].first == 1
    assert all(one.path.stat().st_size <= 2000 for one in found)
    assert verify(tmp_path, SIGNER.check, None).segments == len(found)
    log = opened(tmp_path)
    log.append([use(1)])
    log.close()
    verify(tmp_path, SIGNER.check, (log.position.sequence, log.position.head))


def test_files_are_private(tmp_path: Path) -> None:
    """Segments are for this user only."""
    written(tmp_path)
    assert {one.path.stat().st_mode & 0o777 for one in segments(tmp_path)} == {0o600}


def test_second_writer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two keyholders never write the same log: that would fork the chain."""
    monkeypatch.setattr(log_folder, "_LOCK_WAIT", 0.1)
    first = opened(tmp_path)
    with pytest.raises(LogInUse, match="another keyholder"):
        opened(tmp_path)
    first.close()
    opened(tmp_path).close()


def test_torn_write_is_cut_back(tmp_path: Path) -> None:
    """When the disk takes half of a turn, the file is as before, and the next turn stands in its place."""
    log = opened(tmp_path)
    log.append([use(1)])
    position, size = log.position, segments(tmp_path)[0].path.stat().st_size
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 150, limits[1]))
    try:
        with pytest.raises(OSError, match="large"):
            log.append([use(2)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert log.position == position
    assert segments(tmp_path)[0].path.stat().st_size == size
    log.append([use(3)])
    log.close()
    verify(tmp_path, SIGNER.check, (log.position.sequence, log.position.head))
    assert reader.find(tmp_path, "r-2") == []


def test_failed_rotation_leaves_the_old_segment_in_use(tmp_path: Path) -> None:
    """When a new segment cannot be made nothing is recorded, and the next try works."""
    log = opened(tmp_path)
    log.segment_limit = 1
    log.append([use(1)])
    blocked = tmp_path / f".{log.position.sequence + 1:016d}.log.new"
    blocked.mkdir()
    with pytest.raises(OSError, match="directory"):
        log.append([use(2)])
    blocked.rmdir()
    log.append([use(3)])
    log.close()
    report = verify(tmp_path, SIGNER.check, (log.position.sequence, log.position.head))
    assert report.records == log.position.sequence


def test_new_segment_that_cannot_be_used_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a new segment was made but cannot be opened, it does not stay in the way of what follows in the old one."""
    log = opened(tmp_path)
    log.segment_limit = 1
    log.append([use(1)])

    def fail(_: Path, __: int) -> None:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(log, "_open", fail)
        with pytest.raises(OSError, match="Too many"):
            log.append([use(2)])
    log.segment_limit = 1_000_000
    log.append([use(3)])
    log.close()
    verify(tmp_path, SIGNER.check, (log.position.sequence, log.position.head))
    opened(tmp_path).close()


def test_log_of_another_key_is_refused(tmp_path: Path) -> None:
    """A keyholder with another root key does not continue this log."""
    written(tmp_path)
    with pytest.raises(AuditDamaged, match="another root key"):
        opened(tmp_path, STRANGER)


@pytest.mark.parametrize(
    ("content", "message"), [(None, "missing"), ("zz", "not a public key"), ("00", "not a public")]
)
def test_spoiled_public_key_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    """A public key that is missing beside records, or malformed, stops the start."""
    written(tmp_path)
    path = tmp_path / "public.key"
    path.unlink() if content is None else path.write_text(content)
    with pytest.raises(AuditDamaged, match=message):
        opened(tmp_path)


def test_vanished_segments_are_refused(tmp_path: Path) -> None:
    """A log that had begun and has no segments is not begun anew."""
    written(tmp_path)
    for one in segments(tmp_path):
        one.path.unlink()
    with pytest.raises(AuditDamaged, match="segments are missing"):
        opened(tmp_path)
