"""The uses of KMS keys by the operator of the server, who proves that stored data keys open: for `fuin verify`.

No policy is asked. Anyone who runs such a command has the data folder, and either the root key or the running
keyholder's socket, so no policy could stop them (docs/decisions/0029-the-proof-at-rest.md). A key's state counts as for
everybody else: a disabled key opens nothing. The keyholder records each use before its answer, and a bucket key from
memory has a record too.

The functions raise `fuin.errors.Fault` (KMS's modelled errors), KeyholderUnavailable or StoreUnavailable.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from fuin import ids
from fuin.access.principal import Principal
from fuin.errors import FormatError
from fuin.formats import blob as blobs
from fuin.gate.bucket_keys import BucketKey
from fuin.gate.call import Call
from fuin.gate.record import RequestRecord
from fuin.kms.bucket_keys import FROM_KMS, FROM_MEMORY
from fuin.kms.model.faults import KmsFault, NotFoundException
from fuin.kms.on_behalf import DECRYPT
from fuin.kms.reach import states
from fuin.kms.reach.key import OpenKey, encode_context
from fuin.kms.uses import ciphers
from fuin.store.kms import keys, materials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from fuin.formats.wrapped import Material
    from fuin.gate.services import Services
    from fuin.store.kms.keys import Key

# Codes of a ciphertext blob that does not belong to its object; all others are about the key.
OF_CIPHERTEXT = ("InvalidCiphertextException", "IncorrectKeyException")


def operator_call(services: Services, operation: str, facts: dict[str, Any]) -> Call:
    """Return the operator's request: its records have the user id on this machine as the principal."""
    name = f"operator:uid/{os.getuid()}"
    who = Principal(kind="service", arn=name, account="", id=name)
    region = services.settings.region
    return Call(
        services, ids.request_id(), "fuin", operation, who, "", region, time.time(), record=RequestRecord(facts)
    )


async def open_data_key(call: Call, key_arn: str, blob: bytes, context: Mapping[str, str]) -> bytes:
    """Return the data key of a blob, which must be under this KMS key and bound to this context."""
    opened = await _open_key(call, key_arn, blob, context)
    return await ciphers.decrypt(call, opened, blob)


async def open_bucket_key(call: Call, key_arn: str, blob: bytes, context: Mapping[str, str]) -> BucketKey:
    """Return the bucket key of a blob as `open_data_key`; KMS is asked once for the many objects under it."""
    opened, kept = await _open_key(call, key_arn, blob, context), call.services.bucket_keys
    name = (call.principal.conclusion_key, key_arn, blob, tuple(context.items()))
    while (found := kept.find(name, key_arn, opened.material.material_id)) is None:
        if not await kept.wait_for_request(name):
            with kept.request(name):
                _note(call, opened, FROM_KMS)
                plaintext = await ciphers.decrypt(call, opened, blob)
                return kept.keep(name, BucketKey(plaintext, blob, key_arn, opened.material.material_id))
    _note(call, opened, FROM_MEMORY)
    await call.conclude()
    return found


def _note(call: Call, opened: OpenKey, source: str) -> None:
    call.facts["bucketKeys"] = [{"use": opened.use, "key": opened.arn, "from": source}]


async def _open_key(call: Call, key_arn: str, blob: bytes, context: Mapping[str, str]) -> OpenKey:
    """Return the KMS key of a blob, if its state allows the use."""
    try:
        key_id, material_id = blobs.parse_ids(blob)
    except FormatError:
        raise KmsFault("InvalidCiphertextException") from None
    region, _, resource = key_arn.split(":", 5)[3:]
    if resource != f"key/{key_id}":
        raise KmsFault("IncorrectKeyException")
    key, material = await call.services.store.read(_find_key, key_id, region, material_id)
    if key is None or ids.key_arn(key.account, key.region, key.key_id) != key_arn or states.is_gone(key):
        raise NotFoundException(f"Key '{key_arn}' does not exist")
    states.check_state(states.key_as_of(key, call.now), DECRYPT.action, key_arn)
    if material is None:
        raise NotFoundException(f"Key '{key_arn}' does not have the key material {material_id.hex()} any longer")
    manager = key.manager if key.manager == keys.SERVICE else None
    return OpenKey(key_arn, key, material, encode_context(context), DECRYPT.action, context, manager)


def _find_key(conn: Connection, key_id: str, region: str, material_id: bytes) -> tuple[Key | None, Material | None]:
    return keys.find_key(conn, key_id, region), materials.find_material(conn, key_id, region, material_id)
