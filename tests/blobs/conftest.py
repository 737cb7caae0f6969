"""Stores of blobs: files, and buckets of a stand-in, of Fuin itself and of real Ceph."""

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from fuin.testing.kit.users import User
from tests.support import ceph, fake_s3
from tests.support.ceph import Ceph
from tests.support.fake_s3 import FakeS3
from tests.support.place import Place


def use_credentials(patch: pytest.MonkeyPatch, user: User) -> None:
    """Let the chain of credentials find a user's access key."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        patch.delenv(name)
    patch.setenv("AWS_ACCESS_KEY_ID", user.access_key_id)
    patch.setenv("AWS_SECRET_ACCESS_KEY", user.secret_access_key)
    patch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ceph]:
    """Give a running Ceph with a bucket `fuin`."""
    ceph.skip_unless_installed()
    made = Ceph(tmp_path_factory.mktemp("ceph")).start()
    try:
        client = boto3.client(
            "s3", endpoint_url=made.url, region_name="us-east-1", aws_access_key_id=made.user.access_key_id,
            aws_secret_access_key=made.user.secret_access_key,
        )  # fmt: skip
        client.create_bucket(Bucket="fuin")
        client.close()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="session")
def other_fuin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give a Fuin whose S3 stores another's blobs."""
    place = Place(tmp_path_factory.mktemp("other") / "data")
    yield place
    place.close()


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeS3]:
    """Give a bucket that fails as a test says."""
    use_credentials(monkeypatch, User("x", "AKIDEXAMPLE", "secret"))
    with fake_s3.running() as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give an empty folder for files."""
    path = tmp_path / "blobs"
    path.mkdir()
    return path
