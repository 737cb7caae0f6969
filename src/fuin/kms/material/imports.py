"""Imported key material: GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial, and its expiry.

The owner wraps the material with a public key that was made for this one import. Its private half is sealed into the
import token, which is bound to the KMS key and the wrapping algorithm; nothing of it is stored. The material is opened
in the keyholder only. AWS KMS developer guide, "Importing key material".
"""

from __future__ import annotations

import struct
import time
from functools import partial
from typing import TYPE_CHECKING

from fuin import crash, ids
from fuin.clock import CLOCK
from fuin.errors import FormatError, ImportTokenExpired, TamperedError
from fuin.kms import dependents
from fuin.kms.dependents import HasDependents, KeyPlace
from fuin.kms.keys import expiry
from fuin.kms.model.faults import KmsFault, NotFoundException
from fuin.kms.model.shapes_material import (
    DeleteImportedKeyMaterialInput,
    DeleteImportedKeyMaterialOutput,
    GetParametersForImportInput,
    GetParametersForImportOutput,
    ImportKeyMaterialInput,
    ImportKeyMaterialOutput,
)
from fuin.kms.model.specs import SYMMETRIC_DEFAULT
from fuin.kms.reach import states, throttling
from fuin.kms.reach.key import authorized_key, existing_key
from fuin.store.errors import AnotherPending, NotExpected, NotFound, NotPrimary, StoreRefusal, WrongState
from fuin.store.kms import imports
from fuin.store.kms.imports import DOES_NOT_EXPIRE, EXPIRES, Brought

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from fuin.errors import Fault
    from fuin.formats.wrapped import Material
    from fuin.gate.call import Call
    from fuin.gate.services import Services
    from fuin.store.kms.keys import Key

DAY = 86400.0
TOKEN_LIFE = DAY
_LONGEST = 365 * DAY  # AWS: ValidTo
_NEW = "NEW_KEY_MATERIAL"

# A token starts with a byte that says its algorithm, since ImportKeyMaterial does not; the scope holds the same.
_ALGORITHMS = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256")
_WITHOUT_AES = frozenset(_ALGORITHMS[:2])
_OF_CHINA, _TAKEN_AWAY = frozenset({"SM2", "SM2PKE"}), "RSAES_PKCS1_V1_5"
_U16, _U64 = struct.Struct(">H"), struct.Struct(">Q")


async def get_parameters_for_import(call: Call, input: GetParametersForImportInput) -> GetParametersForImportOutput:
    """Return a fresh wrapping key and the token that brings material wrapped with it, good for 24 hours."""
    algorithm, spec = input.WrappingAlgorithm or "", input.WrappingKeySpec or ""
    conditions = {"kms:WrappingAlgorithm": algorithm, "kms:WrappingKeySpec": spec}
    key, arn = await call.consult(_importable_key, input.KeyId, "kms:GetParametersForImport", conditions)
    _check_wrapping(key, algorithm, spec)
    expires = int(call.now + TOKEN_LIFE)
    with throttling.limit_slow_keys(call):
        public, token = await call.services.keyholder.import_parameters(_scope(arn, algorithm), spec, expires)
    token = bytes((_ALGORITHMS.index(algorithm),)) + token
    return GetParametersForImportOutput(KeyId=arn, ImportToken=token, PublicKey=public, ParametersValidTo=expires)


async def import_key_material(call: Call, input: ImportKeyMaterialInput) -> ImportKeyMaterialOutput:
    """Put material into a key: its first, one that it had before, or a new one to rotate to."""
    model = input.ExpirationModel or EXPIRES
    _check_dates(call, model, input.ValidTo)
    if input.ImportType == _NEW and input.KeyMaterialId is not None:
        raise KmsFault("ValidationException", f"KeyMaterialId cannot be specified when the ImportType is {_NEW}")
    key, arn = await call.consult(_importable_key, input.KeyId, "kms:ImportKeyMaterial", _conditions(input))
    _check_several(key, input)
    due = CLOCK.certain_time()
    if await call.services.store.read(imports.list_expired, due):
        await expire_due(call.services, due)  # expired material is gone, whether the timed job has run or not
    material = await _unwrap_material(call, key, arn, input)
    crash.point("import_material.after_material")
    await call.consult(
        _importable_key, input.KeyId, "kms:ImportKeyMaterial", _conditions(input)
    )  # again: it may have waited long
    brought = Brought(
        material,
        round(call.now, 3),
        None if input.ImportType is None else input.ImportType == _NEW,
        None if input.KeyMaterialId is None else bytes.fromhex(input.KeyMaterialId),
        input.KeyMaterialDescription,
        model,
        input.ValidTo,
    )
    try:
        await call.commit(imports.import_material, key.region, brought)
    except StoreRefusal as error:
        raise _refusal(error, arn) from None
    return ImportKeyMaterialOutput(KeyId=arn, KeyMaterialId=_material_id_text(key, material.material_id))


