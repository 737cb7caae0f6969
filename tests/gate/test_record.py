"""A record closes by the keyholder's answer, and opens again by whatever is added after it."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from fuin.errors import MaterialDamaged, TamperedError
from fuin.gate.call import Call
from fuin.gate.record import RequestRecord


def new_call() -> Call:
    """Return a call of nobody; nothing here asks the services."""
    nothing: Any = None
    return Call(nothing, "request", "kms", "Decrypt", nothing, "", "us-east-1", 0.0)


async def answer(value: Any) -> Any:
    """Answer as the keyholder does, or raise."""
    if isinstance(value, Exception):
        raise value
    return value


def use(call: Call, value: Any) -> Any:
    """Return what a use of a key gives."""
    waited: Awaitable[Any] = call.use(answer(value))
    return asyncio.run(waited)  # type: ignore[arg-type]


def test_a_new_record_is_open() -> None:
    """Nothing says yet what a request has done."""
    assert RequestRecord().is_open


def test_a_use_closes_the_record() -> None:
    """The keyholder has recorded a use before it answers."""
    call = new_call()
    call.facts["kmsKey"] = "arn"
    assert use(call, [b"key"]) == [b"key"]
    assert not call.record.is_open
    assert not call.record.refused


@pytest.mark.parametrize("added", ["fact", "decision", "commit"])
def test_what_comes_after_a_use_opens_the_record_again(added: str) -> None:
    """The record of the use cannot hold what came later."""
    call = new_call()
    use(call, b"")
    if added == "fact":
        call.facts["bytes"] = 3
    elif added == "decision":
        call.decisions.append({})
    else:
        call.record.serial = 7
    assert call.record.is_open
    use(call, b"")
    assert not call.record.is_open


def test_a_refused_use_is_on_the_record() -> None:
    """A ciphertext that does not open is recorded by the keyholder as well."""
    call = new_call()
    with pytest.raises(TamperedError):
        use(call, TamperedError("not good"))
    assert call.record.refused


def test_a_use_refused_to_a_service_leaves_the_record_open() -> None:
    """S3 answers an error of its own when a data key does not open; the keyholder's record does not hold that."""
    call = new_call()
    with pytest.raises(TamperedError):
        use(call.call_by_service("s3.us-east-1.amazonaws.com"), TamperedError("not good"))
    assert call.record.is_open
    assert not call.record.refused


@pytest.mark.parametrize("error", [MaterialDamaged("damaged"), ValueError("other")])
def test_another_error_leaves_the_record_open(error: Exception) -> None:
    """Whatever else goes wrong needs a closing record."""
    call = new_call()
    with pytest.raises(type(error)):
        use(call, error)
    assert call.record.is_open
    assert not call.record.refused


def test_a_forwarded_call_shares_the_record() -> None:
    """What a service asks for on the caller's behalf is on the request's own record."""
    call = new_call()
    use(call.call_by_service("s3.us-east-1.amazonaws.com"), b"")
    assert not call.record.is_open
