"""Fixtures: a keyholder that lives as long as a test module, and one of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.keyholder.process import Holder


@pytest.fixture(scope="module")
def holder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Holder]:
    """Give a running keyholder, shared by the tests of a module."""
    with Holder(tmp_path_factory.mktemp("keyholder")) as running:
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Holder]:
    """Give a keyholder of the test's own, which is not started yet."""
    one = Holder(tmp_path)
    try:
        yield one
    finally:
        one.__exit__(None, None, None)