async def delete_imported_key_material(
    call: Call, input: DeleteImportedKeyMaterialInput
) -> DeleteImportedKeyMaterialOutput:
    """Destroy imported material, by default the current one; the key waits until it is imported again.

    When this returns, no file of the database holds the material any longer, wrapped or not. A key that something
    depends on is refused, unless its tags or the server's settings allow it.
    """
    key, arn = await call.consult(_importable_key, input.KeyId, "kms:DeleteImportedKeyMaterial")
    wanted = None if input.KeyMaterialId is None else bytes.fromhex(input.KeyMaterialId)
    place = KeyPlace(key.account, key.region, key.key_id)
    try:
        deleted, is_needed = await call.change(_delete, place, wanted, call.services.settings.deletion_guard)
    except HasDependents:
        raise await dependents.refusal(call, place) from None
    except NotFound:
        raise NotFoundException(f"Key material {input.KeyMaterialId} of key {arn} does not exist.") from None
    crash.point("delete_material.after_store")
    await call.services.keyholder.forget(key.key_id)
    await call.services.store.erase()
    if is_needed:
        await dependents.warn(call, arn, partial(dependents.count, keys=[place]))
    return DeleteImportedKeyMaterialOutput(KeyId=arn, KeyMaterialId=_material_id_text(key, deleted))


def _delete(conn: Connection, key: KeyPlace, material_id: bytes | None, guard: str) -> tuple[bytes, bool]:
    """Return the id of the destroyed material, and whether something depends on it; raises HasDependents.

    A key is used with all of its materials or not at all, so whatever depends on the key depends on each of them.
    """
    is_used = imports.is_needed(conn, key.key_id, key.region, material_id)
    is_needed = is_used and dependents.check(conn, key, guard)
    return imports.delete_material(conn, key.key_id, key.region, material_id), is_needed


async def expire_due(services: Services, due: float) -> list[str]:
    """Destroy imported material whose date is not after `due`, the time that both clocks agree on; return its keys.

    For every request it is gone as soon as one of the clocks says so, whenever this runs; if that was wrong, it is
    there again. Returns ARNs. The audit log says each end before it
    happens. Raises StoreUnavailable or KeyholderUnavailable; the next run goes on.
    """
    expired = await services.store.read(imports.list_expired, due)
    if not expired:
        return []
    now = CLOCK.steady_now(time.time())
    arns = [ids.key_arn(each.account, each.region, each.key_id) for each in expired]
    calls = [
        expiry.own_call(
            services, "DeleteExpiredKeyMaterial", each.region, now,
            {"kmsKey": arn, "keyMaterial": each.material_id.hex()},
        )
        for each, arn in zip(expired, arns, strict=True)
    ]  # fmt: skip
    for call, each in zip(calls, expired, strict=True):
        if services.settings.deletion_guard != dependents.OFF:
            place = KeyPlace(each.account, each.region, each.key_id)
            await dependents.warn(call, place.arn, partial(dependents.count, keys=[place]))
        await call.announce("delete")
    await calls[-1].make(imports.destroy_expired, due)
    await expiry.close_calls(calls, calls[-1].record.serial)
    for key_id in {each.key_id for each in expired}:
        await services.keyholder.forget(key_id)
    await services.store.erase()
    return arns


def _importable_key(
    call: Call, identifier: str | None, action: str, conditions: Mapping[str, str] | None = None
) -> tuple[Key, str]:
    """Return a key with imported material, and its ARN; the states' table refuses other origins."""
    named = authorized_key(call, identifier or "", action, extra=conditions)
    return existing_key(named), named.arn


def _check_wrapping(key: Key, algorithm: str, spec: str) -> None:
    """Refuse what does not go together. AWS: WrappingAlgorithm of GetParametersForImport."""
    if _OF_CHINA & {algorithm, spec}:
        raise KmsFault("UnsupportedOperationException", "SM2 is not supported in this Region.")
    if algorithm == _TAKEN_AWAY:
        raise KmsFault("UnsupportedOperationException", f"The wrapping algorithm {_TAKEN_AWAY} is no longer supported.")
    too_long = key.spec.startswith("RSA_") or (key.spec == "ECC_NIST_P521" and spec == "RSA_2048")
    if algorithm in _WITHOUT_AES and too_long:
        raise KmsFault(
            "UnsupportedOperationException",
            f"{algorithm} with {spec} cannot wrap {key.spec} key material. Use an RSA_AES_KEY_WRAP algorithm.",
        )


