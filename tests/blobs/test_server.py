"""`fuin serve --blobs s3://…`: whole servers whose blobs are in another Fuin, and in real Ceph."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from botocore.exceptions import ClientError

from fuin.testing.kit.users import User
from tests.support import environment
from tests.support.ceph import Ceph
from tests.support.processes import wait_until
from tests.support.server import FUIN, REGION, Server, run

pytestmark = pytest.mark.real
MIB = 1024 * 1024
DATA = os.urandom(30 * MIB)


@dataclass
class Remote:
    """An S3 where blobs are stored, and how it ends and comes back."""

    url: str
    user: User
    stop: Callable[[], object]
    start: Callable[[], object]

    def client(self) -> Any:
        """Return a client that looks into it."""
        return boto3.client(
            "s3", endpoint_url=self.url, region_name=REGION, aws_access_key_id=self.user.access_key_id,
            aws_secret_access_key=self.user.secret_access_key,
        )  # fmt: skip

    def keys(self, folder: str = "") -> set[str]:
        """Return the keys of what is stored."""
        client = self.client()
        found = client.get_paginator("list_objects_v2").paginate(Bucket="fuin", Prefix=f"server/{folder}")
        keys = {entry["Key"] for page in found for entry in page.get("Contents", ())}
        client.close()
        return keys


@pytest.fixture(scope="module", params=["fuin", "ceph"])
def remote(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """Give an S3 with a bucket `fuin`."""
    if request.param == "ceph":
        cluster: Ceph = request.getfixturevalue("cluster")
        yield Remote(cluster.url, cluster.user, cluster.stop_gateway, cluster.start_gateway)
        return
    server = Server(tmp_path_factory.mktemp("remote"), workers=1).start()
    try:
        server.client("s3").create_bucket(Bucket="fuin")
        yield Remote(server.url, server.root, server.stop, server.start)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server(remote: Remote, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a server whose blobs are there, and nowhere else."""
    options = ["--blobs", "s3://fuin/server", "--blobs-endpoint", remote.url, "--small-objects", "0"]
    made = Server(tmp_path_factory.mktemp("here"), workers=2, options=options)
    made.start(variables(remote))
    try:
        yield made
    finally:
        made.stop()
    assert list((made.data / "blobs").iterdir()) == []


def variables(remote: Remote) -> dict[str, str]:
    """Return where the standard chain finds the credentials."""
    return {
        "AWS_ACCESS_KEY_ID": remote.user.access_key_id, "AWS_SECRET_ACCESS_KEY": remote.user.secret_access_key,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # of clients in the same shell; it is not for this
    }  # fmt: skip


def test_main_flow(remote: Remote, server: Server) -> None:
    """Put, get, ranges, copies, uploads, lists, deletes and a restart; what is stored is ciphertext."""
    before = remote.keys("blobs/")
    s3 = server.client("s3")
    s3.create_bucket(Bucket="plain")
    for key, body in (("empty", b""), ("small", b"small"), ("large", DATA)):
        s3.put_object(Bucket="plain", Key=key, Body=body)
        assert s3.get_object(Bucket="plain", Key=key)["Body"].read() == body
    for first, last in ((0, 0), (5, 100), (MIB - 1, 9 * MIB), (len(DATA) - 1, len(DATA) - 1)):
        found = s3.get_object(Bucket="plain", Key="large", Range=f"bytes={first}-{last}")["Body"].read()
        assert found == DATA[first : last + 1]
    s3.copy_object(Bucket="plain", Key="copy", CopySource={"Bucket": "plain", "Key": "large"})
    _upload(s3)
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket="plain")["Contents"]] == [
        "copy", "empty", "large", "small", "upload",
    ]  # fmt: skip
    stored = remote.keys("blobs/") - before
    assert len(stored) == 6  # the upload has two parts
    client = remote.client()
    for key in stored:
        assert DATA[:64] not in client.get_object(Bucket="fuin", Key=key)["Body"].read()
    client.close()

    server.stop()
    server.start(variables(remote))
    s3 = server.client("s3")
    for key in ("large", "copy"):
        assert s3.get_object(Bucket="plain", Key=key)["Body"].read() == DATA
    assert s3.get_object(Bucket="plain", Key="upload")["Body"].read() == DATA[: 5 * MIB] + DATA[:1000]
    s3.delete_object(Bucket="plain", Key="large")
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="plain", Key="large")
    wait_until(lambda: bool(remote.keys("removed/")), 30, "the removal is written down")
    server.verify_audit()


def _upload(s3: Any) -> None:
    known = {"Bucket": "plain", "Key": "upload"}
    upload = s3.create_multipart_upload(**known)["UploadId"]
    etags = [
        s3.upload_part(**known, UploadId=upload, PartNumber=number, Body=body)["ETag"]
        for number, body in enumerate((DATA[: 5 * MIB], DATA[:1000]), 1)
    ]
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    s3.complete_multipart_upload(**known, UploadId=upload, MultipartUpload={"Parts": parts})
    aborted = s3.create_multipart_upload(**known)["UploadId"]
    s3.abort_multipart_upload(**known, UploadId=aborted)


def test_store_that_is_down(remote: Remote, server: Server) -> None:
    """While S3 is away, objects answer 503 and keys are used as before; nothing is lost, and it comes back."""
    s3, kms = server.new_client("s3", retry=False), server.client("kms")
    s3.create_bucket(Bucket="down")
    s3.put_object(Bucket="down", Key="k", Body=DATA)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    remote.stop()
    for operation, members in ((s3.get_object, {"Key": "k"}), (s3.put_object, {"Key": "n", "Body": DATA})):
        with pytest.raises(ClientError) as caught:
            operation(Bucket="down", **members)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
    kms.generate_data_key(KeyId=key, KeySpec="AES_256")
    assert s3.list_objects_v2(Bucket="down")["KeyCount"] == 1
    remote.start()
    assert s3.get_object(Bucket="down", Key="k")["Body"].read() == DATA
    s3.put_object(Bucket="down", Key="n", Body=DATA)
    assert s3.get_object(Bucket="down", Key="n")["Body"].read() == DATA
    s3.close()


def test_memory(remote: Remote, server: Server) -> None:
    """An object of 300 MiB goes both ways in bounded memory."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket="wide")
    s3.put_object(Bucket="wide", Key="k", Body=DATA)  # what is made once
    s3.get_object(Bucket="wide", Key="k")["Body"].read()
    before = _memory(server.workers())
    s3.put_object(Bucket="wide", Key="k", Body=DATA * 10)
    received, most = 0, 0
    body = s3.get_object(Bucket="wide", Key="k")["Body"]
    while piece := body.read(8 * MIB):
        received += len(piece)
        most = max(most, _memory(server.workers()))
    assert received == 10 * len(DATA)
    assert most - before < 64 * MIB


def _memory(workers: list[psutil.Process]) -> int:
    return sum(worker.memory_info().rss for worker in workers)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--blobs", "http://x/y"], "--blobs takes s3://BUCKET"),
        (["--blobs", "s3://fuin", "--blobs-endpoint", "http://127.0.0.1:9"], "S3 fails at get_object"),
        (["--blobs", "s3://fuin", "--blobs-endpoint", "nonsense"], "Invalid endpoint"),
    ],
)
def test_start_without_its_store(tmp_path: Path, options: list[str], sentence: str) -> None:
    """A server whose blobs cannot be reached does not start, and says why."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    done = run(
        [str(FUIN), "serve", "--data", str(tmp_path / "data"), "--port", "0", *options],
        environment.clean(tmp_path, **keys), check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert sentence in done.stderr
