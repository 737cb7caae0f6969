"""Every way to write, under every encryption, to each kind of blobs: ciphertext only, and exactly AWS's calls of KMS.

No 16 bytes in a row of the plaintext are among the stored bytes, in the database or in the log. The audit log shows the
calls of KMS that AWS would make, each with its encryption context, the caller and the service in between. At the end
the proof at rest finds nothing.

Source: "Using server-side encryption with AWS KMS keys (SSE-KMS)" and "Uploading and copying objects using multipart
upload": GenerateDataKey to write, Decrypt for parts and for the source of a copy.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Connection, text

from fuin.blobs.interface import BlobStore
from fuin.blobs.s3.address import parse_address
from fuin.blobs.s3.store import S3Blobs
from fuin.gate.bucket_keys import BucketKeys
from fuin.signing import streaming
from fuin.store.engine import installation
from fuin.testing.kit import User
from tests.s3 import chunks
from tests.s3 import test_customer_keys as customer_keys
from tests.support import fake_s3, forms
from tests.support.fake_s3 import FakeS3
from tests.support.place import ACCOUNT, REGION, Place, Reply
from tests.support.policies import allow
from tests.support.proofs import prove

SSE = "x-amz-server-side-encryption"
GENERATE, DECRYPT = "kms:GenerateDataKey", "kms:Decrypt"
RUN = 16  # bytes
TEXT = b"A sentence that everybody can read. "


class Encryption(NamedTuple):
    """The headers of a write, without the key; how often KMS is asked each time; whether KMS sees the bucket's ARN."""

    headers: Mapping[str, str]
    times: int
    is_by_bucket: bool = False


ENCRYPTIONS = {
    "SSE-S3": Encryption({SSE: "AES256"}, 0),
    "SSE-KMS": Encryption({SSE: "aws:kms"}, 1),
    "bucket key": Encryption({SSE: "aws:kms", f"{SSE}-bucket-key-enabled": "true"}, 1, is_by_bucket=True),
    "DSSE-KMS": Encryption({SSE: "aws:kms:dsse"}, 2),
    "SSE-C": Encryption(customer_keys.named(), 0),
}


class RemotePlace(Place):
    """An object store whose blobs are in a bucket."""

    remote: FakeS3

    def blob_store(self) -> BlobStore:
        """Return the bucket."""
        return S3Blobs(parse_address(f"s3://{fake_s3.BUCKET}/here"), endpoint=self.remote.url)


@dataclass
class Kind:
    """An object store, its stored bytes by name, and the plaintexts that were written to it; `size` is that of each."""

    place: Place
    stored: Callable[[], Mapping[str, bytes]]
    size: int = 20_000
    bodies: list[bytes] = field(default_factory=list)


def stored_bytes(place: Place) -> dict[str, bytes]:
    """Return the messages of all blobs and, of small objects, of the rows."""

    def read(conn: Connection) -> dict[str, bytes]:
        return dict(conn.execute(text("SELECT blob, content FROM object_parts WHERE content IS NOT NULL")).all())

    return {file.name: file.read_bytes() for file in place.blobs()} | place.run(place.services.store.read(read))


@pytest.fixture(scope="module", params=["files", "rows", "S3"])
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kind]:
    """Give an object store of this module's own for each kind of blobs."""
    folder = tmp_path_factory.mktemp("written")
    if request.param != "S3":
        place = Place(folder / "data")
        yield Kind(place, partial(stored_bytes, place), size=4800 if request.param == "rows" else 20_000)
        place.close()
        return
    with fake_s3.running() as remote, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setattr(RemotePlace, "remote", remote, raising=False)
        place = RemotePlace(folder / "data")
        place.run(place.services.store.write(installation.put_values, {"installation": "here"}))
        yield Kind(place, lambda: {name: content for name, (content, _) in remote.objects.items()})
        place.close()


