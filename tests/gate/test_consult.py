"""A decision that misses rows in memory is taken again once they are there."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from fuin.errors import AccessDenied, StoreUnavailable
from fuin.gate.call import Call
from fuin.gate.services import Services
from fuin.store.errors import NotInMemory
from fuin.store.store import Store
from tests.gate import test_record


class SlowStore(Store):
    """A store whose engine has to be waited for; it has no database."""

    reads_at_once = False

    def __init__(self) -> None:
        self._rows = None


def new_call() -> Call:
    """Return a call of nobody, by a store that has to be waited for."""
    call = test_record.new_call()
    call.services = object.__new__(Services)
    call.services.store = SlowStore()
    return call


class Rows:
    """Rows that come into memory one at a time, each after a turn of the event loop."""

    def __init__(self, *missing: str) -> None:
        self.missing = list(missing)
        self.fetched: list[str] = []

    def row(self, name: str) -> str:
        """Return a row that is in memory; raises NotInMemory."""
        if name in self.missing:
            raise NotInMemory(self._fetch(name))
        return name

    def _fetch(self, name: str) -> Callable[[], Awaitable[None]]:
        async def fetch() -> None:
            await asyncio.sleep(0)
            self.fetched.append(name)
            self.missing.remove(name)

        return fetch


def decide(call: Call, rows: Rows) -> str:
    """Take a decision that needs three rows and notes two things on the way."""
    rows.row("key")
    call.decisions.append({"right": "first"})
    call.remember(lambda: None)
    rows.row("grants")
    call.decisions.append({"right": "second"})
    call.remember(lambda: None)
    return rows.row("material")


@pytest.mark.parametrize("missing", [(), ("key",), ("material",), ("key", "grants", "material")])
def test_each_decision_is_noted_once(missing: tuple[str, ...]) -> None:
    """However often it is taken, a decision and its checks are on the call once."""
    call, rows = new_call(), Rows(*missing)
    call.rights.epoch = 1
    call.decisions.append({"right": "before"})
    assert asyncio.run(call.consult(decide, rows)) == "material"
    assert rows.fetched == list(missing)
    assert [one["right"] for one in call.decisions if isinstance(one, dict)] == ["before", "first", "second"]
    assert len(call.rights.granted_checks) == 2


def test_a_refusal_is_raised() -> None:
    """Consulting hides no refusal."""

    def refuse(call: Call) -> None:
        raise AccessDenied("no")

    with pytest.raises(AccessDenied):
        asyncio.run(new_call().consult(refuse))


def test_rows_that_never_stay_end_in_an_error() -> None:
    """A store that forgets what it has fetched keeps nobody waiting for ever."""

    async def fetch() -> None:
        pass

    def miss(call: Call) -> None:
        raise NotInMemory(fetch)

    with pytest.raises(StoreUnavailable):
        asyncio.run(new_call().consult(miss))
