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
from fuin.kms.keys import expiry
from fuin.kms.model.faults import KmsFault, NotFoundException
from fuin.kms.model.shapes_material import (
    DisableKeyRotationInput,
    EnableKeyRotationInput,
    GetKeyRotationStatusInput,
    GetKeyRotationStatusOutput,
    ListKeyRotationsInput,
    ListKeyRotationsOutput,
    RotateKeyOnDemandInput,
    RotateKeyOnDemandOutput,
)
from fuin.kms.model.shapes_parts import RotationsListEntry
from fuin.kms.model.specs import SYMMETRIC_DEFAULT
from fuin.kms.reach import paging, states
from fuin.kms.reach.key import authorized_key, existing_key
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
    from fuin.kms.reach.key_identifiers import KeyReference
    from fuin.store.kms.keys import Key
    from fuin.store.kms.materials import MaterialVersion
    from fuin.store.kms.rotations import Due

_PERIOD = 365  # days, when none is given
_PAGE = 100
_EXTERNAL = "EXTERNAL"
_SOON = 20 * 60.0  # seconds; AWS: ConflictException of RotateKeyOnDemand
_ALL = "ALL_KEY_MATERIAL"


async def enable_key_rotation(call: Call, input: EnableKeyRotationInput) -> None:
    """Let the key rotate by itself from now on, or change its period, which then counts from now on."""
    days = input.RotationPeriodInDays or _PERIOD
    named = await call.consult(
        authorized_key, input.KeyId or "", "kms:EnableKeyRotation", extra={"kms:RotationPeriodInDays": str(days)}
    )
    key = existing_key(named)
    if not _can_rotate(key):
        raise KmsFault("UnsupportedOperationException")  # AWS sends no message
    _check_primary(key, named.arn)
    await _set_schedule(call, named, "kms:EnableKeyRotation", days)


async def disable_key_rotation(call: Call, input: DisableKeyRotationInput) -> None:
    """End the automatic rotation of the key; AWS accepts this for asymmetric and HMAC keys too, which never rotate."""
    named = await call.consult(authorized_key, input.KeyId or "", "kms:DisableKeyRotation")
    key = existing_key(named)
    if not _can_rotate(key):
        return
    _check_primary(key, named.arn)
    await _set_schedule(call, named, "kms:DisableKeyRotation", None)


async def get_key_rotation_status(call: Call, input: GetKeyRotationStatusInput) -> GetKeyRotationStatusOutput:
    """Return whether and when the key rotates.

    AWS answers no for asymmetric and HMAC keys, and for keys that are pending deletion.
    """
    named = await call.consult(authorized_key, input.KeyId or "", "kms:GetKeyRotationStatus", foreign=True)
    key = existing_key(named)
    schedule = await call.consult(_primary_key, key)
    if schedule.rotation_period is None or key.state in states.PENDING:
        return GetKeyRotationStatusOutput(KeyRotationEnabled=False, KeyId=named.arn)
    return GetKeyRotationStatusOutput(
        KeyRotationEnabled=True,
        KeyId=named.arn,
        RotationPeriodInDays=schedule.rotation_period,
        NextRotationDate=schedule.rotation_due,
    )


async def list_key_rotations(call: Call, input: ListKeyRotationsInput) -> ListKeyRotationsOutput:
    """Return the key's completed rotations, oldest first, or all of its materials, a page at a time."""
    after = paging.parse_marker("rotations", input.Marker)
    named = await call.consult(authorized_key, input.KeyId or "", "kms:ListKeyRotations")
    key = existing_key(named)
    if not _can_rotate(key):
        if input.IncludeKeyMaterial is not None:
            raise KmsFault("UnsupportedOperationException")
        return ListKeyRotationsOutput(Rotations=[], Truncated=False)
    versions = await call.services.store.read(materials.list_versions, key.key_id, key.region)
    listed = [version for version in versions if version.rotated is not None or input.IncludeKeyMaterial == _ALL]
    names = [version.material_id.hex() for version in listed]
    start = names.index(after) + 1 if after in names else 0
    limit = input.Limit or _PAGE
    shown, marker, more = paging.cut_page("rotations", listed[start:], limit, lambda version: version.material_id.hex())
    return ListKeyRotationsOutput(
        Rotations=[_entry(key, version) for version in shown], NextMarker=marker, Truncated=more
    )


def _entry(key: Key, version: MaterialVersion) -> RotationsListEntry:
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


