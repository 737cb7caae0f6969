"""Copies whose source is replaced while it is being opened: they take the new one, as GetObject does."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.blobs.files import blob as files
from fuin.blobs.files import names
from fuin.blobs.files.blob import FileBlob
from fuin.s3.payload import download
from fuin.settings import SMALL_OBJECT
from tests.support.place import Place, error_of

MIB = 1024 * 1024


def new_body(number: int) -> bytes:
    """Return the body of a replacement: too large for its row, since a small object has no file to be opened."""
    return b"new %d" % number + bytes(SMALL_OBJECT)


class Replacement:
    """Replaces `k` whenever a request is about to open one of its files, as often as it is told to."""

    def __init__(self, place: Place, bucket: str, times: int, skipped: int = 0) -> None:
        self._place, self._bucket, self._times, self._skipped = place, bucket, times, skipped
        self._lock = threading.Lock()
        self.count = 0

    def open_file(self, root: Path, blob: str) -> FileBlob:
        """Stand in for the store's `open_file`."""
        with self._lock:
            if self._skipped:
                self._skipped -= 1
            elif self.count < self._times:
                self.count += 1
                self._place.s3().put_object(Bucket=self._bucket, Key="k", Body=new_body(self.count))
                self._place.wait_for(lambda: not names.blob_path(root, blob).exists())
        return self._real(root, blob)

    _real = staticmethod(files.open_file)


def copy(s3: Any, bucket: str) -> bytes:
    """Copy `k` and return what the copy holds."""
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    data: bytes = s3.get_object(Bucket=bucket, Key="copy")["Body"].read()
    return data


def copy_part(s3: Any, bucket: str) -> bytes:
    """Copy `k` as the one part of an upload and return what the object holds."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="copy")["UploadId"]
    source = {"Bucket": bucket, "Key": "k"}
    done = s3.upload_part_copy(Bucket=bucket, Key="copy", UploadId=upload, PartNumber=1, CopySource=source)
    parts = [{"PartNumber": 1, "ETag": done["CopyPartResult"]["ETag"]}]
    s3.complete_multipart_upload(Bucket=bucket, Key="copy", UploadId=upload, MultipartUpload={"Parts": parts})
    data: bytes = s3.get_object(Bucket=bucket, Key="copy")["Body"].read()
    return data


def get(s3: Any, bucket: str) -> bytes:
    """Return what `k` holds."""
    data: bytes = s3.get_object(Bucket=bucket, Key="k")["Body"].read()
    return data


@pytest.mark.parametrize("read", [copy, copy_part, get])
def test_the_new_object_is_taken(
    place: Place, bucket: str, monkeypatch: pytest.MonkeyPatch, read: Callable[[Any, str], bytes]
) -> None:
    """An object that is replaced twice between index and file is looked up again, and read as it is then."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=new_body(0))
    monkeypatch.setattr(files, "open_file", Replacement(place, bucket, 2).open_file)
    assert read(place.s3(), bucket) == new_body(2)


@pytest.mark.parametrize("read", [copy, copy_part, get])
def test_an_object_that_is_replaced_all_the_time(
    place: Place, bucket: str, monkeypatch: pytest.MonkeyPatch, read: Callable[[Any, str], bytes]
) -> None:
    """The client is asked to try again, which SDKs do by themselves."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=new_body(0))
    monkeypatch.setattr(files, "open_file", Replacement(place, bucket, 99).open_file)
    with pytest.raises(ClientError) as error:
        read(place.s3(), bucket)
    assert error_of(error.value)[:2] == (503, "SlowDown")


@pytest.mark.parametrize("read", [copy, copy_part])
def test_a_source_of_many_parts(
    place: Place, bucket: str, monkeypatch: pytest.MonkeyPatch, read: Callable[[Any, str], bytes]
) -> None:
    """Files beyond the first 256 are opened as the copy gets there; when they have gone, the client tries again."""
    upload(place, bucket)
    before = len(place.blobs())
    monkeypatch.setattr(download, "_OPEN_AT_ONCE", 1)
    monkeypatch.setattr(files, "open_file", Replacement(place, bucket, 1, skipped=1).open_file)
    with pytest.raises(ClientError) as error:
        read(place.s3(), bucket)
    assert error_of(error.value)[:2] == (503, "SlowDown")
    place.settle()
    assert len(place.blobs()) == before - 1  # two parts went, one object came, and of the copy nothing is left
    assert read(place.s3(), bucket) == new_body(1)


@pytest.mark.parametrize("read", [copy, copy_part])
@pytest.mark.parametrize("at_once", [256, 1])
def test_a_lost_file_is_an_error(
    place: Place, bucket: str, monkeypatch: pytest.MonkeyPatch, read: Callable[[Any, str], bytes], at_once: int
) -> None:
    """A file that the index names and that is not there was not replaced: to try again would not help."""
    before = set(place.blobs())
    upload(place, bucket)
    small = min(set(place.blobs()) - before, key=lambda path: path.stat().st_size)
    small.unlink()
    monkeypatch.setattr(download, "_OPEN_AT_ONCE", at_once)
    with pytest.raises(ClientError) as error:
        read(place.s3(), bucket)
    assert error_of(error.value)[:2] == (500, "InternalError")


def upload(place: Place, bucket: str) -> None:
    """Put `k` in two parts."""
    s3 = place.s3(checksums=False)
    upload_id = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    parts = []
    for number, data in ((1, bytes(5 * MIB)), (2, b"end")):
        done = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload_id, PartNumber=number, Body=data)
        parts.append({"PartNumber": number, "ETag": done["ETag"]})
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload_id, MultipartUpload={"Parts": parts})
