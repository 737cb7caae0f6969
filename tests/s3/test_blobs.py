"""The files of the blobs: whole or not at all, durable before they count, and swept when nobody names them."""

import asyncio
import errno
import os
from asyncio import Future
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from fuin.blobs.files import blob as reading
from fuin.blobs.files import locks, names
from fuin.blobs.files.new_blob import NewFile
from fuin.blobs.interface import BlobMissing, StoredBlob
from fuin.errors import StoreUnavailable
from tests.support.place import Place

ID = "ab" * 32
T = TypeVar("T")


def done(work: Callable[[], Future[T]]) -> T:
    """Wait for the work's result on an event loop."""

    async def wait() -> T:
        return await work()

    return asyncio.run(wait())


def files(root: Path) -> list[str]:
    """Return the names of all files under a folder."""
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def test_blob_appears_whole(tmp_path: Path) -> None:
    """Until the commit there is only an unfinished file; after it, the blob under its name, in two levels."""
    new = NewFile(tmp_path, ID)
    done(lambda: new.append([b"one", memoryview(b"two")]))
    assert files(tmp_path) == [f"{ID}.part"]
    with pytest.raises(BlobMissing):
        reading.open_blobs(tmp_path, [ID])
    done(new.commit)
    assert (tmp_path / "a" / "ba" / ID).read_bytes() == b"onetwo"
    assert new.size == 6


def test_discarded_blob_leaves_nothing(tmp_path: Path) -> None:
    """Discarding removes the file, also one that was committed, and may be repeated."""
    new = NewFile(tmp_path, ID)
    done(new.discard)
    done(lambda: new.append([b"x"]))
    done(new.discard)
    done(new.discard)
    assert files(tmp_path) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "a" * 63, "A" * 64, f"{ID}/x", f"{ID}\n"])
def test_only_ids_become_paths(tmp_path: Path, name: str) -> None:
    """Nothing but 64 hexadecimal digits ever becomes a path."""
    with pytest.raises(ValueError, match="blob id"):
        names.blob_path(tmp_path, name)


def test_blob_is_never_written_over(tmp_path: Path) -> None:
    """Two writers of one id cannot meet: the second fails."""
    done(lambda: NewFile(tmp_path, ID).append([b"x"]))
    with pytest.raises(StoreUnavailable):
        done(lambda: NewFile(tmp_path, ID).append([b"y"]))


def test_everything_is_synced_before_the_rename_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is synced before it gets its name, and the folders after."""
    steps: list[str] = []
    sync = os.fsync

    def noted(handle: int) -> None:
        target = Path(os.readlink(f"/proc/self/fd/{handle}"))
        steps.append(target.name if target != tmp_path else "root")
        sync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    new = NewFile(tmp_path, ID)
    done(lambda: new.append([b"x"]))
    done(new.commit)
    assert steps == [f"{ID}.part", "ba", "a", "root"]


def test_full_disk_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk while writing or syncing is StoreUnavailable, whichever call sees it."""

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    new = NewFile(tmp_path, ID)
    done(lambda: new.append([b"x"]))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreUnavailable):
            done(new.commit)
        patch.setattr(os, "write", full)
        with pytest.raises(StoreUnavailable):
            done(lambda: new.append([b"y"]))
    done(new.discard)
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
    new = NewFile(tmp_path, ID)
    done(lambda: new.append([b"x"]))
    assert not _can_lock(tmp_path / "a" / "ba" / f"{ID}.part")
    done(new.commit)
    final = tmp_path / "a" / "ba" / ID
    assert not _can_lock(final)
    new.release()
    assert _can_lock(final)
    new.release()


def _can_lock(path: Path) -> bool:
    file = os.open(path, os.O_RDONLY)
    try:
        return locks.try_lock(file)
    finally:
        os.close(file)


def test_file_that_is_taken_before_it_is_locked_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sweep may see a new file in the moment before its lock, and move it: the writer notices, and makes another."""
    taken = tmp_path / "taken"
    lock = locks.lock_new_file

    def late(file: int) -> None:
        if not taken.exists():
            (tmp_path / "a" / "ba" / f"{ID}.part").rename(taken)
        lock(file)

    monkeypatch.setattr(locks, "lock_new_file", late)
    new = NewFile(tmp_path, ID)
    done(lambda: new.append([b"whole"]))
    done(new.commit)
    assert (tmp_path / "a" / "ba" / ID).read_bytes() == b"whole"
    assert taken.read_bytes() == b""


def test_lock_that_somebody_keeps_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer waits a moment for a sweep that looks at its new file, and does not wait for ever."""
    monkeypatch.setattr(locks, "_PAUSES", (0.001,))
    monkeypatch.setattr(locks, "try_lock", lambda _file: False)
    with pytest.raises(StoreUnavailable):
        done(lambda: NewFile(tmp_path, ID).append([b"x"]))


def test_only_blobs_files_are_found(tmp_path: Path) -> None:
    """The mark, orphans, links and files in other folders are no blobs; a store without any folder has no blob."""
    assert list(names.list_files(tmp_path / "none")) == []
    folder = tmp_path / "a" / "ba"
    for path in (folder, tmp_path / "orphans" / "ba", tmp_path / "a" / "other", tmp_path / "a" / "bb"):
        path.mkdir(parents=True)
        (path / ID).write_bytes(b"x")
    (folder / f"{ID}.part").write_bytes(b"x")
    (folder / "README").write_bytes(b"x")
    (folder / ("c" * 64)).symlink_to("README")
    assert set(names.list_files(tmp_path)) == {StoredBlob(ID, ID), StoredBlob(f"{ID}.part", "")}
