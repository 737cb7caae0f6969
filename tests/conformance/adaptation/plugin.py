"""Put the adaptations in the places from which the suite takes its clients, and note which a test has used."""

import configparser
import os
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.conformance.adaptation import canned_acls, forms, new_buckets, notes
from tests.conformance.adaptation.cleaning import Cleaner

_make_client, _make_resource = boto3.client, boto3.resource


def _adapt(client: Any) -> None:
    if client.meta.service_model.service_name == "s3":
        new_buckets.adapt(client)
        canned_acls.adapt(client)


def _client(*arguments: Any, **options: Any) -> Any:
    client = _make_client(*arguments, **options)
    _adapt(client)
    return client


def _resource(*arguments: Any, **options: Any) -> Any:
    resource = _make_resource(*arguments, **options)
    _adapt(resource.meta.client)
    return resource


def pytest_configure(config: pytest.Config) -> None:
    """Take the place of boto3's clients, of `requests.post`, and of the suite's cleaning up."""
    boto3.client, boto3.resource = _client, _resource
    forms.adapt(_read_secrets())
    from s3tests import functional  # here, since it needs the suite's folder as the current one

    nuke = functional.nuke_bucket
    functional.nuke_bucket = lambda client, bucket: nuke(Cleaner(client, bucket), bucket)


def _read_secrets() -> dict[str, str]:
    config = configparser.RawConfigParser()
    config.read(os.environ["S3TEST_CONF"])
    users = [config[name] for name in config.sections() if "access_key" in config[name]]
    return {user["access_key"]: user["secret_key"] for user in users}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Note the adaptations that a test has used among its properties in the report."""
    notes.used.clear()
    try:
        return (yield)
    finally:
        item.user_properties += [("adaptation", name) for name in sorted(notes.used)]