@dataclass
class Writer:
    """A user who writes to a bucket under one encryption."""

    place: Place
    bucket: str
    key: str  # the KMS key
    user: User
    encryption: Encryption

    @property
    def headers(self) -> dict[str, str]:
        """Return the headers of a write."""
        named = {f"{SSE}-aws-kms-key-id": self.key} if self.encryption.times else {}
        return {**self.encryption.headers, **named}

    @property
    def customer(self) -> dict[str, str]:
        """Return the headers that each part of an upload brings."""
        return {name: value for name, value in self.encryption.headers.items() if "customer" in name}

    def send(self, method: str, target: str, headers: Mapping[str, str], body: bytes = b"", **options: Any) -> Reply:
        """Send a request as the user, with no bucket key in memory."""
        self.place.services.bucket_keys = BucketKeys()
        reply = self.place.send(method, f"/{self.bucket}/{target}", headers, body, user=self.user, **options)
        assert reply.status == 200, reply.body
        return reply

    def send_signed(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a request that is signed already."""
        self.place.services.bucket_keys = BucketKeys()
        reply = self.place.raw("PUT", f"/{self.bucket}/k", headers, body)
        assert reply.status == 200, reply.body
        return reply

    def calls(self, use: str, key: str = "k", encryption: Encryption | None = None) -> list[tuple[str, str, Any]]:
        """Return the calls that AWS would make for one use of a data key."""
        chosen = encryption or self.encryption
        name = self.bucket if chosen.is_by_bucket else f"{self.bucket}/{key}"
        return [(use, self.key, {"aws:s3:arn": f"arn:aws:s3:::{name}"})] * chosen.times


Step = tuple[Reply, list[tuple[str, str, Any]]]  # an answer, and the calls of KMS that belong to it


def put(writer: Writer, body: bytes) -> Iterator[Step]:
    """Write by PutObject, with the hash of the body."""
    yield writer.send("PUT", "k", writer.headers, body), writer.calls(GENERATE)


def put_unsigned(writer: Writer, body: bytes) -> Iterator[Step]:
    """Write by PutObject without a hash of the body."""
    yield writer.send("PUT", "k", writer.headers, body, payload_hash="UNSIGNED-PAYLOAD"), writer.calls(GENERATE)


def put_chunked(writer: Writer, body: bytes) -> Iterator[Step]:
    """Write by PutObject in signed chunks."""
    headers = {**writer.headers, "content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(body))}
    target = f"/{writer.bucket}/k"
    signed = writer.place.signed("PUT", target, headers, payload_hash=streaming.SIGNED, user=writer.user)
    chunked = chunks.signed(writer.user, signed, [body[:100], body[100:]])
    yield writer.send_signed(signed, chunked), writer.calls(GENERATE)


def put_with_trailer(writer: Writer, body: bytes) -> Iterator[Step]:
    """Write by PutObject in chunks without signatures, with a checksum behind them."""
    headers = {**writer.headers, "content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(body))}
    target = f"/{writer.bucket}/k"
    signed = writer.place.signed("PUT", target, headers, payload_hash=streaming.UNSIGNED_TRAILER, user=writer.user)
    yield writer.send_signed(signed, chunks.unsigned([body[:100], body[100:]], {})), writer.calls(GENERATE)


def post_form(writer: Writer, body: bytes) -> Iterator[Step]:
    """Write by a browser's form."""
    writer.place.services.bucket_keys = BucketKeys()
    fields = {"key": "k", **writer.headers}
    policy = {
        "expiration": forms.in_an_hour(),
        "conditions": [{"bucket": writer.bucket}, *({n: v} for n, v in fields.items())],
    }
    reply = forms.send(writer.place, writer.bucket, forms.signed(writer.user, policy, fields), body)
    assert reply.status == 204, reply.body
    yield reply, writer.calls(GENERATE)


def upload(writer: Writer, body: bytes) -> Iterator[Step]:
    """Write by a multipart upload of one part."""
    yield from _upload(writer, lambda target: writer.send("PUT", target, writer.customer, body), [])


def upload_copy(writer: Writer, body: bytes) -> Iterator[Step]:
    """Write by a multipart upload whose part is copied from an object under SSE-KMS."""
    source = _put_source(writer, body)
    headers = {**writer.customer, "x-amz-copy-source": f"{writer.bucket}/source"}
    yield from _upload(writer, lambda target: writer.send("PUT", target, headers), source)


def _put_source(writer: Writer, body: bytes) -> list[tuple[str, str, Any]]:
    """Write the source of a copy, and return the calls for reading it."""
    kms = {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": writer.key}
    writer.send("PUT", "source", kms, body)
    return writer.calls(DECRYPT, "source", ENCRYPTIONS["SSE-KMS"])


def _upload(writer: Writer, send: Callable[[str], Reply], source: list[tuple[str, str, Any]]) -> Iterator[Step]:
    created = writer.send("POST", "k?uploads", writer.headers)
    yield created, writer.calls(GENERATE)
    target = f"k?uploadId={created.text('UploadId')}"
    part = send(f"{target}&partNumber=1")
    yield part, source + writer.calls(DECRYPT)
    etag = part.headers.get("etag") or part.text("ETag")
    chosen = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    )
    yield writer.send("POST", target, {}, chosen.encode()), []


def copy(writer: Writer, body: bytes) -> Iterator[Step]:
    """Write by CopyObject of an object under SSE-KMS."""
    source = _put_source(writer, body)
    headers = {**writer.headers, "x-amz-copy-source": f"{writer.bucket}/source"}
    yield writer.send("PUT", "k", headers), source + writer.calls(GENERATE)


PATHS = (put, put_unsigned, put_chunked, put_with_trailer, post_form, upload, upload_copy, copy)


def windows(data: bytes, step: int = 1) -> set[bytes]:
    """Return the runs of bytes that begin at each `step`-th place."""
    return {data[at : at + RUN] for at in range(0, len(data) - RUN + 1, step)}


def kms_calls(place: Place, reply: Reply, user: User) -> list[tuple[str, str, Any]]:
    """Return the calls of KMS on the records of a request, all of them by the user through S3.

    SSE-S3 is under a key of the service's own, of which AWS shows nothing.
    """
    drafts = [draft for draft in place.drafts(reply.headers["x-amz-request-id"]) if "use" in draft]
    drafts = [draft for draft in drafts if draft.get("manager") != "SERVICE"]
    for draft in drafts:
        assert draft["principal"] == f"arn:aws:iam::{ACCOUNT}:user/{user.name}"
        assert (draft["accessKey"], draft["via"]) == (user.access_key_id, f"s3.{REGION}.amazonaws.com")
    return [(draft["use"], draft["key"], draft["context"]) for draft in drafts]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ENCRYPTIONS)
