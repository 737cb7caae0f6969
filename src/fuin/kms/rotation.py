"""Rotation: EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus, ListKeyRotations, RotateKeyOnDemand.

A rotation adds material to a key and makes it the one that encrypts. Nothing is encrypted anew: every blob names its
material, and the older ones stay for decryption as long as the key. AWS KMS developer guide, "Rotate KMS keys".
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from fuin import crash, ids
from fuin.clock import CLOCK
from fuin.gate.call import Call
from fuin.kms import janitor, paging, states
from fuin.kms.faults import (
    ConflictException,
    KMSInvalidStateException,
    LimitExceededException,
    NotFoundException,
    UnsupportedOperationException,
)
from fuin.kms.key import found, reach
from fuin.kms.shapes import Input, KeyInput, KeyOutput, Output
from fuin.kms.specs import SYMMETRIC_DEFAULT
from fuin.store.errors import (
    NotFound,
    NothingPending,
    NotPrimary,
    Overtaken,
    StoreRefusal,
    TooManyRotations,
    WrongState,
)
from fuin.store.kms import imports, materials, rotations

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from fuin.errors import Fault
    from fuin.gate.services import Services
    from fuin.kms.naming import Named
    from fuin.store.kms.keys import Key
    from fuin.store.kms.materials import Version
    from fuin.store.kms.rotations import Due

_PERIOD = 365  # days, when none is given
_PAGE = 100
_EXTERNAL = "EXTERNAL"
_SOON = 20 * 60.0  # seconds; AWS: ConflictException of RotateKeyOnDemand
_ALL = "ALL_KEY_MATERIAL"


class EnableKeyRotationInput(Input, frozen=True):
    """What EnableKeyRotation takes."""

    KeyId: str | None = None
    RotationPeriodInDays: int | None = None


class GetKeyRotationStatusOutput(Output, frozen=True):
    """Whether and when the key's material is rotated."""

    KeyRotationEnabled: bool | None = None
    KeyId: str | None = None
    RotationPeriodInDays: int | None = None
    NextRotationDate: float | None = None
    OnDemandRotationStartDate: float | None = None  # of one in progress; here each is complete when it is answered


class ListKeyRotationsInput(Input, frozen=True):
    """What ListKeyRotations takes."""

    KeyId: str | None = None
    IncludeKeyMaterial: str | None = None
    Limit: int | None = None
    Marker: str | None = None


class RotationsListEntry(Output, frozen=True):
    """One of a key's materials, and how it became the current one."""

    KeyId: str | None = None
    KeyMaterialId: str | None = None
    KeyMaterialDescription: str | None = None
    ImportState: str | None = None
    KeyMaterialState: str | None = None
    ExpirationModel: str | None = None
    ValidTo: float | None = None
    RotationDate: float | None = None
    RotationType: str | None = None


class ListKeyRotationsOutput(Output, frozen=True):
    """A page of rotations."""

    Rotations: list[RotationsListEntry] | None = None
    NextMarker: str | None = None
    Truncated: bool | None = None


async def enable_key_rotation(call: Call, p: EnableKeyRotationInput) -> None:
    """Let the key rotate by itself from now on, or change its period, which then counts from now on."""
    days = p.RotationPeriodInDays or _PERIOD
    named = await call.consult(
        reach, p.KeyId or "", "kms:EnableKeyRotation", extra={"kms:RotationPeriodInDays": str(days)}
    )
    key = found(named)
    if not _rotates(key):
        raise UnsupportedOperationException  # AWS sends no message
    _check_primary(key, named.arn)
    await _set_schedule(call, named, "kms:EnableKeyRotation", days)


async def disable_key_rotation(call: Call, p: KeyInput) -> None:
    """Let the key rotate no more by itself; AWS says yes as well of keys that never do, asymmetric and HMAC ones."""
    named = await call.consult(reach, p.KeyId or "", "kms:DisableKeyRotation")
    key = found(named)
    if not _rotates(key):
        return
    _check_primary(key, named.arn)
    await _set_schedule(call, named, "kms:DisableKeyRotation", None)


async def get_key_rotation_status(call: Call, p: KeyInput) -> GetKeyRotationStatusOutput:
    """Return whether and when the key rotates.

    Of asymmetric and HMAC keys AWS says that they do not, and of keys that wait for their deletion.
    """
    named = await call.consult(reach, p.KeyId or "", "kms:GetKeyRotationStatus", foreign=True)
    key = found(named)
    schedule = await call.consult(_primary, key)
    if schedule.rotation_period is None or key.state in states.PENDING:
        return GetKeyRotationStatusOutput(KeyRotationEnabled=False, KeyId=named.arn)
    return GetKeyRotationStatusOutput(
        KeyRotationEnabled=True,
        KeyId=named.arn,
        RotationPeriodInDays=schedule.rotation_period,
        NextRotationDate=schedule.rotation_due,
    )


async def list_key_rotations(call: Call, p: ListKeyRotationsInput) -> ListKeyRotationsOutput:
    """Return the key's completed rotations, oldest first, or all of its materials, a page at a time."""
    after = paging.start("rotations", p.Marker)
    named = await call.consult(reach, p.KeyId or "", "kms:ListKeyRotations")
    key = found(named)
    if not _rotates(key):
        if p.IncludeKeyMaterial is not None:
            raise UnsupportedOperationException
        return ListKeyRotationsOutput(Rotations=[], Truncated=False)
    versions = await call.services.store.read(materials.list_versions, key.key_id, key.region)
    listed = [version for version in versions if version.rotated is not None or p.IncludeKeyMaterial == _ALL]
    names = [version.material_id.hex() for version in listed]
    start = names.index(after) + 1 if after in names else 0
    limit = p.Limit or _PAGE
    shown, marker, more = paging.page("rotations", listed[start:], limit, lambda version: version.material_id.hex())
    return ListKeyRotationsOutput(
        Rotations=[_entry(key, version) for version in shown], NextMarker=marker, Truncated=more
    )


