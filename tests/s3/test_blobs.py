"""The files of the blobs: whole or not at all, durable before they count, and swept when nobody names them."""

import errno
import os
from pathlib import Path

import pytest

from fuin.errors import StoreUnavailable
from fuin.s3 import blobs
from fuin.s3.blobs import NewBlob
from tests.support.place import Place

ID = "ab" * 32


def files(root: Path) -> list[str]:
    """Return the names of all files under a folder."""
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def test_blob_appears_whole(tmp_path: Path) -> None:
    """Until the commit there is only an unfinished file; after it, the blob under its name, in two levels."""
    new = NewBlob(tmp_path, ID)
    new.write([b"one", memoryview(b"two")])
    assert files(tmp_path) == [f"{ID}.part"]
    with pytest.raises(FileNotFoundError):
        blobs.open_file(tmp_path, ID)
    new.commit()
    assert (tmp_path / "a" / "ba" / ID).read_bytes() == b"onetwo"
    assert new.size == 6


def test_discarded_blob_leaves_nothing(tmp_path: Path) -> None:
    """Discarding removes the file, also one that was committed, and may be repeated."""
    new = NewBlob(tmp_path, ID)
    new.discard()
    new.write([b"x"])
    new.discard()
    new.discard()
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a" * 63, "A" * 64, f"{ID}/x", f"{ID}\n"])
def test_only_ids_become_paths(tmp_path: Path, name: str) -> None:
    """Nothing but 64 hexadecimal digits ever becomes a path."""
    with pytest.raises(ValueError, match="blob id"):
        blobs.place(tmp_path, name)


def test_blob_is_never_written_over(tmp_path: Path) -> None:
    """Two writers of one id cannot meet: the second fails."""
    NewBlob(tmp_path, ID).write([b"x"])
    with pytest.raises(StoreUnavailable):
        NewBlob(tmp_path, ID).write([b"y"])


def test_everything_is_synced_before_the_rename_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is synced before it gets its name, and the folders after."""
    steps: list[str] = []
    sync = os.fsync

    def noted(handle: int) -> None:
        target = Path(os.readlink(f"/proc/self/fd/{handle}"))
        steps.append(target.name if target != tmp_path else "root")
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    new = NewBlob(tmp_path, ID)
    new.write([b"x"])
    new.commit()
    assert steps == [f"{ID}.part", "ba", "a", "root"]


def test_full_disk_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk while writing or syncing is StoreUnavailable, whichever call sees it."""

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    new = NewBlob(tmp_path, ID)
    new.write([b"x"])
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreUnavailable):
            new.commit()
        patch.setattr(os, "write", full)
        with pytest.raises(StoreUnavailable):
            new.write([b"y"])
    new.discard()
    assert files(tmp_path) == []


def test_put_on_a_full_disk_leaves_nothing(place: Place, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PutObject answers 503, keeps the old object, and removes what it wrote."""
    s3 = place.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    before, write, root = set(place.blobs()), os.write, str(place.settings.blobs)

    def full(handle: int, data: bytes) -> int:
        if os.readlink(f"/proc/self/fd/{handle}").startswith(root) and len(data) > 100_000:
            raise OSError(errno.ENOSPC, "full")
        return write(handle, data)

    monkeypatch.setattr(os, "write", full)
    reply = place.send("PUT", f"/{bucket}/k", {}, bytes(3_000_000))
    assert (reply.status, reply.code) == (503, "ServiceUnavailable")
    assert set(place.blobs()) == before
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"old"


def test_blob_is_in_use_until_it_is_released(tmp_path: Path) -> None:
    """Nobody else gets the lock of a blob from its first byte on, also under its final name, until its writer ends."""
    new = NewBlob(tmp_path, ID)
    new.write([b"x"])
    assert not _can_lock(tmp_path / "a" / "ba" / f"{ID}.part")
    new.commit()
    final = tmp_path / "a" / "ba" / ID
    assert not _can_lock(final)
    new.release()
    assert _can_lock(final)
    new.release()


def _can_lock(path: Path) -> bool:
    file = os.open(path, os.O_RDONLY)
    try:
        return blobs.try_lock(file)
    finally:
        os.close(file)


def test_file_that_is_taken_before_it_is_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep may see a new file in the moment before its lock, and move it: the writer notices, and makes another."""
    taken = tmp_path / "taken"
    lock = blobs._lock

    def late(file: int) -> None:
        if not taken.exists():
            (tmp_path / "a" / "ba" / f"{ID}.part").rename(taken)
        lock(file)

    monkeypatch.setattr(blobs, "_lock", late)
    new = NewBlob(tmp_path, ID)
    new.write([b"whole"])
    new.commit()
    assert (tmp_path / "a" / "ba" / ID).read_bytes() == b"whole"
    assert taken.read_bytes() == b""


def test_lock_that_somebody_keeps_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer waits a moment for a sweep that looks at its new file, and does not wait for ever."""
    monkeypatch.setattr(blobs, "_PAUSES", (0.001,))
    monkeypatch.setattr(blobs, "try_lock", lambda _file: False)
    with pytest.raises(StoreUnavailable):
        NewBlob(tmp_path, ID).write([b"x"])


def test_only_blobs_files_are_found(tmp_path: Path) -> None:
    """The mark, what is out of the way, strangers and links are no blobs; a store without any folder has none."""
    assert list(blobs.stored(tmp_path / "none")) == []
    folder = tmp_path / "a" / "ba"
    for path in (folder, tmp_path / "orphans" / "ba", tmp_path / "a" / "other"):
        path.mkdir(parents=True)
        (path / ID).write_bytes(b"x")
    (folder / f"{ID}.part").write_bytes(b"x")
    (folder / "README").write_bytes(b"x")
    (folder / ("c" * 64)).symlink_to("README")
    assert sorted(blobs.stored(tmp_path)) == [(folder / ID, ID), (folder / f"{ID}.part", "")]
