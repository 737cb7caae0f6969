"""A change that others overtake again and again: it gets its way as long as it has patience."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from fuin.errors import StoreUnavailable
from fuin.gate import commit
from fuin.gate.call import Call
from fuin.gate.services import Services
from fuin.store.engine.effect import Effect
from fuin.store.errors import RightsMoved
from fuin.store.store import Store
from tests.gate import test_record


class OvertakenStore(Store):
    """A store in which other changes of rights come first a number of times; it has no database."""

    reads_at_once = True

    def __init__(self, times: int) -> None:
        self._rows = None
        self.left = times
        self.rights_epoch = 1

    async def refresh(self) -> None:
        """Do nothing: no rows are in memory."""

    async def commit(self, fn: Callable[[Any], Any], effect: Effect, rights_epoch: int | None) -> tuple[Any, int]:
        """Commit, if nobody comes first and the rights were asked for in the present epoch."""
        if self.left:
            self.left -= 1
            self.rights_epoch += 1
        if rights_epoch != self.rights_epoch:
            raise RightsMoved
        return fn(None), 1


def new_call(times: int) -> tuple[Call, list[int]]:
    """Return a call with one right, and the epochs in which it was asked for again."""
    call, asked = test_record.new_call(), list[int]()
    call.services = object.__new__(Services)
    store = call.services.store = OvertakenStore(times)
    call.services.changing = asyncio.Lock()
    call.rights.epoch = store.rights_epoch
    call.rights.granted_checks = [lambda: asked.append(store.rights_epoch)]
    return call, asked


@pytest.mark.parametrize("effect", Effect)
def test_change_is_overtaken_a_hundred_times(effect: Effect) -> None:
    """It commits in the end, and has asked for its rights in each epoch; of many nodes one is overtaken so often."""
    call, asked = new_call(100)
    function = {Effect.MAY_REVOKE: commit.commit, Effect.ADDS: commit.add, Effect.NONE: commit.write}[effect]
    assert asyncio.run(function(call, lambda _: "done")) == "done"
    assert asked == list(range(2, 102))


def test_change_loses_its_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that others overtake for ever gives up with an error after which clients try again."""
    monkeypatch.setattr(commit, "PATIENCE", 0.05)
    call, asked = new_call(1_000_000_000)
    with pytest.raises(StoreUnavailable, match="kept moving"):
        asyncio.run(commit.commit(call, lambda _: "done"))
    assert len(asked) > 1
