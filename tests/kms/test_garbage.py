"""Requests end with their last reference: none waits for the garbage collector, which would cost 20 µs for each."""

import gc
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from fuin.gate.call import Call
from tests.kms.place import Place


def _left(ask: Callable[[], object]) -> int:
    """Return how many calls are still there after some requests that no collection followed."""
    gc.collect()
    gc.disable()
    try:
        before = sum(isinstance(one, Call) for one in gc.get_objects())
        for _ in range(5):
            ask()
        return sum(isinstance(one, Call) for one in gc.get_objects()) - before
    finally:
        gc.enable()


def test_no_request_waits_for_the_collector(place: Place) -> None:
    """What was read, changed, used and refused leaves no call behind, but for the one whose answer is just leaving."""
    kms, none = place.client(), place.client(place.add_user())
    key = kms.create_key()["KeyMetadata"]["KeyId"]

    def refused() -> None:
        with pytest.raises(ClientError):
            none.describe_key(KeyId=key)

    asked: list[Callable[[], object]] = [
        lambda: kms.describe_key(KeyId=key), lambda: kms.generate_random(NumberOfBytes=8),
        lambda: kms.update_key_description(KeyId=key, Description="new"),
        lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256"), refused,
    ]  # fmt: skip
    for ask in asked:
        assert _left(ask) <= 1
