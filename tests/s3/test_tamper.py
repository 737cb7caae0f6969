"""Tampering with stored messages: never a wrong byte, never a success that ends normally, and each damage is found.

Each damage of the table is done to an older and to the newest version of an object, under each encryption. A client
reads it whole and in part, and the proof at rest looks at it with and without the keys.
"""

import http.client
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.s3 import test_customer_keys as customer_keys
from tests.support.damages import DAMAGES, NEEDS_KEY
from tests.support.place import Place
from tests.support.proofs import prove, reasons

SSE = "x-amz-server-side-encryption"
SIZE = 2 * 256 * 1024 + 1000
ENCRYPTIONS: dict[str, Mapping[str, str]] = {
    "SSE-S3": {SSE: "AES256"},
    "SSE-KMS": {SSE: "aws:kms"},
    "bucket key": {SSE: "aws:kms", f"{SSE}-bucket-key-enabled": "true"},
    "DSSE-KMS": {SSE: "aws:kms:dsse"},
    "SSE-C": customer_keys.named(),
}


@dataclass
class Version:
    """A stored version: its bytes, its file, and its address."""

    body: bytes
    file: Path
    target: str


@dataclass
class Scene:
    """A versioned bucket with versions of objects, all of one size."""

    place: Place
    bucket: str
    headers: Mapping[str, str]

    def put(self, key: str) -> Version:
        """Write a version."""
        body, before = os.urandom(SIZE), set(self.place.blobs())
        done = self.place.send("PUT", f"/{self.bucket}/{key}", self.headers, body)
        assert done.status == 200
        (file,) = set(self.place.blobs()) - before
        return Version(body, file, f"/{self.bucket}/{key}?versionId={done.headers['x-amz-version-id']}")

    def read(self, version: Version, span: str = "") -> tuple[int, bytes, bool]:
        """Return the status, the bytes, and whether the answer broke off."""
        headers = {name: value for name, value in self.headers.items() if "customer" in name}
        try:
            reply = self.place.send("GET", version.target, headers | ({"Range": span} if span else {}))
        except http.client.IncompleteRead as error:
            return 200, error.partial, True
        return reply.status, reply.body, False

    def check(self, version: Version, *, needs_key: bool) -> None:
        """Assert that a damaged version is not served, and that the proof finds it."""
        status, body, is_broken = self.read(version)
        assert status >= 500 or (is_broken and version.body.startswith(body)), status
        status, body, _ = self.read(version, "bytes=5-20")
        assert status >= 500 or body == version.body[5:21]
        found, _ = prove(self.place, self.bucket)
        if needs_key and "SSE-C" in self.place_of(version):
            return
        assert [(one.kind, one.blob) for one in found] == [("fault", version.file.name)]
        assert needs_key or reasons(self.place, self.bucket, structure_only=True)

    def place_of(self, version: Version) -> str:
        """Return the name of the encryption."""
        return next(name for name, headers in ENCRYPTIONS.items() if headers is self.headers)


@pytest.fixture(params=ENCRYPTIONS)
def scene(place: Place, bucket: str, request: pytest.FixtureRequest) -> Scene:
    """Give a versioned bucket for one encryption."""
    place.s3().put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    customer_keys.allow(place, bucket)
    return Scene(place, bucket, ENCRYPTIONS[request.param])


def test_every_damage_is_refused_and_found(scene: Scene) -> None:
    """Of an older version and of the newest; the other versions stay readable, and without damage nothing is found."""
    old, new = scene.put("k"), scene.put("k")
    assert reasons(scene.place, scene.bucket) == []
    for number, (name, damage) in enumerate(DAMAGES.items()):
        version, other = (old, new) if number % 2 else (new, old)
        raw = version.file.read_bytes()
        version.file.write_bytes(damage(raw))
        try:
            scene.check(version, needs_key=name in NEEDS_KEY)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from error
        version.file.write_bytes(raw)
        if number < 2:
            assert scene.read(other) == (200, other.body, False)
    assert scene.read(old) == (200, old.body, False)
    assert scene.read(new) == (200, new.body, False)


def test_messages_of_other_objects_and_versions(scene: Scene) -> None:
    """A message in another's file, of one size and one KMS key: neither of them is served, and both are found."""
    old, new, other = scene.put("k"), scene.put("k"), scene.put("o")
    for first, second in ((old, new), (new, other)):
        raw = first.file.read_bytes(), second.file.read_bytes()
        first.file.write_bytes(raw[1])
        second.file.write_bytes(raw[0])
        for version in (first, second):
            assert scene.read(version)[0] == 500
            assert scene.read(version, "bytes=0-9")[0] == 500
        for structure_only in (False, True):
            found, _ = prove(scene.place, scene.bucket, structure_only=structure_only)
            assert {one.blob for one in found} == {first.file.name, second.file.name}
            assert all("message id differs" in one.reason for one in found)
        first.file.write_bytes(raw[0])
        second.file.write_bytes(raw[1])
    assert reasons(scene.place, scene.bucket) == []


def test_one_frame_of_another_message(scene: Scene) -> None:
    """A frame of another version, in its own place: its number and its length are right, its key is not."""
    old, new = scene.put("k"), scene.put("k")
    raw, others = new.file.read_bytes(), old.file.read_bytes()
    at = len(raw) - SIZE // 2
    new.file.write_bytes(raw[:at] + others[at:])
    scene.check(new, needs_key=True)
