"""The place of the logs' copies: a folder, a bucket of a stand-in, and a bucket of Fuin itself, by one contract."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from fuin.audit.copies import AlreadyThere, Copies, CopyMissing
from fuin.blobs.configuration import configured_copies
from fuin.errors import StoreUnavailable
from fuin.settings import Settings
from fuin.testing.kit.users import User
from tests.blobs.conftest import use_credentials
from tests.support import fake_s3
from tests.support.ceph import Ceph
from tests.support.place import Place

KINDS = ("folder", "stand-in", "fuin", "ceph")


@pytest.fixture(params=KINDS)
def copies(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copies:
    """Give an empty place of each kind."""
    if request.param == "folder":
        return configured_copies(Settings(data=tmp_path))
    prefix = f"deep/{tmp_path.name}"
    if request.param == "stand-in":
        url, bucket = request.getfixturevalue("fake").url, fake_s3.BUCKET
    elif request.param == "fuin":
        place: Place = request.getfixturevalue("other_fuin")
        url, bucket = place.url, "logs"
        use_credentials(monkeypatch, place.root)
        with contextlib.suppress(place.client("s3").exceptions.BucketAlreadyOwnedByYou):
            place.client("s3").create_bucket(Bucket=bucket)
    else:
        cluster: Ceph = request.getfixturevalue("cluster")
        url, bucket = cluster.url, "fuin"
        use_credentials(monkeypatch, cluster.user)
    return configured_copies(Settings(data=tmp_path, blobs_url=f"s3://{bucket}/{prefix}", blobs_endpoint=url))


def test_what_was_put_is_read(copies: Copies) -> None:
    """All of it, and any part; a part behind the end is empty."""
    content = bytes(range(256)) * 20
    copies.put("a/0000000000000001.part/0000000000-0000005120", memoryview(content))
    read = copies.read
    name = "a/0000000000000001.part/0000000000-0000005120"
    assert read(name) == content
    assert read(name, 100, 50) == content[100:150]
    assert read(name, 5000, 500) == content[5000:]
    assert read(name, 6000, 10) == b""
    with pytest.raises(CopyMissing):
        read("a/other")


def test_names_are_written_once(copies: Copies) -> None:
    """A second write of a name is refused, and changes nothing."""
    copies.put("a/x", memoryview(b"first"))
    with pytest.raises(AlreadyThere):
        copies.put("a/x", memoryview(b"second and longer"))
    assert copies.read("a/x") == b"first"


def test_names_are_listed_by_folder(copies: Copies) -> None:
    """With their lengths; a node whose name begins with another's is not among them."""
    for name, size in (("a/1.log", 3), ("a/2.part/0-5", 5), ("ab/1.log", 7), (".keys/a", 1)):
        copies.put(name, memoryview(b"x" * size))
    assert sorted(copies.names("a/")) == [("1.log", 3), ("2.part/0-5", 5)]
    assert list(copies.names(".keys/")) == [("a", 1)]
    assert list(copies.names("nobody/")) == []
    copies.remove(["a/1.log", "a/2.part/0-5", "a/never"])
    assert list(copies.names("a/")) == []
    assert list(copies.names("ab/")) == [("1.log", 7)]


def test_large_copy(copies: Copies) -> None:
    """A whole segment, from a part of a larger buffer."""
    data = bytearray(9 * 1024 * 1024)
    data[-5:] = b"tail!"
    copies.put("a/large.log", memoryview(data)[1:])
    assert copies.read("a/large.log", len(data) - 6, 5) == b"tail!"
    assert list(copies.names("a/")) == [("large.log", len(data) - 1)]


def test_place_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket that cannot be reached is a failure, and not an empty place."""
    use_credentials(monkeypatch, User("x", "AKIDEXAMPLE", "secret"))
    monkeypatch.setattr("fuin.blobs.s3.client._PAUSES", ())
    copies = configured_copies(Settings(data=tmp_path, blobs_url="s3://bucket", blobs_endpoint="http://127.0.0.1:1"))
    tried: tuple[Callable[[], object], ...] = (
        lambda: copies.read("a/x"), lambda: list(copies.names("a/")), lambda: copies.put("a/x", memoryview(b"x")),
    )  # fmt: skip
    for one in tried:
        with pytest.raises(StoreUnavailable):
            one()
