"""Imported key material: GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial, and its expiry.

The owner wraps the material with a public key that was made for this one import. Its private half is sealed into the
import token, which is bound to the KMS key and the wrapping algorithm; nothing of it is stored. The material is opened
in the keyholder only. AWS KMS developer guide, "Importing key material".
"""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

from fuin import crash, ids
from fuin.clock import CLOCK
from fuin.errors import FormatError, ImportTokenExpired, TamperedError
from fuin.kms import janitor, states, throttling
from fuin.kms.faults import (
    ExpiredImportTokenException,
    IncorrectKeyMaterialException,
    InvalidCiphertextException,
    InvalidImportTokenException,
    KMSInvalidStateException,
    NotFoundException,
    UnsupportedOperationException,
    ValidationException,
)
from fuin.kms.key import found, reach
from fuin.kms.shapes import Input, Output
from fuin.kms.specs import SYMMETRIC_DEFAULT
from fuin.store.errors import AnotherPending, NotExpected, NotFound, NotPrimary, StoreRefusal, WrongState
from fuin.store.kms import imports
from fuin.store.kms.imports import DOES_NOT_EXPIRE, EXPIRES, Brought

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class GetParametersForImportInput(Input, frozen=True):
    """What GetParametersForImport takes."""

    KeyId: str | None = None
    WrappingAlgorithm: str | None = None
    WrappingKeySpec: str | None = None


class GetParametersForImportOutput(Output, frozen=True):
    """A public key to wrap material with, and the token that goes with it."""

    KeyId: str | None = None
    ImportToken: bytes | None = None
    PublicKey: bytes | None = None
    ParametersValidTo: float | None = None


class ImportKeyMaterialInput(Input, frozen=True):
    """What ImportKeyMaterial takes."""

    KeyId: str | None = None
    ImportToken: bytes | None = None
    EncryptedKeyMaterial: bytes | None = None
    ValidTo: float | None = None
    ExpirationModel: str | None = None
    ImportType: str | None = None
    KeyMaterialDescription: str | None = None
    KeyMaterialId: str | None = None


class ImportKeyMaterialOutput(Output, frozen=True):
    """The material that was imported."""

    KeyId: str | None = None
    KeyMaterialId: str | None = None


class DeleteImportedKeyMaterialInput(Input, frozen=True):
    """What DeleteImportedKeyMaterial takes."""

    KeyId: str | None = None
    KeyMaterialId: str | None = None


class DeleteImportedKeyMaterialOutput(Output, frozen=True):
    """The material that was deleted."""

    KeyId: str | None = None
    KeyMaterialId: str | None = None


async def get_parameters_for_import(call: Call, p: GetParametersForImportInput) -> GetParametersForImportOutput:
    """Return a fresh wrapping key and the token that brings material wrapped with it, good for 24 hours."""
    algorithm, spec = p.WrappingAlgorithm or "", p.WrappingKeySpec or ""
    conditions = {"kms:WrappingAlgorithm": algorithm, "kms:WrappingKeySpec": spec}
    key, arn = await call.consult(_reach, p.KeyId, "kms:GetParametersForImport", conditions)
    _check_wrapping(key, algorithm, spec)
    expires = int(call.now + TOKEN_LIFE)
    with throttling.slow(call):
        public, token = await call.services.keyholder.import_parameters(_scope(arn, algorithm), spec, expires)
    token = bytes((_ALGORITHMS.index(algorithm),)) + token
    return GetParametersForImportOutput(KeyId=arn, ImportToken=token, PublicKey=public, ParametersValidTo=expires)


