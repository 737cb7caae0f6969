"""The walk that holds the index's columns about keys against the stored envelopes, on both engines."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, text

from fuin import ids
from fuin.formats.message import Header
from fuin.ledger.check import Difference, LedgerCheck
from fuin.ledger.headers import UnreadableHeader, read_headers
from fuin.store.s3 import buckets, deletions, key_use_rows, uploads, versions
from fuin.store.s3.object_name import ObjectName
from fuin.store.s3.parts import Part
from fuin.store.store import Store
from tests.store import values
from tests.support import envelopes
from tests.support.memory_blobs import MemoryBlobs

KEY_ID, OTHER_ID = "1234abcd-12ab-34cd-56ef-1234567890ab", "ffffabcd-12ab-34cd-56ef-1234567890ab"
ARN, OTHER = (ids.key_arn(values.ACCOUNT, values.REGION, one) for one in (KEY_ID, OTHER_ID))
MATERIAL, OTHER_MATERIAL = bytes(range(32)), bytes(range(32, 64))
DATA_KEY = envelopes.data_key(KEY_ID, MATERIAL)


class Scene:
    """A store, and blobs in memory."""

    def __init__(self, store: Store) -> None:
        self.store, self.blobs = store, MemoryBlobs()
        self.checked = LedgerCheck(store, self.blobs)

    def part(self, number: int = 1, header: bytes | None = None) -> Part:
        """Return a part with a message of its own, by default under the key."""
        part = values.part(number)
        self.blobs.content[part.blob] = bytearray(envelopes.header(ARN, DATA_KEY) if header is None else header)
        return part

    def put(
        self, key: str, *parts: Part, arn: str = ARN, data_key: bytes = DATA_KEY, algorithm: str = "aws:kms"
    ) -> str:
        """Put an object, by default of one part; return the blob of its last part."""
        obj = values.obj(key, *(parts or (self.part(),)))
        self.store.write_sync(versions.publish, replace(obj, encryption=envelopes.encryption(arn, data_key, algorithm)))
        return obj.parts[-1].blob

    def begin_upload(self, *parts: Part) -> None:
        """Begin an upload under the key."""
        upload = replace(values.upload("up", "u"), encryption=envelopes.encryption(ARN, DATA_KEY))
        self.store.write_sync(uploads.insert_upload, upload)
        for part in parts:
            self.store.write_sync(uploads.put_part, "up", part)

    def change(self, statement: str, **given: Any) -> None:
        """Change rows behind the store's back."""
        self.store.write_sync(_execute, statement, given)

    def check(self, pages: int = 2) -> list[Difference]:
        """Walk over everything, in pages of so many rows."""
        self.checked = LedgerCheck(self.store, self.blobs, page_size=pages)
        return asyncio.run(self._collect())

    async def _collect(self) -> list[Difference]:
        return [found async for found in self.checked.run()]

    def sentences(self) -> list[str]:
        """Return the differences for people."""
        return [found.sentence for found in self.check()]


def _execute(conn: Connection, statement: str, given: dict[str, Any]) -> None:
    conn.execute(text(statement), given)


@pytest.fixture
def scene(store: Store) -> Scene:
    """Give a store with a bucket, and blobs."""
    return Scene(store)


def test_what_the_store_has_written_agrees(scene: Scene) -> None:
    """Objects of each scheme and of several parts, uploads, long headers and defaults; each row is looked at once."""
    for number in range(5):
        scene.put(f"key-{number}")
    scene.put("many", *(scene.part(number) for number in range(1, 6)))
    scene.put("long", scene.part(header=envelopes.header(ARN, DATA_KEY, padding=9000)))
    scene.put("sse-s3", algorithm="AES256")
    customer = envelopes.header("SSE-C", b"wrapped", provider="customer")
    scene.put("sse-c", scene.part(header=customer), arn="", data_key=b"wrapped", algorithm="SSE-C")
    under_bucket_key = len(DATA_KEY).to_bytes(2) + DATA_KEY + bytes(80)
    scene.put("bucket-key", scene.part(header=envelopes.header(ARN, under_bucket_key, provider="fuin-bucket-key")))
    scene.put("foreign", scene.part(header=envelopes.header(ARN, b"foreign")), data_key=b"foreign")
    scene.begin_upload(scene.part(1), scene.part(2))
    default = msgspec.json.encode({"algorithm": "aws:kms", "key": "alias/mine"}).decode()
    scene.store.write_sync(buckets.set_encryption, "bucket", default)
    reports: list[int] = []
    assert scene.check() == []
    rows = 1 + (1 + 2) + 11 + 15
    assert (scene.checked.rows, scene.checked.differences) == (rows, 0)
    assert scene.store.read_sync(key_use_rows.count_rows) == rows
    scene.checked = LedgerCheck(scene.store, scene.blobs, reports.append)
    asyncio.run(scene._collect())
    assert sum(reports) == rows
    assert scene.blobs.open_blobs == 0


