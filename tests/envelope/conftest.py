"""Fixtures: the KMS stand-in, with the AWS settings that lead to it."""

from collections.abc import Iterator

import pytest

from tests.envelope.kms_stand_in import KmsStandIn


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[KmsStandIn]:
    """Give a KMS stand-in that the environment names; there is no default Region."""
    stand_in = KmsStandIn()
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", stand_in.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example-secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    yield stand_in
    stand_in.close()
