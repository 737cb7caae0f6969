"""A key's life: EnableKey, DisableKey, ScheduleKeyDeletion, CancelKeyDeletion."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from fuin.clock import CLOCK
from fuin.kms import dependents
from fuin.kms.dependents import HasDependents, KeyPlace
from fuin.kms.keys.last_usage import authorized_key_with_usage
from fuin.kms.model.faults import KmsFault, NotFoundException
from fuin.kms.model.shapes_keys import (
    CancelKeyDeletionInput,
    CancelKeyDeletionOutput,
    DisableKeyInput,
    EnableKeyInput,
    ScheduleKeyDeletionInput,
    ScheduleKeyDeletionOutput,
)
from fuin.kms.reach import states
from fuin.kms.reach.key import authorized_key, existing_key
from fuin.store.errors import NotFound, WrongState
from fuin.store.kms import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.kms.reach.key_identifiers import KeyReference

T = TypeVar("T")

DAY = 86400
_SHORTEST, _LONGEST = 7, 30  # days; the model's 1 to 365 is wider than what AWS takes


async def enable_key(call: Call, input: EnableKeyInput) -> None:
    """Allow uses of the key again."""
    named = await call.consult(authorized_key, input.KeyId or "", "kms:EnableKey")
    await _change(call, "kms:EnableKey", named, keys.set_state, states.ENABLED)


async def disable_key(call: Call, input: DisableKeyInput) -> None:
    """Forbid all uses of the key until it is enabled again; every worker obeys when this returns."""
    named = await authorized_key_with_usage(call, input.KeyId or "", "kms:DisableKey")
    place = _place(named)
    if await _change(call, "kms:DisableKey", named, _disable, place, call.services.settings.disabling_guard):
        await dependents.warn(call, named.arn, partial(dependents.count, keys=[place]))


async def schedule_key_deletion(call: Call, input: ScheduleKeyDeletionInput) -> ScheduleKeyDeletionOutput:
    """Delete the key, with its material, after 7 to 30 days (by default 30); it cannot be used from now on.

    For a primary key with replicas the days begin when the last of them has ended. A key that something depends on is
    refused, unless its tags or the server's settings allow it.
    """
    days = _LONGEST if input.PendingWindowInDays is None else input.PendingWindowInDays
    _check_window(days)
    extra = {"kms:ScheduleKeyDeletionPendingWindowInDays": str(days)}
    named = await authorized_key_with_usage(call, input.KeyId or "", "kms:ScheduleKeyDeletion", extra)
    date = round(call.now + days * DAY, 3)
    there = CLOCK.certain_time()  # by which replicas that have ended are gone
    place, guard = _place(named), call.services.settings.deletion_guard
    try:
        is_dated, is_needed = await _change(
            call, "kms:ScheduleKeyDeletion", named, _schedule, place, guard, date, days, there
        )
    except HasDependents:
        raise await dependents.refusal(call, place) from None
    if is_needed:
        await dependents.warn(call, named.arn, partial(dependents.count, keys=[place]))
    return ScheduleKeyDeletionOutput(
        KeyId=named.arn,
        DeletionDate=date if is_dated else None,
        KeyState=states.PENDING_DELETION if is_dated else states.PENDING_REPLICA_DELETION,
        PendingWindowInDays=days,
    )


async def cancel_key_deletion(call: Call, input: CancelKeyDeletionInput) -> CancelKeyDeletionOutput:
    """Cancel the deletion; the key is disabled then, or pending import."""
    named = await call.consult(authorized_key, input.KeyId or "", "kms:CancelKeyDeletion")
    await _change(call, "kms:CancelKeyDeletion", named, keys.cancel_deletion)
    return CancelKeyDeletionOutput(KeyId=named.arn)


def _place(named: KeyReference) -> KeyPlace:
    key = existing_key(named)
    return KeyPlace(key.account, key.region, key.key_id)


def _disable(conn: Connection, key_id: str, region: str, place: KeyPlace, guard: str) -> bool:
    """Return whether something depends on the key that is disabled."""
    keys.set_state(conn, key_id, region, states.DISABLED)
    return dependents.check(conn, place, guard)


def _schedule(
    conn: Connection, key_id: str, region: str, place: KeyPlace, guard: str, date: float, days: int, there: float
) -> tuple[bool, bool]:
    """Return whether the date is fixed, and whether something depends on the key; raises HasDependents."""
    is_dated = keys.schedule_deletion(conn, key_id, region, date, days, there)
    return is_dated, dependents.check(conn, place, guard)


def _check_window(days: int) -> None:
    if not _SHORTEST <= days <= _LONGEST:
        raise KmsFault("ValidationException", f"PendingWindowInDays must be between {_SHORTEST} and {_LONGEST}")


async def _change(call: Call, action: str, named: KeyReference, change: Callable[..., T], *arguments: object) -> T:
    """Change the key's state; the store looks at the state again, since another worker may have changed it."""
    key = existing_key(named)
    try:
        return await call.change(change, key.key_id, key.region, *arguments)
    except WrongState as error:
        raise states.refusal(error.state, action, named.arn) from None
    except NotFound:
        raise NotFoundException(f"Key '{named.arn}' does not exist") from None
