"""The key service and its clients, shared by the tests of this folder."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fuin.kms.keys import expiry
from fuin.kms.material import imports
from tests.support.place import Place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give a key service with two accounts; tests share it and make keys of their own."""
    made = Place(tmp_path_factory.mktemp("kms") / "data")
    made.add_names("ann", "bob", "nobody", "pages")
    yield made
    made.close()


@pytest.fixture
def kms(place: Place) -> Any:
    """Give the client of the first account's root."""
    return place.kms()


@pytest.fixture
def new_key(kms: Any) -> Callable[..., str]:
    """Give a maker of keys; it returns their ids."""

    def make(**members: Any) -> str:
        key_id: str = kms.create_key(**members)["KeyMetadata"]["KeyId"]
        return key_id

    return make


@pytest.fixture(scope="session")
def kept_key(place: Place) -> Callable[[str, str], str]:
    """Give the key of a spec and usage that all tests share; RSA keys take their time to be made."""
    made: dict[tuple[str, str], str] = {}

    def key(spec: str, usage: str) -> str:
        if (spec, usage) not in made:
            answer = place.kms().create_key(KeySpec=spec, KeyUsage=usage)
            made[spec, usage] = answer["KeyMetadata"]["KeyId"]
        return made[spec, usage]

    return key


@pytest.fixture
def primary(new_key: Callable[..., str]) -> str:
    """Give a multi-Region key without replicas."""
    return new_key(MultiRegion=True)


@pytest.fixture
def ireland(place: Place) -> Any:
    """Give the client of the first account's root in Ireland."""
    return place.kms(region="eu-west-1")


@pytest.fixture
def pair(kms: Any, primary: str) -> str:
    """Give a multi-Region key with a replica in Ireland."""
    kms.replicate_key(KeyId=primary, ReplicaRegion="eu-west-1")
    return primary


@pytest.fixture
def nothing_due(place: Place) -> None:
    """Let the timed jobs do what other tests have left for them, so that they do nothing else for this one."""
    place.run(expiry.purge(place.services, time.time()))
    place.run(imports.expire_due(place.services, time.time()))
