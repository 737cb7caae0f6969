"""A server with something in it, for the tests that end it at a named point."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.scene import Prepared, Scene


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Give a data folder with a key, a bucket and an object."""
    return Prepared(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def scene(tmp_path: Path, prepared: Prepared) -> Iterator[Scene]:
    """Give a scene of this test's own."""
    made = Scene(tmp_path, prepared)
    yield made
    made.server.kill()
