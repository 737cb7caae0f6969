"""All services in one place, and a client of IAM, shared by the tests of this folder."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.place import Place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give all services with two accounts; tests share them and make identities of their own."""
    made = Place(tmp_path_factory.mktemp("identity") / "data")
    yield made
    made.close()


@pytest.fixture
def iam(place: Place) -> Any:
    """Give the client of the first account's root."""
    return place.service("iam")
