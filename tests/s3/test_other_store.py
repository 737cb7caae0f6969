"""The object store over blobs that are no files: it knows of no file, and each wait may take as long as it likes."""

import asyncio
import http.client
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fuin.blobs.interface import BlobStore
from fuin.errors import StoreUnavailable
from fuin.s3 import sweep
from fuin.s3.payload import download
from fuin.server import agreement_notes
from fuin.store.engine import installation
from tests.support.memory_blobs import Hook, MemoryBlobs
from tests.support.place import Place

MIB = 1024 * 1024
DATA = os.urandom(3 * MIB + 1000)
DAY = 86400.0


class MemoryPlace(Place):
    """An object store whose blobs are in memory."""

    def blob_store(self) -> BlobStore:
        """Return the store in memory."""
        self.memory = MemoryBlobs()
        return self.memory

    def settle(self) -> None:
        """Wait until nothing is under way in the store."""
        self.run(self.memory.settle())


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemoryPlace]:
    """Give the object store, in which all objects are blobs; at its end none was left open or was ever a file."""
    place = MemoryPlace(tmp_path_factory.mktemp("elsewhere") / "data")
    place.services.settings = replace(place.settings, small_object_limit=0)
    yield place
    left = list(place.settings.blobs.rglob("*"))
    place.close()
    assert left == []
    assert place.memory.waits > 0


@pytest.fixture
def bucket(elsewhere: MemoryPlace) -> Iterator[str]:
    """Give a bucket; afterwards no blob is open, in use or under way."""
    elsewhere.run(_set_hook(elsewhere.memory, MemoryBlobs().hook))
    yield elsewhere.bucket()
    elsewhere.run(_set_hook(elsewhere.memory, MemoryBlobs().hook))
    elsewhere.settle()
    elsewhere.wait_for(lambda: elsewhere.memory.open_blobs == 0)
    elsewhere.wait_for(lambda: elsewhere.memory.writing == set())


async def _set_hook(memory: MemoryBlobs, hook: Hook) -> None:
    memory.hook = hook


def fail_at(place: MemoryPlace, step: str, after: int = 0) -> None:
    """Let the store fail at each step of a name, but for the first `after` ones."""
    left = [after]

    async def fail(name: str) -> None:
        if name == step:
            left[0] -= 1
            if left[0] < 0:
                raise StoreUnavailable("the store is away")

    place.run(_set_hook(place.memory, fail))


def get(place: MemoryPlace, bucket: str, headers: dict[str, str] | None = None) -> tuple[int, bytes, bool]:
    """Return the status, the body as far as it came, and whether it broke off."""
    try:
        reply = place.send("GET", f"/{bucket}/k", headers)
    except http.client.IncompleteRead as error:
        return 200, error.partial, True
    return reply.status, reply.body, False