async def rotate_key_on_demand(call: Call, input: RotateKeyOnDemandInput) -> RotateKeyOnDemandOutput:
    """Rotate the key now: to fresh material, or to the imported material that waits for it. The schedule stays."""
    action = "kms:RotateKeyOnDemand"
    named = await call.consult(authorized_key, input.KeyId or "", action)
    key = existing_key(named)
    if not _can_rotate(key):
        raise KmsFault("UnsupportedOperationException")
    _check_primary(key, named.arn)
    _check_not_soon(key, named.arn)
    now = round(call.now, 3)
    if key.origin == _EXTERNAL:
        await _await_change(named, action, call.change(imports.rotate_imported, key.key_id, key.region, now))
        return RotateKeyOnDemandOutput(KeyId=named.arn)
    await _await_change(named, action, _check_on_demand_count(call, key))
    draft = call.draft(use=action, key=named.arn)
    material = await call.services.keyholder.create_material(key.key_id, key.spec, draft)
    crash.point("rotate_key.after_material")
    change = call.commit(rotations.rotate_on_demand, key.region, material, key.current_material, now)
    await _await_change(named, action, change)
    return RotateKeyOnDemandOutput(KeyId=named.arn)


async def _check_on_demand_count(call: Call, key: Key) -> None:
    """Refuse a rotation beyond the quota before material is made for it; the transaction checks once more."""
    await call.services.store.read(rotations.check_on_demand, key.key_id, key.region)


async def rotate_due(services: Services, moment: float) -> list[str]:
    """Rotate the keys whose date is not after `moment`, each once, however late; return their ARNs.

    `moment` is the time that both clocks agree on. The audit log says each rotation before it happens. After a
    crash in between the next run rotates again: the first material is in no database then. Raises StoreUnavailable or
    KeyholderUnavailable; the next run goes on.
    """
    rotated: list[str] = []
    now = CLOCK.steady_now(time.time())
    for due in await services.store.read(rotations.list_due, moment):
        arn = ids.key_arn(due.account, due.region, due.key_id)
        call = expiry.own_call(services, "RotateKey", due.region, now, {"kmsKey": arn, "rotationType": "AUTOMATIC"})
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


def _can_rotate(key: Key) -> bool:
    """Return whether this kind of key can have several materials."""
    return key.spec == SYMMETRIC_DEFAULT


def _primary_key(call: Call, key: Key) -> Key:
    """Return the key that has the schedule: of a replica its primary key."""
    if key.primary_region in {None, key.region}:
        return key
    return call.services.store.catalog().key(key.key_id, key.primary_region or "") or key


def _check_primary(key: Key, arn: str) -> None:
    if key.primary_region not in {None, key.region}:
        raise _replica_fault(arn)


def _replica_fault(arn: str) -> KmsFault:
    return KmsFault(
        "UnsupportedOperationException", f"{arn} is a multi-Region replica key; rotation is set on the primary key."
    )


def _check_not_soon(key: Key, arn: str) -> None:
    if key.rotation_due is not None and key.rotation_due - CLOCK.certain_time() <= _SOON:  # by which the job begins
        raise _conflict_fault(arn)


def _conflict_fault(arn: str) -> KmsFault:
    return KmsFault(
        "ConflictException",
        f"A rotation of {arn} is in progress, or an automatic one is scheduled to begin within the next 20 minutes.",
    )


async def _set_schedule(call: Call, named: KeyReference, action: str, period: int | None) -> None:
    key = existing_key(named)
    now = round(call.now, 3)
    await _await_change(named, action, call.change(rotations.set_schedule, key.key_id, key.region, period, now))


async def _await_change(named: KeyReference, action: str, change: Awaitable[None]) -> None:
    """Await a change; if the store refuses it, since the key has changed meanwhile, raise AWS's error."""
    try:
        await change
    except StoreRefusal as error:
        raise _refusal(error, named.arn, action) from None


def _refusal(error: StoreRefusal, arn: str, action: str) -> Fault:
    match error:
        case WrongState():
            return states.refusal(error.state, action, arn)
        case NotPrimary():
            return _replica_fault(arn)
        case Overtaken():
            return _conflict_fault(arn)
        case TooManyRotations():
            return KmsFault(
                "LimitExceededException",
                "The on-demand rotations limit has been reached for the given keyId. "
                f"No more on-demand rotations can be performed for this key: {arn}",
            )
        case NothingPending():
            return KmsFault(
                "KMSInvalidStateException", f"No available key material pending rotation for the key: {arn}."
            )
        case NotFound():
            return NotFoundException(f"Key '{arn}' does not exist")
    raise error