OBJECT = "object s3://bucket/k, version null"
COLUMN = "the column encryption"


@pytest.mark.parametrize(
    ("column", "value", "stored", "witnesses"),
    [
        ("kms_key_arn", OTHER, ARN, 2),
        ("kms_key_arn", None, ARN, 2),
        ("kms_material_id", OTHER_MATERIAL, MATERIAL.hex(), 2),
        ("kms_material_id", None, MATERIAL.hex(), 2),
        ("scheme", "AES256", "aws:kms", 1),  # a message does not say it
    ],
)
def test_each_column_of_an_object_is_compared(
    scene: Scene, column: str, value: Any, stored: str, witnesses: int
) -> None:
    """A wrong value is named once for each envelope that says otherwise."""
    scene.put("other")
    blob = scene.put("k")
    scene.change(f"UPDATE objects SET {column} = :value WHERE key = :key", value=value, key=b"k")
    shown = value.hex() if isinstance(value, bytes) else value
    places = [(OBJECT, COLUMN), (f"{OBJECT}, part 1", f"the header of blob {blob}")]
    assert scene.sentences() == [
        f"{row}: {column} is {shown} in the index, and {stored} in {place}" for row, place in places[:witnesses]
    ]
    assert scene.checked.differences == witnesses


def test_an_envelope_that_differs_is_found_from_either_side(scene: Scene) -> None:
    """A message under another key, one under none of KMS, and a row whose JSON was changed."""
    scene.put("a", scene.part(1), scene.part(2, envelopes.header(OTHER, envelopes.data_key(OTHER_ID, OTHER_MATERIAL))))
    scene.put("b", scene.part(header=envelopes.header("SSE-C", b"wrapped", provider="customer")))
    scene.put("c")
    scene.change(
        "UPDATE objects SET encryption = :other WHERE key = :key",
        other=envelopes.encryption(OTHER, DATA_KEY), key=b"c",
    )  # fmt: skip
    found = [(one.key, one.part, one.column, one.stored) for one in scene.check()]
    assert sorted(found) == sorted([
        ("a", 2, "kms_key_arn", OTHER), ("a", 2, "kms_material_id", OTHER_MATERIAL.hex()),
        ("b", 1, "scheme", "SSE-C"), ("b", 1, "kms_key_arn", None), ("b", 1, "kms_material_id", None),
        ("c", 0, "kms_key_arn", OTHER),
    ])  # fmt: skip


def test_uploads_and_buckets_are_compared(scene: Scene) -> None:
    """The rows of uploads, their messages, and the default of a bucket."""
    scene.begin_upload(scene.part(1))
    scene.change("UPDATE uploads SET kms_key_arn = :other", other=OTHER)
    scene.change("UPDATE buckets SET kms_key_arn = :other", other=OTHER)
    found = [(one.kind, one.bucket, one.upload, one.part, one.column) for one in scene.check()]
    assert found == [
        ("bucket", "bucket", "", 0, "kms_key_arn"),
        ("upload", "bucket", "up", 0, "kms_key_arn"),
        ("upload", "bucket", "up", 1, "kms_key_arn"),
    ]
    assert scene.sentences()[0] == f"bucket bucket: kms_key_arn is {OTHER} in the index, and None in {COLUMN}"


