"""Fixtures: the KMS stand-in, with the AWS settings that lead to it."""

from collections.abc import Iterator

import pytest

from tests.envelope.kms_stand_in import KmsStandIn, serve_kms


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[KmsStandIn]:
    """Give a KMS stand-in of this test's own."""
    yield from serve_kms(monkeypatch)
