"""Lists, one page at a time: read beside the event loop, if the caller still has the right when the page is ready.

The right is decided on the event loop, when the request is received, before anything is read. A page that waits or
takes long is read later than that. So if the epoch of rights has changed meanwhile, the call checks its rights again
before it returns the page, as a change does before it commits (docs/decisions/0007). So no page shows rows that were
written after the caller lost the right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

from fuin.gate.throttle import Throttled
from fuin.store.errors import TooManyLists

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from fuin.gate.call import Call

P = ParamSpec("P")
T = TypeVar("T")


async def page(call: Call, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `fn(conn, …)`, run beside the event loop in one read transaction.

    Raises Throttled when too many lists wait, and AccessDenied or AuthenticationFailed when the caller has lost the
    right.
    """
    if not call.rights.granted_checks:
        raise RuntimeError(f"{call.operation} has asked for no right to this list")
    store = call.services.store
    try:
        found = await store.page(fn, *args, **kwargs)
    except TooManyLists as error:
        raise Throttled(str(error)) from None
    await store.refresh()
    if store.rights_epoch != call.rights.epoch:
        await call.ask_again()
    return found


async def run_beside(call: Call, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `fn(…)`, run beside the event loop: for long work that does not ask the database."""
    return await call.services.store.run_beside(fn, *args, **kwargs)
