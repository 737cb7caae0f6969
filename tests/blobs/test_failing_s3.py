"""Blobs on an S3 that fails: 503, silence, cut connections, wrong lengths, lost answers. Never wrong bytes."""

import asyncio
from collections.abc import Callable

import pytest

from fuin.blobs.interface import BlobMissing, StoredBlob
from fuin.blobs.s3 import blob as reading
from fuin.blobs.s3 import client, new_blob, store
from fuin.blobs.s3.address import parse_address
from fuin.blobs.s3.new_blob import Budget
from fuin.blobs.s3.store import S3Blobs
from fuin.errors import FuinError, StoreUnavailable
from tests.blobs.test_contract import DATA, MIB, new_id, read, read_steps, write
from tests.support import fake_s3
from tests.support.fake_s3 import BUCKET, FakeS3

Failure = Callable[[fake_s3._Handler], None]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait a second for a silent S3, and next to nothing between tries."""
    monkeypatch.setattr(client, "_SILENCE", 1.0)
    monkeypatch.setattr(client, "_PAUSES", (0.01, 0.02, 0.04))


@pytest.fixture
def blobs(fake: FakeS3) -> S3Blobs:
    """Give a store on the bucket that fails."""
    return S3Blobs(parse_address(f"s3://{BUCKET}/p"), endpoint=fake.url)


def is_write(request: fake_s3._Handler) -> bool:
    """Return whether a request writes a blob or a part of one."""
    return request.command in {"PUT", "POST"} and "blobs/" in request.key


def is_part(request: fake_s3._Handler) -> bool:
    """Return whether a request writes the second part of a blob."""
    return request.query.get("partNumber") == "2"


def is_read(request: fake_s3._Handler) -> bool:
    """Return whether a request reads a blob."""
    return request.command == "GET" and "blobs/" in request.key


def is_later_read(request: fake_s3._Handler) -> bool:
    """Return whether a request reads a blob beyond its head."""
    return is_read(request) and not request.headers.get("Range", "").startswith("bytes=0-")


@pytest.mark.parametrize("how", [fake_s3.busy, fake_s3.silent, fake_s3.cut])
@pytest.mark.parametrize(
    ("kind", "size"), [(is_write, 10), (is_write, 300_000), (is_write, 20 * MIB), (is_part, 20 * MIB)]
)
def test_write_is_repeated(blobs: S3Blobs, fake: FakeS3, how: Failure, kind: Callable[..., bool], size: int) -> None:
    """A request that fails twice is sent again, with its body; the blob is whole."""
    fake.fail(kind, how, times=2)
    blob = asyncio.run(write(blobs, DATA[:size]))
    assert fake.objects[f"p/blobs/{blob}"][0] == DATA[:size]


@pytest.mark.parametrize("how", [fake_s3.busy, fake_s3.cut])
@pytest.mark.parametrize("size", [10, 20 * MIB])
def test_write_that_goes_on_failing(blobs: S3Blobs, fake: FakeS3, how: Failure, size: int) -> None:
    """A few tries, then StoreUnavailable; when S3 is back, the discard leaves nothing."""

    async def check() -> None:
        fake.fail(is_write, how, times=1000)
        new = blobs.create(new_id())
        with pytest.raises(StoreUnavailable):
            await new.commit([DATA[:size]])
        assert len(fake.seen) <= 4
        fake.before = lambda _request: False
        await new.discard()
        assert fake.objects == {}
        assert fake.uploads == {}

    asyncio.run(check())


@pytest.mark.parametrize("size", [10, 20 * MIB])
def test_lost_answer_of_the_last_step(blobs: S3Blobs, fake: FakeS3, size: int) -> None:
    """S3 has made the object, and its answer is lost: the blob is there, and the writer is told so."""
    lost: list[str] = []

    def after(request: fake_s3._Handler) -> bool:
        last = request.command == ("PUT" if size == 10 else "POST") and "uploads" not in request.query
        if last and not lost:
            lost.append(request.key)
            return True
        return False

    fake.after = after
    blob = asyncio.run(write(blobs, DATA[:size]))
    assert lost == [f"p/blobs/{blob}"]
    assert fake.objects[f"p/blobs/{blob}"][0] == DATA[:size]


def test_part_that_is_not_there_any_longer(blobs: S3Blobs, fake: FakeS3) -> None:
    """An upload that somebody has ended is no blob, whatever S3 says of it."""

    async def check() -> None:
        new = blobs.create(new_id())
        await new.append([DATA[: 16 * MIB]])  # two whole parts: only the completion is left
        fake.uploads.clear()
        with pytest.raises(StoreUnavailable):
            await new.commit()
        with pytest.raises(BlobMissing):
            await blobs.open([new.blob])

    asyncio.run(check())


@pytest.mark.parametrize("how", [fake_s3.busy, fake_s3.silent, fake_s3.cut, fake_s3.cut_in_the_middle])
@pytest.mark.parametrize("kind", [is_read, is_later_read])
def test_read_goes_on(blobs: S3Blobs, fake: FakeS3, how: Failure, kind: Callable[..., bool]) -> None:
    """A read that breaks goes on from where it stopped."""

    async def check() -> None:
        blob = await write(blobs, DATA)
        fake.fail(kind, how, times=2)
        spans = [(at, MIB) for at in range(0, len(DATA), MIB)]
        assert b"".join(await read(blobs, blob, *spans)) == DATA

    asyncio.run(check())


def test_read_does_not_begin_anew(blobs: S3Blobs, fake: FakeS3) -> None:
    """After a cut the next request asks for the bytes that are missing, and for no others."""

    async def check() -> None:
        blob = await write(blobs, DATA)
        (opened,) = await blobs.open([blob])
        fake.fail(is_later_read, fake_s3.cut_in_the_middle)
        fake.seen.clear()
        starts: list[int] = []
        before = fake.before

        def note(request: fake_s3._Handler) -> bool:
            starts.append(int(request.headers["Range"].removeprefix("bytes=").split("-")[0]))
            return before(request)

        fake.before = note
        assert await opened.read(read_steps((2 * MIB, MIB))) == [DATA[2 * MIB : 3 * MIB]]
        opened.close()
        assert len(starts) == 2
        assert starts[0] == 2 * MIB < starts[1] < 3 * MIB

    asyncio.run(check())


@pytest.mark.parametrize("how", [fake_s3.busy, fake_s3.cut, fake_s3.wrong_length])
@pytest.mark.parametrize("kind", [is_read, is_later_read])
def test_read_that_goes_on_failing(blobs: S3Blobs, fake: FakeS3, how: Failure, kind: Callable[..., bool]) -> None:
    """A few tries, then StoreUnavailable, also for an answer that is shorter than it should be."""

    async def check() -> None:
        blob = await write(blobs, DATA)
        fake.fail(kind, how, times=1000)
        with pytest.raises(StoreUnavailable):
            await read(blobs, blob, (0, 10), (MIB, MIB))

    asyncio.run(check())


def test_blob_that_goes_while_it_is_read(blobs: S3Blobs, fake: FakeS3) -> None:
    """A reader that comes for more than an hour after the removal gets an error, not an end."""

    async def check() -> None:
        blob = await write(blobs, DATA)
        (opened,) = await blobs.open([blob])
        fake.objects.clear()
        with pytest.raises(StoreUnavailable):
            await opened.read(read_steps((MIB, MIB)))

    asyncio.run(check())


def test_silence_ends(blobs: S3Blobs, fake: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request to a silent S3 ends by its deadline, however many tries it has left: four, of a second each."""
    tries: list[str] = []

    def count(request: fake_s3._Handler) -> bool:
        tries.append(request.command)
        return True

    fake.fail(count, fake_s3.silent, times=1000)
    with pytest.raises(FuinError):
        blobs._client.call("head_object", patience=1.5, Key="x")
    assert 1 <= len(tries) <= 2


