"""The object store over blobs that several nodes share: a sweep takes nothing that somebody writes."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, text

from fuin.blobs.interface import BlobStore
from fuin.errors import StoreUnavailable
from fuin.s3 import sweep
from fuin.s3.payload import intake
from fuin.store.engine import installation
from fuin.store.s3 import upload_intents
from tests.support.memory_blobs import MemoryBlobs
from tests.support.place import Place

DATA = bytes(3_000_000)
DAY = 86400.0


class SharedPlace(Place):
    """An object store whose blobs have no locks."""

    def blob_store(self) -> BlobStore:
        """Return the store in memory, shared."""
        self.memory = MemoryBlobs()
        self.memory.is_shared = True
        return self.memory

    async def find_intents(self) -> list[str]:
        """Return the blobs that somebody writes."""
        query = text("SELECT blob FROM blob_intents")
        return await self.services.store.read(lambda conn: list(conn.execute(query).scalars()))

    def intents(self) -> list[str]:
        """Return the blobs that somebody writes, for a test."""
        return self.run(self.find_intents())

    def unlock(self) -> None:
        """Let nothing be in use for the store, as on another node."""
        self.memory.writing.clear()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedPlace]:
    """Give the object store."""
    place = SharedPlace(tmp_path_factory.mktemp("shared") / "data")
    place.run(place.services.store.write(installation.put_values, {"installation": "here"}))
    yield place
    place.close()


@pytest.fixture
def bucket(shared: SharedPlace) -> Iterator[str]:
    """Give a bucket; afterwards nobody has announced a blob."""
    shared.memory.hook = MemoryBlobs().hook
    yield shared.bucket()
    shared.memory.hook = MemoryBlobs().hook
    shared.run(shared.memory.settle())
    assert shared.intents() == []


def test_objects_parts_and_copies_are_announced(shared: SharedPlace, bucket: str) -> None:
    """Each kind of write announces its blob before the first byte, and takes the intent back with the name."""
    announced: list[int] = []

    async def note(step: str) -> None:
        if step == "append":
            announced.append(len(await shared.find_intents()))

    shared.memory.hook = note
    s3 = shared.s3()
    s3.put_object(Bucket=bucket, Key="k", Body=DATA)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    upload = s3.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"]
    etag = s3.upload_part(Bucket=bucket, Key="u", UploadId=upload, PartNumber=1, Body=DATA)["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="u", UploadId=upload, MultipartUpload=parts)
    assert set(announced) == {1}
    assert shared.intents() == []
    assert s3.get_object(Bucket=bucket, Key="u")["Body"].read() == DATA


def test_refused_writes_leave_no_intent(shared: SharedPlace, bucket: str) -> None:
    """A body that is refused, and a write that the index refuses, take the intent back."""
    reply = shared.send("PUT", f"/{bucket}/k", shared.md5(b"another"), DATA)
    assert reply.code == "BadDigest"
    assert shared.intents() == []
    shared.send("PUT", f"/{bucket}/k", {}, b"there")
    replaced: list[str] = []

    async def replace(step: str) -> None:
        if step == "commit" and not replaced:
            replaced.append(step)
            await shared.services.store.write(_change_etags)

    etag = shared.send("HEAD", f"/{bucket}/k").headers["etag"]
    shared.memory.hook = replace
    assert shared.send("PUT", f"/{bucket}/k", {"if-match": etag}, DATA).code == "PreconditionFailed"
    assert replaced


def _change_etags(conn: Connection) -> None:
    conn.execute(text("UPDATE objects SET etag = 'x'"))


def step_at_end(shared: SharedPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be a step `end` when a blob is whole and the index does not name it yet."""
    finish = intake.Intake.finish

    async def finish_and_wait(*arguments: Any) -> Any:
        written = await finish(*arguments)
        await shared.memory.step("end")
        return written

    monkeypatch.setattr(intake.Intake, "finish", finish_and_wait)


def sweep_in(shared: SharedPlace, step: str, days: float) -> list[int]:
    """Sweep when a write comes to a step, as another node does so many days later; return what is moved then."""
    moved: list[int] = []

    async def act(name: str) -> None:
        if name == step and not moved:
            moved.append(-1)
            shared.unlock()
            now = time.time() + days * DAY
            moved[0] = await sweep.sweep(shared.services, now, now)

    shared.memory.hook = act
    return moved


@pytest.mark.parametrize("step", ["append", "commit", "end"])
def test_sweep_of_another_node_takes_nothing_that_is_written(
    shared: SharedPlace, bucket: str, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Whenever it comes, unfinished, whole, or a moment before the index names it, a blob with an intent stays."""
    moved = sweep_in(shared, step, 0.0)
    step_at_end(shared, monkeypatch)
    assert shared.send("PUT", f"/{bucket}/k", {}, DATA).status == 200
    assert moved == [0]
    assert shared.send("GET", f"/{bucket}/k").body == DATA


def test_who_was_given_up_gets_no_name(shared: SharedPlace, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that was stopped for more than a week finds its intent gone: 503, and nothing is named."""
    moved = sweep_in(shared, "end", 8.0)
    step_at_end(shared, monkeypatch)
    reply = shared.send("PUT", f"/{bucket}/k", {}, DATA)
    assert moved == [1]
    assert reply.status == 503
    assert shared.send("GET", f"/{bucket}/k").status == 404


def test_what_a_crash_left_is_moved_late(shared: SharedPlace, bucket: str) -> None:
    """The blob of a writer that is no longer there is in use for a week, and an orphan then."""
    blob, now = "e" * 64, time.time()
    shared.memory.content[blob] = bytearray(b"x")
    shared.run(shared.services.store.write(upload_intents.begin, blob, "node", now))
    assert shared.run(sweep.sweep(shared.services, now, now)) == 0
    assert shared.run(sweep.sweep(shared.services, now + 8 * DAY, 0)) == 0, "one of the two clocks says no"
    assert shared.run(sweep.sweep(shared.services, now + 8 * DAY, now + 8 * DAY)) == 1
    assert blob not in shared.memory.content


def test_intent_that_cannot_be_written(shared: SharedPlace, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its intent a blob is not begun."""

    def failing(*_: object) -> None:
        raise StoreUnavailable("gone")

    before = set(shared.memory.content)
    with monkeypatch.context() as patch:
        patch.setattr(upload_intents, "begin", failing)
        assert shared.send("PUT", f"/{bucket}/k", {}, DATA).status == 503
    assert set(shared.memory.content) == before
