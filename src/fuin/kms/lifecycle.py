"""A key's life: EnableKey, DisableKey, ScheduleKeyDeletion, CancelKeyDeletion."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from fuin.clock import CLOCK
from fuin.kms import states
from fuin.kms.faults import NotFoundException, ValidationException
from fuin.kms.key import found, reach
from fuin.kms.last_usage import reach_with_usage
from fuin.kms.shapes import Input, KeyInput, KeyOutput, Output
from fuin.store.errors import NotFound, WrongState
from fuin.store.kms import keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.gate.call import Call
    from fuin.kms.naming import Named

T = TypeVar("T")

DAY = 86400
_SHORTEST, _LONGEST = 7, 30  # days; the model's 1 to 365 is wider than what AWS takes


class ScheduleKeyDeletionInput(Input, frozen=True):
    """What ScheduleKeyDeletion takes."""

    KeyId: str | None = None
    PendingWindowInDays: int | None = None


class ScheduleKeyDeletionOutput(Output, frozen=True):
    """When the key will end."""

    KeyId: str | None = None
    DeletionDate: float | None = None
    KeyState: str | None = None
    PendingWindowInDays: int | None = None


async def enable_key(call: Call, p: KeyInput) -> None:
    """Let the key be used again."""
    named = await call.consult(reach, p.KeyId or "", "kms:EnableKey")
    await _change(call, "kms:EnableKey", named, keys.set_state, states.ENABLED)


async def disable_key(call: Call, p: KeyInput) -> None:
    """Let the key not be used until it is enabled; holds in every worker when this returns."""
    named = await reach_with_usage(call, p.KeyId or "", "kms:DisableKey")
    await _change(call, "kms:DisableKey", named, keys.set_state, states.DISABLED)


async def schedule_key_deletion(call: Call, p: ScheduleKeyDeletionInput) -> ScheduleKeyDeletionOutput:
    """Let the key end, with its material, after 7 to 30 days (by default 30); it cannot be used from now on.

    For a primary key with replicas the days begin when the last of them has ended.
    """
    days = _LONGEST if p.PendingWindowInDays is None else p.PendingWindowInDays
    _check_window(days)
    extra = {"kms:ScheduleKeyDeletionPendingWindowInDays": str(days)}
    named = await reach_with_usage(call, p.KeyId or "", "kms:ScheduleKeyDeletion", extra)
    date = round(call.now + days * DAY, 3)
    there = CLOCK.settled()  # by which replicas that have ended are gone
    stands = await _change(call, "kms:ScheduleKeyDeletion", named, keys.schedule_deletion, date, days, there)
    return ScheduleKeyDeletionOutput(
        KeyId=named.arn,
        DeletionDate=date if stands else None,
        KeyState=states.PENDING_DELETION if stands else states.PENDING_REPLICA_DELETION,
        PendingWindowInDays=days,
    )


async def cancel_key_deletion(call: Call, p: KeyInput) -> KeyOutput:
    """Take the deletion back; the key is disabled then, or waits for its imported material."""
    named = await call.consult(reach, p.KeyId or "", "kms:CancelKeyDeletion")
    await _change(call, "kms:CancelKeyDeletion", named, keys.cancel_deletion)
    return KeyOutput(KeyId=named.arn)


def _check_window(days: int) -> None:
    if not _SHORTEST <= days <= _LONGEST:
        raise ValidationException(f"PendingWindowInDays must be between {_SHORTEST} and {_LONGEST}")


async def _change(call: Call, action: str, named: Named, change: Callable[..., T], *arguments: object) -> T:
    """Change the key's state; the store looks at the state again, since another worker may have changed it."""
    key = found(named)
    try:
        return await call.change(change, key.key_id, key.region, *arguments)
    except WrongState as error:
        raise states.refusal(error.state, action, named.arn) from None
    except NotFound:
        raise NotFoundException(f"Key '{named.arn}' does not exist") from None
