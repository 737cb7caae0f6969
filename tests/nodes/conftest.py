"""An installation of many nodes, each a real `fuin serve` with a data folder of its own."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fuin.testing.kit.users import User, new_user
from tests.support import environment, fake_s3
from tests.support.fake_s3 import BUCKET, FakeS3
from tests.support.postgres import PostgresServer
from tests.support.server import FUIN, Server, run

PASSPHRASE = "one passphrase for all nodes"
S3_USER = User("blobs", "AKIDBLOBSEXAMPLE", "secret-of-the-blobs")


class Installation:
    """One database, one bucket for blobs, and the nodes; `root` is the first account's access key."""

    def __init__(self, folder: Path, url: str, bucket: FakeS3) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.url, self.bucket = folder, url, bucket
        self.passphrase = folder / "passphrase"
        self.passphrase.write_text(PASSPHRASE)
        self.root = new_user("root")
        self.nodes: dict[str, Server] = {}

    def variables(self) -> dict[str, str]:
        """Return the environment in which the bucket can be reached."""
        return {
            "AWS_ACCESS_KEY_ID": S3_USER.access_key_id,
            "AWS_SECRET_ACCESS_KEY": S3_USER.secret_access_key,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def fuin(self, *arguments: str, check: bool = True, **variables: str) -> tuple[int, str]:
        """Run a `fuin` verb; return its exit status and all that it said."""
        done = run(
            [str(FUIN), *arguments], environment.clean(self.folder, **self.variables(), **variables), check=check
        )
        return done.returncode, done.stdout + done.stderr

    def init(self, *options: str, node: str = "a", check: bool = True) -> tuple[int, str]:
        """Run `fuin init` in the folder of a node."""
        place = ["--database", self.url, "--node", node, "--data", str(self.data(node))]
        blobs = ["--blobs", f"s3://{BUCKET}/blobs", "--blobs-endpoint", self.bucket.url]
        arguments = [*place, *blobs, "--passphrase-file", str(self.passphrase), *options]
        root = {
            "FUIN_ROOT_ACCESS_KEY_ID": self.root.access_key_id,
            "FUIN_ROOT_SECRET_ACCESS_KEY": self.root.secret_access_key,
        }
        return self.fuin("init", *arguments, check=check, **root)

    def data(self, node: str) -> Path:
        """Return the data folder of a node."""
        return self.folder / node / "data"

    def node(self, name: str) -> Server:
        """Return the server of a node, not started when it is new."""
        if name not in self.nodes:
            options = ["--database", self.url, "--node", name, "--passphrase-file", str(self.passphrase)]
            options += ["--drain", "2"]
            self.nodes[name] = Server(self.folder / name, workers=1, options=options)
            self.nodes[name].root = self.root
        return self.nodes[name]

    def start(self, name: str) -> Server:
        """Start a node, and return when it is ready."""
        return self.node(name).start(self.variables())

    def refused_start(self, node: str, *options: str) -> str:
        """Start a node that must refuse to; return what it says."""
        place = ["--database", self.url, "--node", node, "--data", str(self.data(node)), "--port", "0"]
        if "--passphrase-file" not in options:
            options = (*options, "--passphrase-file", str(self.passphrase))
        status, said = self.fuin("serve", *place, *options, check=False)
        assert status == 1, said
        return said

    def close(self) -> None:
        """End all nodes."""
        for node in self.nodes.values():
            node.kill()


def get_json(url: str) -> tuple[int, Any]:
    """Return the status of an answer and its JSON; status 0 while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except OSError:
        return 0, None


InstallationFactory = Callable[..., Installation]


@pytest.fixture(scope="module")
def bucket() -> Iterator[FakeS3]:
    """Give the bucket of the blobs."""
    with fake_s3.running() as server:
        yield server


@pytest.fixture(scope="module")
def installation(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, bucket: FakeS3
) -> Iterator[Installation]:
    """Give an installation with the nodes a and b, which run; shared by the tests of a file."""
    with postgres.database() as name:
        made = Installation(tmp_path_factory.mktemp("nodes"), postgres.url(name), bucket)
        try:
            made.init()
            for node in ("a", "b"):
                made.start(node)
            yield made
        finally:
            made.close()


@pytest.fixture
def empty(tmp_path: Path, postgres: PostgresServer) -> Iterator[Installation]:
    """Give an empty database and an empty bucket."""
    with postgres.database() as name, fake_s3.running() as bucket:
        made = Installation(tmp_path / f"nodes-{os.getpid()}", postgres.url(name), bucket)
        try:
            yield made
        finally:
            made.close()
