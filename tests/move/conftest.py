"""Fixtures: an embedded server with content, and an empty installation beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.nodes.conftest import Installation
from tests.support import fake_s3
from tests.support.fake_s3 import BUCKET
from tests.support.postgres import PostgresServer
from tests.support.server import Server

Move = Callable[..., tuple[int, str]]


@pytest.fixture
def installation(tmp_path: Path, postgres: PostgresServer) -> Iterator[Installation]:
    """Give an empty database and an empty bucket."""
    with postgres.database() as name, fake_s3.running() as bucket:
        made = Installation(tmp_path / "nodes", postgres.url(name), bucket)
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def embedded(tmp_path: Path, installation: Installation) -> Iterator[Server]:
    """Give a running embedded server, whose root access key the nodes know."""
    server = Server(tmp_path / "embedded", workers=1)
    installation.root = server.root
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture
def move_in(installation: Installation, embedded: Server) -> Move:
    """Return a function that runs `fuin move` from the embedded server's folder into the installation."""

    def run(*options: str, check: bool = True, **variables: str) -> tuple[int, str]:
        place = ["--data", str(embedded.data), "--to-database", installation.url]
        blobs = ["--to-blobs", f"s3://{BUCKET}/moved", "--blobs-endpoint", installation.bucket.url]
        secret = ["--passphrase-file", str(installation.passphrase)]
        return installation.fuin("move", *place, *blobs, *secret, *options, check=check, **variables)

    return run


@pytest.fixture
def move_out(installation: Installation) -> Move:
    """Return a function that runs `fuin move` from the installation into a folder."""

    def run(data: Path, *options: str, check: bool = True, **variables: str) -> tuple[int, str]:
        place = ["--data", str(data), "--from-database", installation.url]
        secret = ["--passphrase-file", str(installation.passphrase)]
        return installation.fuin("move", *place, *secret, *options, check=check, **variables)

    return run