def _entry(key: Key, version: Version) -> RotationsListEntry:
    return RotationsListEntry(
        KeyId=key.key_id,
        KeyMaterialId=version.material_id.hex(),
        KeyMaterialDescription=version.description,
        ImportState=version.import_state,
        KeyMaterialState=version.state,
        ExpirationModel=version.expiration_model,
        ValidTo=version.valid_to,
        RotationDate=version.rotated,
        RotationType=version.rotation_type,
    )


async def rotate_key_on_demand(call: Call, p: KeyInput) -> KeyOutput:
    """Rotate the key now: to fresh material, or to the imported material that waits for it. The schedule stays."""
    action = "kms:RotateKeyOnDemand"
    named = await call.consult(reach, p.KeyId or "", action)
    key = found(named)
    if not _rotates(key):
        raise UnsupportedOperationException
    _check_primary(key, named.arn)
    _check_not_soon(key, named.arn)
    now = round(call.now, 3)
    if key.origin == _EXTERNAL:
        await _checked(named, action, call.change(imports.rotate_imported, key.key_id, key.region, now))
        return KeyOutput(KeyId=named.arn)
    await _checked(named, action, _count(call, key))
    draft = call.draft(use=action, key=named.arn)
    material = await call.services.keyholder.create_material(key.key_id, key.spec, draft)
    crash.point("rotate_key.after_material")
    change = call.commit(rotations.rotate_on_demand, key.region, material, key.current_material, now)
    await _checked(named, action, change)
    return KeyOutput(KeyId=named.arn)


async def _count(call: Call, key: Key) -> None:
    """Refuse one rotation too many before material is made for it; the transaction looks once more."""
    await call.services.store.read(rotations.check_on_demand, key.key_id, key.region)


async def rotate_due(services: Services, moment: float) -> list[str]:
    """Rotate the keys whose date is not after `moment`, each once however long that is ago; return their ARNs.

    `moment` is the time that both clocks agree on. Each rotation stands in the audit log before it happens. After a
    crash in between the next run rotates again: the first material is in no database then. Raises StoreUnavailable or
    KeyholderUnavailable; the next run goes on.
    """
    rotated: list[str] = []
    now = CLOCK.now(time.time())
    for due in await services.store.read(rotations.list_due, moment):
        arn = ids.key_arn(due.account, due.region, due.key_id)
        call = janitor.own_call(services, "RotateKey", due.region, now, {"kmsKey": arn, "rotationType": "AUTOMATIC"})
        with suppress(StoreRefusal):  # somebody else was faster, or has changed the key
            await _rotate(call, due, arn, moment)
            rotated.append(arn)
    return rotated


async def _rotate(call: Call, due: Due, arn: str, moment: float) -> None:
    draft = call.draft(use="kms:RotateKey", key=arn, manager=None if due.manager == "CUSTOMER" else due.manager)
    material = await call.services.keyholder.create_material(due.key_id, due.spec, draft)
    crash.point("rotate_key.after_material")
    await call.make(
        rotations.rotate_by_schedule, due.region, material, due.current_material, moment, round(call.now, 3)
    )
    await call.conclude()


def _rotates(key: Key) -> bool:
    """Tell whether this kind of key can have several materials."""
    return key.spec == SYMMETRIC_DEFAULT


def _primary(call: Call, key: Key) -> Key:
    """Return the key that has the schedule: of a replica its primary key."""
    if key.primary_region in {None, key.region}:
        return key
    return call.services.store.catalog().key(key.key_id, key.primary_region or "") or key


def _check_primary(key: Key, arn: str) -> None:
    if key.primary_region not in {None, key.region}:
        raise _replica(arn)


def _replica(arn: str) -> UnsupportedOperationException:
    return UnsupportedOperationException(f"{arn} is a multi-Region replica key; rotation is set on the primary key.")


def _check_not_soon(key: Key, arn: str) -> None:
    if key.rotation_due is not None and key.rotation_due - CLOCK.settled() <= _SOON:  # by which the job begins
        raise _conflict(arn)


def _conflict(arn: str) -> ConflictException:
    return ConflictException(
        f"A rotation of {arn} is in progress, or an automatic one is scheduled to begin within the next 20 minutes."
    )


async def _set_schedule(call: Call, named: Named, action: str, period: int | None) -> None:
    key = found(named)
    now = round(call.now, 3)
    await _checked(named, action, call.change(rotations.set_schedule, key.key_id, key.region, period, now))


async def _checked(named: Named, action: str, change: Awaitable[None]) -> None:
    """Await a change; what the store refuses, since the key has changed meanwhile, becomes AWS's error."""
    try:
        await change
    except StoreRefusal as error:
        raise _refused(error, named.arn, action) from None


def _refused(error: StoreRefusal, arn: str, action: str) -> Fault:
    match error:
        case WrongState():
            return states.refusal(error.state, action, arn)
        case NotPrimary():
            return _replica(arn)
        case Overtaken():
            return _conflict(arn)
        case TooManyRotations():
            return LimitExceededException(
                "The on-demand rotations limit has been reached for the given keyId. "
                f"No more on-demand rotations can be performed for this key: {arn}"
            )
        case NothingPending():
            return KMSInvalidStateException(f"No available key material pending rotation for the key: {arn}.")
        case NotFound():
            return NotFoundException(f"Key '{arn}' does not exist")
    raise error
