"""The EBS direct APIs and their clients, shared by the tests of this folder."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.ebs.images import Ebs
from tests.support.place import Place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give all services; tests share them and make snapshots of their own."""
    made = Place(tmp_path_factory.mktemp("ebs") / "data")
    yield made
    made.close()


@pytest.fixture
def ebs(place: Place) -> Ebs:
    """Give the client of the first account's root."""
    return Ebs(place.service("ebs"))


@pytest.fixture
def key(place: Place) -> str:
    """Give the ARN of a KMS key of this test's own."""
    return place.new_key()


@pytest.fixture
def raw(place: Place) -> Any:
    """Give boto3's own client of the first account's root."""
    return place.service("ebs")
