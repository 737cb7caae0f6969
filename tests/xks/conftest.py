"""Fixtures: a keyholder for a module, a proxy for a test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fuin.testing.xks_proxy.server import Proxy, Server
from tests.keyholder.process import Holder
from tests.support.certificates import Authority
from tests.xks.scene import ACCESS_KEY_ID, HOST, SECRET, Scene


@pytest.fixture(scope="session")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holder]:
    """Give a running keyholder."""
    with Holder(tmp_path_factory.mktemp("keyholder")) as running:
        yield running


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Give a certificate authority."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def scene(tmp_path: Path, holder: Holder, authority: Authority) -> Iterator[Scene]:
    """Give a proxy and all that asks it."""
    proxy = Proxy("/pre-fix", credentials={ACCESS_KEY_ID: SECRET})
    proxy.manager.add("first")
    with Server(proxy, *authority.certificate(HOST)) as server:
        yield Scene(server, authority, holder, tmp_path)