def test_ciphertext_and_calls(kind: Kind, path: Callable[[Writer, bytes], Iterator[Step]], name: str) -> None:
    """What is stored has no run of the plaintext; the log has exactly the calls of KMS."""
    place, body = kind.place, TEXT * 50 + os.urandom(kind.size - 50 * len(TEXT))
    user = place.add_user(allow("s3:*", GENERATE, DECRYPT))
    writer = Writer(place, place.bucket(), place.new_key(), user, ENCRYPTIONS[name])
    customer_keys.allow(place, writer.bucket)
    before = kind.stored().keys()
    for reply, expected in path(writer, body):
        assert kms_calls(place, reply, user) == expected
    fetched = place.send("GET", f"/{writer.bucket}/k", writer.customer)
    assert (fetched.status, fetched.body) == (200, body)
    new = {blob: content for blob, content in kind.stored().items() if blob not in before}
    assert sum(map(len, new.values())) > len(body)
    plain = windows(body)
    assert [blob for blob, content in new.items() if plain & windows(content)] == []
    kind.bodies.append(body)


def test_nothing_of_it_is_anywhere_else(kind: Kind) -> None:
    """Neither in the database nor in the log; and the proof at rest finds nothing wrong."""
    assert kind.bodies, "the test before writes"
    plain = set().union(*map(windows, kind.bodies))
    data: Path = kind.place.settings.data
    files = [file for file in data.rglob("*") if file.is_file() and kind.place.settings.blobs not in file.parents]
    assert {"fuin.db", "root.key"} <= {file.name for file in files}
    # A run of twice as many bytes has a window at such a place.
    assert [file.name for file in files if plain & windows(file.read_bytes(), RUN)] == []
    found, counts = prove(kind.place)
    assert found == []
    assert counts.messages == counts.opened + counts.under_customer_keys >= len(kind.bodies)
