"""A node without a lease refuses in each service's own words, and answers again when it has one."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.errors import StoreUnavailable
from fuin.store.engine.leases.page import NO_LEASE
from tests.support.place import Place


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Give all services."""
    made = Place(tmp_path / "place")
    yield made
    made.close()


class _NoLease:
    def epoch(self) -> int:
        """Refuse, as `LeasedEpoch` does."""
        raise StoreUnavailable(NO_LEASE)

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize(
    ("service", "operation", "code", "status"),
    [
        ("kms", "list_keys", "ServiceUnavailable", 503),
        ("s3", "list_buckets", "ServiceUnavailable", 503),
        ("iam", "list_users", "ServiceUnavailable", 503),
        ("sts", "get_caller_identity", "ServiceUnavailable", 503),
    ],
)
def test_without_a_lease_nothing_is_answered(
    place: Place, service: str, operation: str, code: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors that every SDK tries again."""
    ask: Any = getattr(place.service(service), operation)
    ask()
    with monkeypatch.context() as patch:
        patch.setattr(place.services.store, "_freshness", _NoLease())
        with pytest.raises(ClientError) as refusal:
            ask()
    answer = refusal.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    ask()