@pytest.mark.parametrize("spoil", ["remove", "cut", "empty", "foreign"])
def test_a_message_that_cannot_be_read_is_named(scene: Scene, spoil: str) -> None:
    """Its blob is missing, cut off within the header, empty, or no message; the others are compared all the same."""
    scene.put("a")
    blob = scene.put("k")
    scene.put("z")
    whole = scene.blobs.content.pop(blob)
    if spoil != "remove":
        scene.blobs.content[blob] = {"cut": whole[:50], "empty": bytearray(), "foreign": bytearray(b"{}" * 9000)}[spoil]
    [sentence] = scene.sentences()
    assert sentence.startswith(f"{OBJECT}, part 1: the header of blob {blob} cannot be read: ")
    assert ("the blob is missing" in sentence) == (spoil == "remove")
    assert scene.checked.rows == 7


def test_an_envelope_that_cannot_be_parsed_is_named(scene: Scene) -> None:
    """The damaged JSON of one row hides nothing about the others."""
    scene.put("k")
    scene.change("UPDATE objects SET encryption = 'broken'")
    [found] = scene.check()
    assert (found.row, found.column, found.witness) == (OBJECT, "", COLUMN)


@pytest.mark.parametrize("meanwhile", ["remove", "replace", "rewrap", "rewrap twice"])
def test_an_object_that_changes_meanwhile_does_not_differ(scene: Scene, meanwhile: str) -> None:
    """Removed, replaced, or encrypted anew between its page and its message: the row is read again."""
    blob = scene.put("k")
    new = envelopes.data_key(OTHER_ID, OTHER_MATERIAL)

    def remove() -> None:
        scene.store.write_sync(deletions.delete_object, ObjectName("bucket", "k"), None, 6.5)
        del scene.blobs.content[blob]

    def replace_it() -> None:
        remove()
        scene.put("k", scene.part(header=envelopes.header(OTHER, new)), arn=OTHER, data_key=new)

    def rewrap(arn: str = OTHER, data_key: bytes = new, material: bytes = OTHER_MATERIAL) -> None:
        scene.change(
            "UPDATE objects SET encryption = :new, kms_key_arn = :arn, kms_material_id = :material",
            new=envelopes.encryption(arn, data_key), arn=arn, material=material,
        )  # fmt: skip
        scene.blobs.content[blob] = bytearray(envelopes.header(arn, data_key))

    def rewrap_back() -> None:
        rewrap(ARN, DATA_KEY, MATERIAL)

    changes: dict[str, list[Callable[[], None]]] = {
        "remove": [remove],
        "replace": [replace_it],
        "rewrap": [rewrap],
        "rewrap twice": [rewrap, rewrap_back],
    }
    scene.blobs.hook = _Meanwhile(changes[meanwhile])
    assert scene.check() == []


class _Meanwhile:
    """Something else happens each time that blobs are opened, until nothing is left."""

    def __init__(self, changes: Sequence[Callable[[], None]]) -> None:
        self._changes = list(changes)

    async def __call__(self, step: str) -> None:
        if step == "open" and self._changes:
            await asyncio.to_thread(self._changes.pop(0))


def test_a_missing_blob_hides_no_header(scene: Scene) -> None:
    """Of blobs that are opened together, the others are read."""
    part = scene.part()
    missing, found = asyncio.run(read_headers(scene.blobs, [replace(part, blob="none"), part]))
    assert isinstance(missing, UnreadableHeader)
    assert isinstance(found, Header)
    assert found.encrypted_data_keys[0].info == ARN.encode()


def test_the_message_of_a_small_object_is_read_from_its_row(scene: Scene) -> None:
    """One that agrees, one under another key, and one that is cut off; no blob is looked for."""
    whole, foreign = envelopes.header(ARN, DATA_KEY), envelopes.header(OTHER, envelopes.data_key(OTHER_ID, MATERIAL))
    for key, content in (("cut", whole[:50]), ("good", whole), ("other", foreign)):
        scene.put(key, values.part(content=content))
    found = [(one.key, one.column, one.stored) for one in scene.check()]
    assert [(key, column) for key, column, _ in found] == [("cut", ""), ("other", "kms_key_arn")]
    assert found[1] == ("other", "kms_key_arn", OTHER)
    assert scene.blobs.content == {}


def test_a_store_that_fails_ends_the_walk(scene: Scene) -> None:
    """It is not taken for a difference."""
    scene.put("k")

    async def fail(_: str) -> None:
        raise OSError("no answer")

    scene.blobs.hook = fail
    with pytest.raises(OSError, match="no answer"):
        scene.check()
