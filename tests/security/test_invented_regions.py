"""Request quotas are counted by Region, and a caller may name whatever Region it likes."""

from collections.abc import Iterator

import pytest

from fuin.gate.throttle import Throttle
from fuin.kms.reach.throttling import read_quotas
from tests.support.place import Place


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give a key service."""
    made = Place(tmp_path_factory.mktemp("regions") / "data")
    yield made
    made.close()


def asked(service: Place, *regions: str) -> list[str]:
    """Return how a listing of keys is answered in each Region."""
    answers = [service.post("TrentService.ListKeys", b"{}", region=region) for region in regions]
    return [body.get("__type", "ok") for _, body, _ in answers]


def test_invented_regions_bring_no_tokens(service: Place) -> None:
    """AWS's Regions have a bucket each, all others have one together: another name makes no new one."""
    service.services.throttle = Throttle(read_quotas(["kms:ListKeys=0.001"]))
    assert asked(service, "us-east-1", "eu-west-1") == ["ok", "ok"]
    assert asked(service, "invented-1", "invented-2", "invented-3") == [
        "ok",
        "ThrottlingException",
        "ThrottlingException",
    ]
    assert asked(service, "us-east-1", "eu-west-1", "ap-south-1") == [
        "ThrottlingException",
        "ThrottlingException",
        "ok",
    ]
