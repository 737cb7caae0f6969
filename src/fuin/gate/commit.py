"""A change is committed only if the caller still has the rights for it: docs/decisions/0007.

A right is asked for when the request comes; the change commits some milliseconds later. In between, somebody may have
taken the right away through another worker, and may have their answer. So the store counts an *epoch of rights*: each
change that may take a right from anybody raises it. A commit carries the epoch in which its rights were granted:

1. The caller is authenticated, and each right that is granted leaves a check (`remember`), all in one epoch.
2. The commit takes the database's write lock and looks at the epoch. If it is the same, it commits.
3. If it is another one, nothing is written (`RightsMoved`). The call authenticates its caller again and repeats every
   check with the current rows. If one check refuses, the request is refused.
4. It tries again with the new epoch.

So no change is committed with a right whose revocation was answered before. Ann deletes an alias while Bob takes that
right from her. Either Ann's commit comes first, and Bob's after it, or Bob's comes first: then Ann's commit sees
another epoch, asks again, and Ann gets AccessDenied.

A worker whose change was overtaken once holds `Services.changing` for its next tries, so that its own other changes
do not overtake it again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

import msgspec

from fuin.errors import StoreUnavailable
from fuin.store.engine.effect import Effect
from fuin.store.errors import NotInMemory, RightsMoved

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from fuin.gate.call import Call

P = ParamSpec("P")
T = TypeVar("T")

# Seconds in which a change asks for its rights again and again. Each time somebody has taken a right from somebody
# within the few milliseconds between the question and the commit. Of N workers that all do so, each gets its way once
# in N tries, whatever came before; so a number of tries would be too small for many nodes.
PATIENCE = 20.0


class HeldRights(msgspec.Struct):
    """The rights that a request was granted, and the functions that check them again."""

    authenticator: tuple[Any, ...] = ()  # what authenticates the caller once more: a function and its arguments
    granted_checks: list[Callable[[], object]] = []  # each asks once more for one right
    epoch: int | None = None  # of rights, when the caller was authenticated or the first right was asked for


def authenticate_with(call: Call, *authenticator: Any) -> None:
    """Set the function, with its arguments, that authenticates the caller; call this before the authentication.

    It is called again with the services first, and returns an object with the `principal`; raises
    AuthenticationFailed.
    """
    store = call.services.store
    call.rights.authenticator = authenticator
    try:
        store.catalog()
    except NotInMemory:  # the epoch has to be asked for, which the authentication does: `note_epoch`
        return
    call.rights.epoch = store.rights_epoch


def note_epoch(call: Call) -> None:
    """Note the epoch of rights at which the caller was authenticated just now, unless it was noted before."""
    if call.rights.epoch is None:
        call.rights.epoch = call.services.store.rights_epoch


def remember(call: Call, check: Callable[[], object]) -> None:
    """Keep the check of a right that was just granted: a change repeats it if the epoch of rights is another one."""
    if call.rights.epoch is None:
        call.rights.epoch = call.services.store.rights_epoch
    call.rights.granted_checks.append(check)


async def authenticate_again(call: Call) -> None:
    """Raise AuthenticationFailed when the access key or session that signed the request is no longer good."""
    if call.rights.authenticator:
        authenticate, *arguments = call.rights.authenticator
        if (await authenticate(call.services, *arguments)).principal != call.principal:
            raise StoreUnavailable("the caller's name, tags or session policies have changed while it was asking")


async def ask_again(call: Call) -> None:
    """Authenticate the caller and check each right again, with the current rows of the store."""
    await authenticate_again(call)
    await call.services.store.refresh()
    call.rights.epoch = call.services.store.rights_epoch
    checks = tuple(call.rights.granted_checks)
    for check in checks:
        await call.consult(_repeat, check)
    call.rights.granted_checks[:] = checks  # which they have remembered again


def _repeat(_: Call, check: Callable[[], object]) -> None:
    check()


async def change(call: Call, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Change keys, policies, identities or buckets, announced first."""
    await call.announce("change")
    return await commit(call, fn, *args, **kwargs)


async def commit(call: Call, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Make a change that is on the record already, such as a change with material that the keyholder made."""
    return await _commit(call, lambda conn: fn(conn, *args, **kwargs), Effect.MAY_REVOKE)


async def add(call: Call, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Make a change that is on the record already and takes no right from anybody, such as a new key."""
    return await _commit(call, lambda conn: fn(conn, *args, **kwargs), Effect.ADDS)


async def write(call: Call, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Write what no catalog holds, such as the index of objects."""
    return await _commit(call, lambda conn: fn(conn, *args, **kwargs), Effect.NONE)


async def make(call: Call, fn: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Make a change that the service itself wants: it needs nobody's right and is on the record already."""
    done = await call.services.store.commit(lambda conn: fn(conn, *args, **kwargs), Effect.MAY_REVOKE, None)
    return _result(call, *done)


async def _commit(call: Call, fn: Callable[[Connection], T], effect: Effect) -> T:
    """Commit, if the caller still has the rights for it.

    Raises AccessDenied or AuthenticationFailed when a right was taken away meanwhile, StoreUnavailable when the epoch
    of rights changes during each attempt for PATIENCE seconds.
    """
    if not call.rights.granted_checks:
        raise RuntimeError(f"{call.operation} has asked for no right to make this change")
    store = call.services.store
    if effect is not Effect.MAY_REVOKE or not call.services.changing.locked():
        try:
            return _result(call, *await store.commit(fn, effect, call.rights.epoch))
        except RightsMoved:
            await ask_again(call)
    async with call.services.changing:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return _result(call, *await store.commit(fn, effect, call.rights.epoch))
            except RightsMoved:
                if time.monotonic() > deadline:
                    raise StoreUnavailable("rights have kept moving while a change was made") from None
                await ask_again(call)


def _result(call: Call, value: T, serial: int) -> T:
    """Keep the serial of a commit for the record of the outcome, and return the result of the change."""
    if serial:
        call.record.serial = serial
    return value
