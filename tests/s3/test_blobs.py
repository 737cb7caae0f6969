"""The files of the blobs: whole or not at all, durable before they count, and swept when nobody names them."""

import errno
import os
import time
from pathlib import Path

import pytest

from fuin.errors import StoreUnavailable
from fuin.s3 import blobs
from fuin.s3.blobs import NewBlob
from fuin.s3.sweep import sweep
from tests.s3.place import Place

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


def aged(path: Path, seconds: float) -> Path:
    """Make a file look older."""
    moment = time.time() - seconds
    os.utime(path, (moment, moment))
    return path


def test_sweep_removes_orphans_only(place: Place, bucket: str) -> None:
    """Old files that the index does not name go; named ones, young ones and strangers stay."""
    s3 = place.s3()
    before = set(place.blobs())
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="u", UploadId=upload, PartNumber=1, Body=b"kept")
    kept = [aged(path, 100) for path in set(place.blobs()) - before]
    assert len(kept) == 2
    root = place.settings.blobs

    def make(blob: str, suffix: str, age: float) -> Path:
        path = blobs.place(root, blob).with_name(blob + suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        return aged(path, age)

    orphan, unfinished = make("0" * 64, "", 100), make("1" * 64, ".part", 100)
    young, under_way = make("2" * 64, "", 0), make("3" * 64, ".part", 0)
    stranger = aged(_written(orphan.parent / "README"), 100)
    started = time.time() - 50
    assert place.run(sweep(place.services, started)) == 2
    assert not orphan.exists()
    assert not unfinished.exists()
    assert all(path.exists() for path in (*kept, young, under_way, stranger))
    for path in (young, under_way, stranger):
        path.unlink()
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept"


def _written(path: Path) -> Path:
    path.write_bytes(b"x")
    return path


def test_empty_store_has_no_orphans(tmp_path: Path) -> None:
    """A store without any blob yet is no error."""
    assert list(blobs.older_than(tmp_path, time.time())) == []