async def import_key_material(call: Call, p: ImportKeyMaterialInput) -> ImportKeyMaterialOutput:
    """Put material into a key: its first, one that it had before, or a new one to rotate to."""
    model = p.ExpirationModel or EXPIRES
    _check_dates(call, model, p.ValidTo)
    if p.ImportType == _NEW and p.KeyMaterialId is not None:
        raise ValidationException(f"KeyMaterialId cannot be specified when the ImportType is {_NEW}")
    key, arn = await call.consult(_reach, p.KeyId, "kms:ImportKeyMaterial", _conditions(p))
    _check_several(key, p)
    due = CLOCK.settled()
    if await call.services.store.read(imports.list_expired, due):
        await expire_due(call.services, due)  # whose time is over is gone, whether the job has come by or not
    material = await _unwrapped(call, key, arn, p)
    crash.point("import_material.after_material")
    await call.consult(_reach, p.KeyId, "kms:ImportKeyMaterial", _conditions(p))  # again: it may have waited long
    brought = Brought(
        material,
        round(call.now, 3),
        None if p.ImportType is None else p.ImportType == _NEW,
        None if p.KeyMaterialId is None else bytes.fromhex(p.KeyMaterialId),
        p.KeyMaterialDescription,
        model,
        p.ValidTo,
    )
    try:
        await call.commit(imports.import_material, key.region, brought)
    except StoreRefusal as error:
        raise _refused(error, arn) from None
    return ImportKeyMaterialOutput(KeyId=arn, KeyMaterialId=_shown(key, material.material_id))


async def delete_imported_key_material(
    call: Call, p: DeleteImportedKeyMaterialInput
) -> DeleteImportedKeyMaterialOutput:
    """Destroy imported material, by default the current one; the key waits until it is imported again.

    When this returns the material is in no file of the database any more, wrapped or not.
    """
    key, arn = await call.consult(_reach, p.KeyId, "kms:DeleteImportedKeyMaterial")
    wanted = None if p.KeyMaterialId is None else bytes.fromhex(p.KeyMaterialId)
    try:
        deleted = await call.change(imports.delete_material, key.key_id, key.region, wanted)
    except NotFound:
        raise NotFoundException(f"Key material {p.KeyMaterialId} of key {arn} does not exist.") from None
    crash.point("delete_material.after_store")
    await call.services.keyholder.forget(key.key_id)
    await call.services.store.erase()
    return DeleteImportedKeyMaterialOutput(KeyId=arn, KeyMaterialId=_shown(key, deleted))


async def expire_due(services: Services, due: float) -> list[str]:
    """Destroy imported material whose date is not after `due`, the time that both clocks agree on; return its keys.

    For every request it is gone as soon as one of the clocks says so, whenever this runs; if that was wrong, it is
    there again. Returns ARNs. Each end stands in the audit log before it
    happens. Raises StoreUnavailable or KeyholderUnavailable; the next run goes on.
    """
    expired = await services.store.read(imports.list_expired, due)
    if not expired:
        return []
    now = CLOCK.now(time.time())
    arns = [ids.key_arn(each.account, each.region, each.key_id) for each in expired]
    calls = [
        janitor.own_call(
            services, "DeleteExpiredKeyMaterial", each.region, now,
            {"kmsKey": arn, "keyMaterial": each.material_id.hex()},
        )
        for each, arn in zip(expired, arns, strict=True)
    ]  # fmt: skip
    for call in calls:
        await call.announce("delete")
    await calls[-1].make(imports.destroy_expired, due)
    await janitor.close(calls, calls[-1].record.serial)
    for key_id in {each.key_id for each in expired}:
        await services.keyholder.forget(key_id)
    await services.store.erase()
    return arns


def _reach(
    call: Call, identifier: str | None, action: str, conditions: Mapping[str, str] | None = None
) -> tuple[Key, str]:
    """Return a key whose material is imported, and its ARN; others are refused for their origin (kms/states.py)."""
    named = reach(call, identifier or "", action, extra=conditions)
    return found(named), named.arn


def _check_wrapping(key: Key, algorithm: str, spec: str) -> None:
    """Refuse what does not go together. AWS: WrappingAlgorithm of GetParametersForImport."""
    if _OF_CHINA & {algorithm, spec}:
        raise UnsupportedOperationException("SM2 is not supported in this Region.")
    if algorithm == _TAKEN_AWAY:
        raise UnsupportedOperationException(f"The wrapping algorithm {_TAKEN_AWAY} is no longer supported.")
    too_long = key.spec.startswith("RSA_") or (key.spec == "ECC_NIST_P521" and spec == "RSA_2048")
    if algorithm in _WITHOUT_AES and too_long:
        raise UnsupportedOperationException(
            f"{algorithm} with {spec} cannot wrap {key.spec} key material. Use an RSA_AES_KEY_WRAP algorithm."
        )