@pytest.mark.parametrize("size", [0, 1, 1024, MIB, len(DATA)])
def test_object_comes_back(elsewhere: MemoryPlace, bucket: str, size: int) -> None:
    """What is put comes back, and its replacement removes the old blob."""
    for body in (DATA[:size], DATA[: size // 2]):
        assert elsewhere.send("PUT", f"/{bucket}/k", {}, body).status == 200
        assert get(elsewhere, bucket) == (200, body, False)
    before = len(elsewhere.memory.content)
    assert elsewhere.send("DELETE", f"/{bucket}/k").status == 204
    elsewhere.settle()
    assert len(elsewhere.memory.content) == before - 1


@pytest.mark.parametrize(("first", "last"), [(0, 0), (10, 20), (MIB - 5, 2 * MIB + 5), (len(DATA) - 3, len(DATA) - 1)])
def test_range(elsewhere: MemoryPlace, bucket: str, first: int, last: int) -> None:
    """A range is read from where it is."""
    elsewhere.send("PUT", f"/{bucket}/k", {}, DATA)
    assert get(elsewhere, bucket, {"Range": f"bytes={first}-{last}"}) == (206, DATA[first : last + 1], False)


@pytest.mark.parametrize(("reads", "expected"), [(0, 503), (1, 503), (2, 200), (3, 200)])
def test_store_fails_while_it_is_read(elsewhere: MemoryPlace, bucket: str, reads: int, expected: int) -> None:
    """Before the first batch is verified the answer is 503, later the body breaks off: never wrong bytes."""
    elsewhere.send("PUT", f"/{bucket}/k", {}, DATA)
    fail_at(elsewhere, "read", after=reads)
    status, body, broken = get(elsewhere, bucket)
    assert (status, broken) == (expected, expected == 200)
    assert expected == 503 or (DATA.startswith(body) and len(body) >= MIB)


def test_damage_in_a_later_frame(elsewhere: MemoryPlace, bucket: str) -> None:
    """Bytes that another store has changed break the body off before them."""
    before = set(elsewhere.memory.content)
    elsewhere.send("PUT", f"/{bucket}/k", {}, DATA)
    (blob,) = set(elsewhere.memory.content) - before
    elsewhere.memory.content[blob][-2000] ^= 1
    status, body, broken = get(elsewhere, bucket)
    assert (status, broken) == (200, True)
    assert DATA.startswith(body)


@pytest.mark.parametrize("step", ["append", "commit"])
def test_store_fails_while_it_is_written(elsewhere: MemoryPlace, bucket: str, step: str) -> None:
    """A write that fails is 503; the old object stays, and nothing of the new one."""
    elsewhere.send("PUT", f"/{bucket}/k", {}, b"old")
    before = set(elsewhere.memory.content)
    for after in (0, 1) if step == "append" else (0,):
        fail_at(elsewhere, step, after)
        reply = elsewhere.send("PUT", f"/{bucket}/k", {}, DATA)
        assert (reply.status, reply.code) == (503, "ServiceUnavailable")
        elsewhere.settle()
        assert set(elsewhere.memory.content) == before
    assert get(elsewhere, bucket)[1] == b"old"


def test_wrong_body_leaves_nothing(elsewhere: MemoryPlace, bucket: str) -> None:
    """A body whose digest is wrong is refused where the digest is computed: beside the writing."""
    before = set(elsewhere.memory.content)
    reply = elsewhere.send("PUT", f"/{bucket}/k", elsewhere.md5(b"another"), DATA)
    assert (reply.status, reply.code) == (400, "BadDigest")
    elsewhere.settle()
    assert set(elsewhere.memory.content) == before


def test_others_are_served_while_the_store_waits(elsewhere: MemoryPlace, bucket: str) -> None:
    """While one write waits for the store, the event loop answers others; then the write goes on."""
    go_on = asyncio.Event()
    waiting: list[str] = []

    async def hold(name: str) -> None:
        if name == "commit" and not waiting:
            waiting.append(name)
            await go_on.wait()

    elsewhere.send("PUT", f"/{bucket}/other", {}, b"other")
    elsewhere.run(_set_hook(elsewhere.memory, hold))
    with ThreadPoolExecutor(1) as threads:
        put = threads.submit(elsewhere.send, "PUT", f"/{bucket}/k", {}, DATA)
        elsewhere.wait_for(lambda: bool(waiting))
        assert elsewhere.send("GET", f"/{bucket}/other").body == b"other"
        assert elsewhere.send("PUT", f"/{bucket}/other", {}, b"newer").status == 200
        assert get(elsewhere, bucket)[0] == 404
        elsewhere.run(_set(go_on))
        assert put.result().status == 200
    assert get(elsewhere, bucket) == (200, DATA, False)


async def _set(event: asyncio.Event) -> None:
    event.set()


def _replace_at(place: MemoryPlace, bucket: str, step: str, times: int) -> None:
    """Replace the object `k` whenever the store comes to a step, so often, and remove the old blob before it."""
    left = [times]

    async def put(name: str) -> None:
        if name == step and left[0]:
            left[0] -= 1
            body = b"new %d" % (times - left[0])
            await asyncio.to_thread(place.send, "PUT", f"/{bucket}/k", {}, body)
            await asyncio.gather(*place.memory.removals)

    place.run(_set_hook(place.memory, put))


def test_object_replaced_between_index_and_blob(elsewhere: MemoryPlace, bucket: str) -> None:
    """A reader that comes too late for the old blob gets the new object."""
    elsewhere.send("PUT", f"/{bucket}/k", {}, DATA)
    _replace_at(elsewhere, bucket, "open", 2)
    assert get(elsewhere, bucket) == (200, b"new 2", False)


def test_object_replaced_while_it_is_read(elsewhere: MemoryPlace, bucket: str) -> None:
    """A reader that has opened the old blob gets it to its end."""
    elsewhere.send("PUT", f"/{bucket}/k", {}, DATA)
    _replace_at(elsewhere, bucket, "read", 1)
    assert get(elsewhere, bucket) == (200, DATA, False)
    assert get(elsewhere, bucket) == (200, b"new 1", False)


def test_client_that_goes_away(elsewhere: MemoryPlace, bucket: str) -> None:
    """A reader that ends in the middle closes its blob."""
    s3, large = elsewhere.s3(checksums=False), os.urandom(24 * MIB)
    s3.put_object(Bucket=bucket, Key="large", Body=large)
    body = s3.get_object(Bucket=bucket, Key="large")["Body"]
    assert body.read(10) == large[:10]
    body.close()
    elsewhere.wait_for(lambda: elsewhere.memory.open_blobs == 0)


@pytest.mark.parametrize("at_once", [256, 1])
def test_multipart(elsewhere: MemoryPlace, bucket: str, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Parts, a copied part, their object, a range over both, and a copy of it: each blob is opened in its turn."""
    monkeypatch.setattr(download, "_OPEN_AT_ONCE", at_once)
    s3, first = elsewhere.s3(), os.urandom(5 * MIB)
    s3.put_object(Bucket=bucket, Key="source", Body=DATA)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    known = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    done = [s3.upload_part(**known, PartNumber=1, Body=first)["ETag"]]
    copied = s3.upload_part_copy(**known, PartNumber=2, CopySource={"Bucket": bucket, "Key": "source"})
    done.append(copied["CopyPartResult"]["ETag"])
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(done, 1)]
    s3.complete_multipart_upload(**known, MultipartUpload={"Parts": parts})
    assert get(elsewhere, bucket) == (200, first + DATA, False)
    over = f"bytes={5 * MIB - 10}-{5 * MIB + 9}"
    assert get(elsewhere, bucket, {"Range": over}) == (206, first[-10:] + DATA[:10], False)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "k"})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == first + DATA


def test_abandoned_upload_leaves_nothing(elsewhere: MemoryPlace, bucket: str) -> None:
    """AbortMultipartUpload removes the parts' blobs."""
    s3, before = elsewhere.s3(), set(elsewhere.memory.content)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"part")
    assert set(elsewhere.memory.content) != before
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    elsewhere.settle()
    assert set(elsewhere.memory.content) == before


@pytest.fixture
def swept(elsewhere: MemoryPlace, bucket: str) -> Callable[[], int]:
    """Give the sweep, of a store that has an installation's id and no orphans."""
    elsewhere.run(_installed(elsewhere))

    def sweep_now() -> int:
        return elsewhere.run(sweep.sweep(elsewhere.services, time.time()))

    sweep_now()
    elsewhere.memory.orphans.content.clear()
    elsewhere.memory.orphans.notes.clear()
    return sweep_now


async def _installed(place: Place) -> None:
    await place.services.store.write(installation.put_values, {"installation": "here"})


def test_sweep(elsewhere: MemoryPlace, bucket: str, swept: Callable[[], int]) -> None:
    """What nobody writes and no index names is moved, and deleted late; what is named comes back when it is read."""
    memory, before = elsewhere.memory, set(elsewhere.memory.content)
    elsewhere.send("PUT", f"/{bucket}/k", {}, b"named")
    (named,) = set(memory.content) - before
    whole, unfinished, written = "a" * 64, "b" * 64 + ".part", "c" * 64 + ".part"
    for name in (whole, unfinished, written):
        memory.content[name] = bytearray(b"x")
    memory.writing.add(written)
    assert swept() == 2
    assert set(memory.orphans.content) == {whole, unfinished}
    assert {named, written} <= set(memory.content)
    memory.writing.remove(written)

    [group] = memory.orphans.notes
    memory.orphans.content[named] = (group, memory.content.pop(named))
    assert get(elsewhere, bucket)[1] == b"named"
    memory.orphans.content[named] = (group, memory.content.pop(named))
    later = time.time() + 8 * DAY
    assert elsewhere.run(sweep.expire(elsewhere.services, later)) == 0
    memory.orphans.served += 8 * DAY
    assert elsewhere.run(sweep.expire(elsewhere.services, later)) == 2
    assert set(memory.orphans.content) == {named}
    assert swept() == 1  # what was written, and never finished
    assert named in memory.content


@pytest.mark.parametrize("step", ["list", "hold", "begin", "move", "groups"])
def test_sweep_that_fails_is_tried_again(
    elsewhere: MemoryPlace, bucket: str, swept: Callable[[], int], step: str
) -> None:
    """A store that fails ends this sweep, holds nothing after it, and loses nothing; the next one does the work."""
    memory, orphan = elsewhere.memory, "d" * 64
    memory.content[orphan] = bytearray(b"x")
    fail_at(elsewhere, step)
    with pytest.raises(StoreUnavailable):
        swept()
    assert orphan in memory.content
    assert memory.writing == set()
    elsewhere.run(_set_hook(memory, MemoryBlobs().hook))
    assert swept() == 1


def test_marker(elsewhere: MemoryPlace, bucket: str, swept: object) -> None:
    """A start marks the store, and a long run raises the mark, wherever the blobs are."""
    elsewhere.run(_marked(elsewhere))


async def _marked(place: MemoryPlace) -> Any:
    store, blobs = place.services.store, place.services.blobs
    await agreement_notes.raise_mark(blobs, 5)
    assert place.memory.marker is None, "where no mark is, none is made"
    await agreement_notes.mark(blobs, store)
    mark = await blobs.read_marker()
    assert mark is not None
    assert (mark.installation, mark.serial) == ("here", (await store.read(installation.find_standing)).serial - 1)
    await agreement_notes.raise_mark(blobs, mark.serial + 10)
    assert place.memory.marker is not None
    assert place.memory.marker.serial == mark.serial + 10


def test_no_file_is_made(elsewhere: MemoryPlace) -> None:
    """The folder of the settings stays empty, whatever was put."""
    assert list(Path(elsewhere.settings.blobs).iterdir()) == []


def test_a_rewrap_asks_nothing_of_the_store(elsewhere: MemoryPlace, bucket: str) -> None:
    """No blob is opened, read or written, whatever kind of store it is; the object opens under the new key."""
    s3, old, new = elsewhere.s3(), elsewhere.new_key(), elsewhere.new_key()
    s3.put_object(Bucket=bucket, Key="k", Body=DATA, ServerSideEncryption="aws:kms", SSEKMSKeyId=old)
    before = elsewhere.memory.waits
    s3.update_object_encryption(Bucket=bucket, Key="k", ObjectEncryption={"SSEKMS": {"KMSKeyArn": new}})
    assert elsewhere.memory.waits == before
    elsewhere.kms().disable_key(KeyId=old)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA
