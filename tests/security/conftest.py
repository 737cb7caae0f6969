"""The object store and the key service in this process, for attacks on both."""

from collections.abc import Iterator

import pytest

from tests.support.place import Place


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give a store with two accounts."""
    place = Place(tmp_path_factory.mktemp("place"))
    yield place
    place.close()