def _conditions(input: ImportKeyMaterialInput) -> dict[str, str]:
    """Return the condition keys; AWS: kms:ExpirationModel is absent from a request that leaves it to the default."""
    conditions = {}
    if input.ExpirationModel is not None:
        conditions["kms:ExpirationModel"] = input.ExpirationModel
    if input.ValidTo is not None:
        conditions["kms:ValidTo"] = f"{input.ValidTo:.15g}"  # seconds since 1970
    return conditions


def _check_dates(call: Call, model: str, valid_to: float | None) -> None:
    if model == DOES_NOT_EXPIRE:
        if valid_to is not None:
            raise KmsFault(
                "ValidationException", f"A validTo date must not be set if the ExpirationModel is {DOES_NOT_EXPIRE}"
            )
        return
    if valid_to is None:
        raise KmsFault("ValidationException", f"A validTo date must be set if the ExpirationModel is {EXPIRES}")
    if not call.now < valid_to <= call.now + _LONGEST:
        raise KmsFault("ValidationException", "The validTo date must be in the future and at most 365 days away")


def _check_several(key: Key, input: ImportKeyMaterialInput) -> None:
    """Refuse what only keys with several materials have. AWS: "only usable with symmetric encryption keys"."""
    given = (input.ImportType, input.KeyMaterialDescription, input.KeyMaterialId)
    if key.spec != SYMMETRIC_DEFAULT and any(member is not None for member in given):
        raise KmsFault(
            "UnsupportedOperationException",
            "ImportType, KeyMaterialDescription and KeyMaterialId are only valid for symmetric encryption keys.",
        )


async def _unwrap_material(call: Call, key: Key, arn: str, input: ImportKeyMaterialInput) -> Material:
    """Return the material, sealed for this key by the keyholder, which leaves a record of it."""
    token = input.ImportToken or b""
    if token[0] >= len(_ALGORITHMS):
        raise KmsFault("InvalidImportTokenException")
    if len(token) > _U64.size and call.now >= _U64.unpack_from(token, 1)[0]:
        raise KmsFault("ExpiredImportTokenException")  # the keyholder, who looks as well, has the wall clock only
    algorithm = _ALGORITHMS[token[0]]
    draft = call.draft(use="kms:ImportKeyMaterial", key=arn)
    scope, encrypted = _scope(arn, algorithm), input.EncryptedKeyMaterial or b""
    try:
        with throttling.limit_slow_keys(call):
            return await call.services.keyholder.import_material(
                key.key_id, key.spec, scope, token[1:], algorithm, encrypted, draft
            )
    except ImportTokenExpired:
        raise KmsFault("ExpiredImportTokenException") from None
    except TamperedError:
        raise KmsFault("InvalidImportTokenException") from None
    except FormatError:  # one answer for anything wrong: see keyholder/backends/software/importing.py
        raise KmsFault("InvalidCiphertextException") from None


def _scope(arn: str, algorithm: str) -> bytes:
    """Return the scope of a token: the key's ARN and the wrapping algorithm, each with its length (u16) before."""
    return b"".join(_U16.pack(len(part)) + part for part in (arn.encode(), algorithm.encode()))


def _material_id_text(key: Key, material_id: bytes) -> str | None:
    """Return a material's id as answers name it: of symmetric encryption keys only (recorded from AWS)."""
    return material_id.hex() if key.spec == SYMMETRIC_DEFAULT and material_id else None


def _refusal(error: StoreRefusal, arn: str) -> Fault:
    match error:
        case WrongState():
            return states.refusal(error.state, "kms:ImportKeyMaterial", arn)
        case NotPrimary():
            return KmsFault(
                "UnsupportedOperationException",
                f"New key material cannot be imported into the multi-Region replica key {arn}.",
            )
        case NotExpected():
            return KmsFault(
                "IncorrectKeyMaterialException", "The key material is not the one that was expected for this KMS key."
            )
        case AnotherPending():
            return KmsFault(
                "KMSInvalidStateException",
                f"New key material (id: {error.brought.hex()}) cannot be imported into KMS key {arn}, "
                f"because another key material (id: {error.waiting.hex()}) is pending rotation.",
            )
        case NotFound():
            return NotFoundException(f"Key '{arn}' does not exist")
    raise error
