"""Damage and loss: nothing that does not hold is ever given out, and what is unavailable says so."""

import http.client
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuin.errors import OutcomeUnknown, StoreUnavailable
from fuin.keyholder.wire import line
from fuin.s3 import sweep
from fuin.s3.objects import index
from fuin.settings import SMALL_OBJECT
from tests.support.place import Place
from tests.support.policies import allow

DATA = os.urandom(2_500_000)
NEW = bytes(SMALL_OBJECT + 1)  # a blob


@pytest.fixture
def stored(place: Place, bucket: str, key: str) -> Path:
    """Put the object `k` under SSE-KMS and return its file."""
    before = set(place.blobs())
    place.s3(checksums=False).put_object(
        Bucket=bucket, Key="k", Body=DATA, ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    (blob,) = set(place.blobs()) - before
    return blob


def fetch(place: Place, bucket: str, headers: dict[str, str] | None = None) -> tuple[int, bytes, bool]:
    """Return the status, the body as far as it came, and whether it broke off."""
    try:
        reply = place.send("GET", f"/{bucket}/k", headers)
    except http.client.IncompleteRead as error:
        return 200, error.partial, True
    return reply.status, reply.body, False


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_flipped_bit_is_seen(place: Place, bucket: str, stored: Path, data: Any) -> None:
    """A flipped bit anywhere gives an error, or a body that breaks off before the damage: never wrong bytes."""
    raw = stored.read_bytes()
    at = data.draw(st.integers(0, len(raw) - 1) | st.integers(0, 600), label="at")
    damaged = bytearray(raw)
    damaged[at] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    stored.write_bytes(damaged)
    try:
        status, body, broken = fetch(place, bucket)
    finally:
        stored.write_bytes(raw)
    assert (status == 500 and b"<Code>InternalError</Code>" in body) or (broken and DATA.startswith(body))


@pytest.mark.parametrize("length", [0, 10, 600, 300_000, 2_499_000])
def test_cut_off_blob_is_refused(place: Place, bucket: str, stored: Path, length: int) -> None:
    """A blob that is too short is refused before the status is sent, for ranges as well."""
    os.truncate(stored, length)
    assert fetch(place, bucket)[0] == 500
    assert fetch(place, bucket, {"Range": "bytes=0-9"})[0] == 500


def test_appended_blob_is_refused(place: Place, bucket: str, stored: Path) -> None:
    """A blob that is too long is refused."""
    with stored.open("ab") as file:
        file.write(b"x")
    assert fetch(place, bucket)[0] == 500


def test_blob_of_another_object_is_refused(place: Place, bucket: str, stored: Path, key: str) -> None:
    """Ciphertext moved under another object's file, of the same size and key, does not open."""
    before = set(place.blobs())
    place.s3(checksums=False).put_object(
        Bucket=bucket, Key="z", Body=DATA, ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    (other,) = set(place.blobs()) - before
    stored.write_bytes(other.read_bytes())
    assert fetch(place, bucket)[0] == 500


def test_older_version_of_an_object_is_refused(place: Place, bucket: str, stored: Path, key: str) -> None:
    """The old bytes of the same object, put back into the new one's file, do not open: the message id is the row's."""
    old, before = stored.read_bytes(), set(place.blobs())
    place.s3(checksums=False).put_object(
        Bucket=bucket, Key="k", Body=DATA, ServerSideEncryption="aws:kms", SSEKMSKeyId=key
    )
    place.settle()
    (new,) = set(place.blobs()) - before
    new.write_bytes(old)
    assert fetch(place, bucket)[0] == 500


@pytest.fixture
def in_parts(place: Place, bucket: str) -> tuple[bytes, list[Path]]:
    """Put the object `k` in three equally long parts, and return its bytes and files in order."""
    s3, before = place.s3(checksums=False), set(place.blobs())
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ServerSideEncryption="aws:kms")["UploadId"]
    files: list[Path] = []
    parts, whole = [], b""
    for number in (1, 2, 3):
        data = os.urandom(8 * 1024 * 1024)
        done = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=number, Body=data)
        parts.append({"PartNumber": number, "ETag": done["ETag"]})
        files += set(place.blobs()) - before - set(files)
        whole += data
    s3.complete_multipart_upload(Bucket=bucket, Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    return whole, files


def test_swapped_parts_are_refused(place: Place, bucket: str, in_parts: tuple[bytes, list[Path]]) -> None:
    """Parts under one data key and of one size do not open in each other's place: their message ids are the rows'."""
    whole, files = in_parts
    first, second = files[0].read_bytes(), files[1].read_bytes()
    files[0].write_bytes(second)
    files[1].write_bytes(first)
    assert fetch(place, bucket)[0] == 500
    assert fetch(place, bucket, {"Range": f"bytes={9 * 1024 * 1024}-{9 * 1024 * 1024 + 9}"})[0] == 500
    assert fetch(place, bucket, {"Range": "bytes=-10"})[1] == whole[-10:]


def test_parts_replaced_while_they_are_read(place: Place, bucket: str, in_parts: tuple[bytes, list[Path]]) -> None:
    """A reader of the first part gets the last one's old bytes as well, although the object is deleted meanwhile."""
    headers = place.signed("GET", f"/{bucket}/k")
    with place.connection() as http_connection:
        http_connection.request("GET", f"/{bucket}/k", headers=headers)
        answer = http_connection.getresponse()
        first = answer.read(10)
        place.s3().delete_object(Bucket=bucket, Key="k")
        place.settle()
        assert not any(file.exists() for file in in_parts[1])
        assert first + answer.read() == in_parts[0]


def test_missing_blob_is_an_error(place: Place, bucket: str, stored: Path) -> None:
    """An index row without its blob is 500, not an empty object."""
    stored.unlink()
    assert fetch(place, bucket)[0] == 500


def test_damage_is_recorded_and_shows_no_plaintext(place: Place, bucket: str, stored: Path) -> None:
    """The refusal stands in the audit log; the answer is S3's own text and nothing else."""
    os.truncate(stored, 700)
    reply = place.send("GET", f"/{bucket}/k")
    assert reply.message == "We encountered an internal error. Please try again."
    assert place.drafts(reply.headers["x-amz-request-id"])[-1]["error"] == "InternalError"


def test_object_replaced_while_it_is_read(place: Place, bucket: str, stored: Path) -> None:
    """A reader that has begun gets the old bytes to their end, although the object is replaced meanwhile."""
    headers = place.signed("GET", f"/{bucket}/k")
    with place.connection() as http_connection:
        http_connection.request("GET", f"/{bucket}/k", headers=headers)
        answer = http_connection.getresponse()
        first = answer.read(10)
        place.s3().put_object(Bucket=bucket, Key="k", Body=b"new")
        place.settle()
        assert not stored.exists()
        assert first + answer.read() == DATA
    assert fetch(place, bucket)[1] == b"new"


def test_keyholder_away(place: Place, bucket: str, stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the keyholder nothing is read or written: 503, which SDKs retry; with it, everything is there."""
    monkeypatch.setattr(line, "CONNECT_LIMIT", 0.5)
    before = set(place.blobs())
    place.stop_keyholder()
    try:
        assert fetch(place, bucket)[0] == 503
        reply = place.send("PUT", f"/{bucket}/k", {}, NEW)
        assert (reply.status, reply.code) == (503, "ServiceUnavailable")
    finally:
        place.start_keyholder()
    assert set(place.blobs()) == before
    assert fetch(place, bucket)[1] == DATA


def test_index_that_cannot_commit(place: Place, bucket: str, stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the index cannot be written the answer is 503, the new blob goes, the old object stays."""
    before = set(place.blobs())

    async def failing(*_arguments: object, **_options: object) -> None:
        raise StoreUnavailable("full")

    with monkeypatch.context() as patch:
        patch.setattr(type(place.services.store), "commit", failing)
        reply = place.send("PUT", f"/{bucket}/k", {}, NEW)
    assert (reply.status, reply.code) == (503, "ServiceUnavailable")
    assert set(place.blobs()) == before
    assert fetch(place, bucket)[1] == DATA


def test_commit_of_unknown_outcome_keeps_its_blob(
    place: Place, bucket: str, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit that a crash may bring back finds its blob then; otherwise the start sweep removes it."""
    before = set(place.blobs())

    async def failing(*_arguments: object, **_options: object) -> None:
        raise OutcomeUnknown("fsync")

    with monkeypatch.context() as patch:
        patch.setattr(type(place.services.store), "commit", failing)
        reply = place.send("PUT", f"/{bucket}/k", {}, NEW)
    assert (reply.status, reply.code) == (503, "ServiceUnavailable")
    (left,) = set(place.blobs()) - before
    assert place.run(sweep.sweep(place.services, time.time())) == 1
    assert not left.exists()
    assert fetch(place, bucket)[1] == DATA


def test_write_that_loses_a_race(place: Place, bucket: str, stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A conditional write that is overtaken after its first check is refused by the commit, and its blob goes."""
    before = set(place.blobs())
    monkeypatch.setattr(index, "check_condition", lambda *_arguments: None)
    reply = place.send("PUT", f"/{bucket}/k", {"If-None-Match": "*"}, NEW)
    assert (reply.status, reply.code) == (412, "PreconditionFailed")
    assert set(place.blobs()) == before
    assert fetch(place, bucket)[1] == DATA


def test_readers_and_writers_of_one_object(place: Place, bucket: str) -> None:
    """While an object is replaced without pause, every reader gets one whole version of it."""
    versions = [bytes([number]) * 70_000 for number in range(8)]
    place.send("PUT", f"/{bucket}/k", {}, versions[0])

    def write(number: int) -> bool:
        return place.send("PUT", f"/{bucket}/k", {}, versions[number % 8]).status == 200

    def read(_number: int) -> bool:
        return fetch(place, bucket)[1] in versions

    with ThreadPoolExecutor(8) as threads:
        results = [threads.submit(work, number) for number in range(60) for work in (write, read, read)]
        assert all(result.result() for result in results)
    place.settle()
    assert fetch(place, bucket)[1] in versions


def test_no_file_stays_open(place: Place, bucket: str, stored: Path) -> None:
    """Reads, refused reads and broken ones close their files."""
    user = place.add_user(allow("s3:GetObject"))
    for _ in range(5):
        assert fetch(place, bucket)[0] == 200
        assert place.send("GET", f"/{bucket}/k", user=user).status == 403
    os.truncate(stored, 100_000)
    assert fetch(place, bucket)[0] == 500
    root = str(place.settings.blobs)
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    assert [link for link in links if os.path.exists(link) and os.readlink(link).startswith(root)] == []


@pytest.mark.parametrize("scheme", ["AES256", "aws:kms"])
def test_a_data_key_that_does_not_open_is_an_error_on_the_record(place: Place, bucket: str, scheme: Any) -> None:
    """The keyholder records that it has refused the use, and S3's closing record has the error that it answers."""
    for name in ("k", "z"):
        place.s3(checksums=False).put_object(Bucket=bucket, Key=name, Body=DATA, ServerSideEncryption=scheme)
    place.sql(
        "UPDATE objects SET encryption = (SELECT encryption FROM objects WHERE bucket = :bucket AND key = :other)"
        " WHERE bucket = :bucket AND key = :key",
        bucket=bucket, key=b"k", other=b"z",
    )  # fmt: skip
    reply = place.send("GET", f"/{bucket}/k")
    assert b"<Code>KMS.InvalidCiphertextException</Code>" in reply.body
    use, closing = place.record(reply.headers["x-amz-request-id"])
    assert (use.outcome, closing.draft["error"]) == ("tampered", "KMS.InvalidCiphertextException")