def test_slow_body_ends(blobs: S3Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A blob that S3 takes too slowly is given up at its deadline, in the middle of a part."""
    monkeypatch.setattr(new_blob, "_PATIENCE", -1.0)
    with pytest.raises(StoreUnavailable):
        asyncio.run(write(blobs, DATA))


def test_slow_read_ends(blobs: S3Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that takes too long is given up between two pieces."""
    monkeypatch.setattr(reading, "_PATIENCE", -1.0)

    async def check() -> None:
        blob = await write(blobs, DATA)
        with pytest.raises(StoreUnavailable):
            await read(blobs, blob, (MIB, MIB))

    asyncio.run(check())


def test_memory_is_bounded(fake: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads whose clients are slow keep a part each, and no more of them are taken than fit in memory."""
    monkeypatch.setattr(store, "_MEMORY", 10 * MIB)
    blobs = S3Blobs(parse_address(f"s3://{BUCKET}/p"), endpoint=fake.url)

    async def check() -> None:
        first, second = blobs.create(new_id()), blobs.create(new_id())
        await first.append([DATA[: 7 * MIB]])
        with pytest.raises(StoreUnavailable):
            await second.append([DATA[: 7 * MIB]])
        await second.discard()
        await first.discard()
        assert await write(blobs, DATA)

    asyncio.run(check())


def test_room_is_given_back() -> None:
    """A budget has as much room after a blob as before it."""
    budget = Budget(5)
    budget.take(5)
    with pytest.raises(StoreUnavailable):
        budget.take(1)
    budget.give_back(5)
    budget.take(5)


def test_removal_that_cannot_be_written_down(blobs: S3Blobs, fake: FakeS3) -> None:
    """It never raises; the blob is an orphan for the sweep."""

    async def check() -> None:
        blob = await write(blobs, b"x")
        fake.fail(lambda request: "removed/" in request.key and request.command == "PUT", fake_s3.busy, times=1000)
        await blobs.remove([blob])
        fake.before = lambda _request: False
        hold = await blobs.hold_unused([StoredBlob(blob, blob)])
        assert [stored.name for stored in hold.blobs] == [blob]

    asyncio.run(check())


def test_removals_of_a_moment_share_a_note(fake: FakeS3) -> None:
    """Removals within a second are one small object; another process ends them, and not before their time."""
    soon = S3Blobs(parse_address(f"s3://{BUCKET}/p"), endpoint=fake.url, kept=3600)

    async def check() -> None:
        names = [await write(soon, b"x") for _ in range(30)]
        await soon.remove(names[:1])
        await asyncio.gather(*(soon.remove([name]) for name in names[1:]))
        assert len([key for key in fake.objects if "removed/" in key]) == 2
        other = S3Blobs(parse_address(f"s3://{BUCKET}/p"), endpoint=fake.url)
        assert [removal.is_due for removal in await other.list_removals()] == [False, False]
        for key, (content, moment) in list(fake.objects.items()):
            fake.objects[key] = (content, moment - 3601)
        removals = await other.list_removals()
        assert sorted(name for removal in removals if removal.is_due for name in removal.blobs) == sorted(names)
        for removal in removals:
            await other.end_removal(removal, removal.blobs)
        assert fake.objects == {}

    asyncio.run(check())


def test_damaged_note_deletes_nothing(blobs: S3Blobs, fake: FakeS3) -> None:
    """A note of removals that cannot be read, or that names what is no blob, deletes nothing."""

    async def check() -> None:
        blob = await write(blobs, b"x")
        fake.objects["p/removed/1"] = (b"{", 0.0)
        fake.objects["p/removed/2"] = (b'["../../installation.json"]', 0.0)
        fake.objects["p/installation.json"] = (b"mark", 0.0)
        for removal in await blobs.list_removals():
            assert removal.blobs == []
            await blobs.end_removal(removal, [blob])  # which is not of this removal
        assert set(fake.objects) == {f"p/blobs/{blob}", "p/installation.json"}

    asyncio.run(check())


def test_no_credentials(fake: FakeS3, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Where the chain finds no credentials, the log says so."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    blobs = S3Blobs(parse_address(f"s3://{BUCKET}/p"), endpoint=fake.url)
    with pytest.raises(StoreUnavailable, match="credentials"):
        asyncio.run(write(blobs, b"x"))
    assert "credentials" in caplog.text


@pytest.mark.parametrize(
    "url", ["", "bucket", "http://x/y", "s3://", "s3://B", "s3://bucket/../x", "s3://bucket/a//b", "s3://a b/c"]
)
def test_wrong_address(url: str) -> None:
    """An address that is none is refused with a sentence."""
    with pytest.raises(FuinError, match="s3://BUCKET"):
        parse_address(url)


def test_addresses() -> None:
    """A prefix is a path, with or without a slash at its end."""
    assert parse_address("s3://bucket").key("x") == "x"
    assert parse_address("s3://bucket/a/b/").key("x") == "a/b/x"
    assert parse_address("s3://bucket/a/b").place == "s3://bucket/a/b"
    assert parse_address("s3://bucket/").place == "s3://bucket"