def _conditions(p: ImportKeyMaterialInput) -> dict[str, str]:
    """Return the condition keys; AWS: kms:ExpirationModel is absent from a request that leaves it to the default."""
    conditions = {}
    if p.ExpirationModel is not None:
        conditions["kms:ExpirationModel"] = p.ExpirationModel
    if p.ValidTo is not None:
        conditions["kms:ValidTo"] = f"{p.ValidTo:.15g}"  # seconds since 1970
    return conditions


def _check_dates(call: Call, model: str, valid_to: float | None) -> None:
    if model == DOES_NOT_EXPIRE:
        if valid_to is not None:
            raise ValidationException(f"A validTo date must not be set if the ExpirationModel is {DOES_NOT_EXPIRE}")
        return
    if valid_to is None:
        raise ValidationException(f"A validTo date must be set if the ExpirationModel is {EXPIRES}")
    if not call.now < valid_to <= call.now + _LONGEST:
        raise ValidationException("The validTo date must be in the future and at most 365 days away")


def _check_several(key: Key, p: ImportKeyMaterialInput) -> None:
    """Refuse what only keys with several materials have. AWS: "only usable with symmetric encryption keys"."""
    given = (p.ImportType, p.KeyMaterialDescription, p.KeyMaterialId)
    if key.spec != SYMMETRIC_DEFAULT and any(member is not None for member in given):
        raise UnsupportedOperationException(
            "ImportType, KeyMaterialDescription and KeyMaterialId are only valid for symmetric encryption keys."
        )


async def _unwrapped(call: Call, key: Key, arn: str, p: ImportKeyMaterialInput) -> Material:
    """Return the material, sealed for this key by the keyholder, which leaves a record of it."""
    token = p.ImportToken or b""
    if token[0] >= len(_ALGORITHMS):
        raise InvalidImportTokenException
    if len(token) > _U64.size and call.now >= _U64.unpack_from(token, 1)[0]:
        raise ExpiredImportTokenException  # the keyholder, who looks as well, has the wall clock only
    algorithm = _ALGORITHMS[token[0]]
    draft = call.draft(use="kms:ImportKeyMaterial", key=arn)
    scope, encrypted = _scope(arn, algorithm), p.EncryptedKeyMaterial or b""
    try:
        with throttling.slow(call):
            return await call.services.keyholder.import_material(
                key.key_id, key.spec, scope, token[1:], algorithm, encrypted, draft
            )
    except ImportTokenExpired:
        raise ExpiredImportTokenException from None
    except TamperedError:
        raise InvalidImportTokenException from None
    except FormatError:  # one answer for whatever is wrong: see keyholder/backends/software/importing.py
        raise InvalidCiphertextException from None


def _scope(arn: str, algorithm: str) -> bytes:
    """Return what a token is bound to: the key's ARN and the wrapping algorithm, each with its length (u16) before."""
    return b"".join(_U16.pack(len(part)) + part for part in (arn.encode(), algorithm.encode()))


def _shown(key: Key, material_id: bytes) -> str | None:
    """Return a material's id as answers name it: of symmetric encryption keys only (recorded from AWS)."""
    return material_id.hex() if key.spec == SYMMETRIC_DEFAULT and material_id else None


def _refused(error: StoreRefusal, arn: str) -> Fault:
    match error:
        case WrongState():
            return states.refusal(error.state, "kms:ImportKeyMaterial", arn)
        case NotPrimary():
            return UnsupportedOperationException(
                f"New key material cannot be imported into the multi-Region replica key {arn}."
            )
        case NotExpected():
            return IncorrectKeyMaterialException("The key material is not the one that was expected for this KMS key.")
        case AnotherPending():
            return KMSInvalidStateException(
                f"New key material (id: {error.brought.hex()}) cannot be imported into KMS key {arn}, "
                f"because another key material (id: {error.waiting.hex()}) is pending rotation."
            )
        case NotFound():
            return NotFoundException(f"Key '{arn}' does not exist")
    raise error
