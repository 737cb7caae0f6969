"""Forms that strangers send to IAM and STS: what is refused is forgotten."""

import gc
import tracemalloc

import pytest

from fuin.identity import query
from fuin.identity.faults import QueryFault

_MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize("begin", [b"Action=%ff&x=", b"Action=a&Action=b&x=", "Action=ü&x=".encode(), b"a&" * 5000])
def test_refused_forms_are_forgotten(begin: bytes) -> None:
    """Nobody who sends forms that are none, for which no signature is needed, fills the memory with them."""

    def send() -> None:
        with pytest.raises(QueryFault):
            query.parse(b"", begin + b"y" * _MEBIBYTE)

    send()
    tracemalloc.start()
    try:
        for _ in range(16):
            send()
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < _MEBIBYTE
