"""All services in one place, and a client of EC2, shared by the tests of this folder."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.ebs.images import Ebs
from tests.support.place import Place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give all services with two accounts; tests share them and make volumes of their own."""
    made = Place(tmp_path_factory.mktemp("ec2") / "data")
    yield made
    made.close()


@pytest.fixture
def ec2(place: Place) -> Any:
    """Give the client of the first account's root."""
    return place.client("ec2")


@pytest.fixture
def kms(place: Place) -> Any:
    """Give the client of KMS of the first account's root."""
    return place.client("kms")


@pytest.fixture
def ebs(place: Place) -> Ebs:
    """Give the EBS direct APIs as the first account's root."""
    return Ebs(place.service("ebs"))


@pytest.fixture
def key(place: Place) -> str:
    """Give the ARN of a KMS key of this test's own."""
    return place.new_key()
