"""The object store and its clients, shared by the tests of this folder."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.place import Place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give an object store with its key service; tests share it and make buckets of their own."""
    made = Place(tmp_path_factory.mktemp("s3") / "data")
    yield made
    made.close()


@pytest.fixture
def s3(place: Place) -> Any:
    """Give the client of the first account's root."""
    return place.s3()


@pytest.fixture
def bucket(place: Place) -> str:
    """Give a bucket of this test's own."""
    return place.bucket()


@pytest.fixture(scope="session")
def key(place: Place) -> str:
    """Give the ARN of a KMS key that tests do not change."""
    return place.new_key()
