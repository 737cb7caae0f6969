"""Requests end with their last reference: none waits for the garbage collector, which would cost 20 µs for each."""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from fuin.gate.call import Call
from tests.support.place import Place


@contextmanager
def _only_new_objects() -> Iterator[None]:
    """Let `gc.get_objects` return only what is made from now on, and let nothing be collected meanwhile."""
    gc.collect()
    gc.disable()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.enable()


def _calls() -> int:
    return sum(isinstance(one, Call) for one in gc.get_objects())


def test_no_request_waits_for_the_collector(place: Place) -> None:
    """What was read, changed, used and refused leaves no call behind, but for the one whose answer is just leaving."""
    kms, none = place.kms(), place.kms(place.add_user())
    key = kms.create_key()["KeyMetadata"]["KeyId"]

    def refused() -> None:
        with pytest.raises(ClientError):
            none.describe_key(KeyId=key)

    asked: list[Callable[[], object]] = [
        lambda: kms.describe_key(KeyId=key), lambda: kms.generate_random(NumberOfBytes=8),
        lambda: kms.update_key_description(KeyId=key, Description="new"),
        lambda: kms.generate_data_key(KeyId=key, KeySpec="AES_256"), refused,
    ]  # fmt: skip
    with _only_new_objects():
        for ask in asked:
            before = _calls()
            for _ in range(5):
                ask()
            assert _calls() - before <= 1
