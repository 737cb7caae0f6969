"""The one way to a data key for the object store: as the caller, or under a service-owned key.

Every function raises `fuin.errors.Fault` (KMS's modelled errors, `kms/model/faults.py`), AccessDenied,
KeyholderUnavailable or StoreUnavailable. The audit log says every use of a key, with the call's facts, before the
function returns; a refused use is in `call.facts["refusedUse"]` and `call.decisions`, which the service's own record
then holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin.errors import Fault, FormatError
from fuin.formats import blob as blobs
from fuin.kms.keys import managed
from fuin.kms.model.faults import KmsFault, NotFoundException
from fuin.kms.reach import states, throttling
from fuin.kms.reach.key import OpenKey, open_ciphertext, open_key
from fuin.kms.reach.key_identifiers import find_key
from fuin.kms.reach.use import Use
from fuin.kms.uses import ciphers
from fuin.store.kms.keys import SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.gate.call import Call
    from fuin.store.kms.keys import Key

DATA_KEY_LENGTH = 32  # AES-256
GENERATE_DATA_KEY = Use("kms:GenerateDataKey")
DECRYPT = Use("kms:Decrypt")
_ENCRYPT = Use("kms:Encrypt")
_RE_ENCRYPT_FROM, _RE_ENCRYPT_TO = (
    {same: Use(action, more=(("kms:reencryptonsamekey", "true" if same else "false"),)) for same in (False, True)}
    for action in ("kms:ReEncryptFrom", "kms:ReEncryptTo")
)


@dataclass(frozen=True, slots=True)
class DataKey:
    """A new data key: its plaintext, its ciphertext under a KMS key, and the ARN of that key."""

    plaintext: bytes
    blob: bytes
    key_arn: str

    def __repr__(self) -> str:
        return f"DataKey({self.key_arn})"


def forward_call(call: Call, region: str | None) -> Call:
    """Return the call as the object store's request to KMS in the bucket's region."""
    where = region or call.region
    forwarded = call.call_by_service(f"s3.{where}.amazonaws.com")
    forwarded.region = where
    return forwarded


async def data_key(call: Call, key: str | None, context: Mapping[str, str], region: str | None = None) -> DataKey:
    """Return a fresh data key, asked for as the caller (kms:GenerateDataKey).

    `key` is a key id, key ARN, alias name or alias ARN; None means alias/aws/s3, which is made on first use.
    `region` is the bucket's, by default the call's.
    """
    asked = forward_call(call, region)
    if asked.services.throttle.rates:
        throttling.admit_use(asked, "GenerateDataKey")
    if key is None:
        await managed.ensure_key(asked, managed.S3)
    opened = await asked.consult(open_key, key or managed.S3_ALIAS, GENERATE_DATA_KEY, context)
    return await _make_data_key(asked, opened)


async def two_data_keys(
    call: Call, key: str | None, context: Mapping[str, str], region: str | None = None
) -> tuple[DataKey, DataKey]:
    """Return two fresh data keys of one KMS key and key material, asked for as `data_key` does: two uses of the key."""
    asked = forward_call(call, region)
    if asked.services.throttle.rates:
        for _ in range(2):
            throttling.admit_use(asked, "GenerateDataKey")
    if key is None:
        await managed.ensure_key(asked, managed.S3)
    opened = await asked.consult(open_key, key or managed.S3_ALIAS, GENERATE_DATA_KEY, context)
    return await _make_data_key(asked, opened), await _make_data_key(asked, opened)


async def open_data_key(call: Call, blob: bytes, context: Mapping[str, str], region: str | None = None) -> bytes:
    """Return the data key of a blob, asked for as the caller (kms:Decrypt); the blob names its key."""
    asked = forward_call(call, region)
    if asked.services.throttle.rates:
        throttling.admit_use(asked, "Decrypt")
    opened = await asked.consult(open_ciphertext, blob, DECRYPT, identifier=None, context=context)
    return await ciphers.decrypt(asked, opened, blob)


async def encrypt(
    call: Call, data_key: bytes, context: Mapping[str, str], key_arn: str, region: str | None = None
) -> bytes:
    """Return the blob of a data key that exists already, asked for as the caller (kms:Encrypt)."""
    asked = forward_call(call, region)
    if asked.services.throttle.rates:
        throttling.admit_use(asked, "Encrypt")
    opened = await asked.consult(open_key, key_arn, _ENCRYPT, context)
    return await ciphers.encrypt(asked, opened, data_key)


async def re_encrypt(
    call: Call, blob: bytes, context: Mapping[str, str], key_arn: str, region: str | None = None
) -> bytes:
    """Return the blob of the same data key under another key, or under the current material of the same one.

    Asked for as the caller (kms:ReEncryptFrom and kms:ReEncryptTo); the data key stays in the keyholder.
    """
    asked = forward_call(call, region)
    same = _parse_ids(blob)[0] == key_arn.rpartition("/")[2]
    if asked.services.throttle.rates:
        throttling.admit_use(asked, "ReEncrypt")
    source = await asked.consult(open_ciphertext, blob, _RE_ENCRYPT_FROM[same], identifier=None, context=context)
    target = await asked.consult(open_key, key_arn, _RE_ENCRYPT_TO[same], context)
    return await ciphers.re_encrypt(asked, source, blob, target)


async def re_encrypt_service_blob(
    call: Call, blob: bytes, context: Mapping[str, str], key_arn: str, region: str | None = None
) -> bytes:
    """Return the blob of a data key made by `service_data_key` under a KMS key, asked for as the caller.

    The right to the KMS key is kms:ReEncryptTo; the service's own key needs none. The data key stays in the keyholder.
    """
    asked = forward_call(call, region)
    if asked.services.throttle.rates:
        throttling.admit_use(asked, "ReEncrypt")
    source = await _open_service_key(asked, blob, context)
    target = await asked.consult(open_key, key_arn, _RE_ENCRYPT_TO[False], context)
    return await ciphers.re_encrypt(asked, source, blob, target)


async def service_data_key(call: Call, account: str, context: Mapping[str, str], region: str | None = None) -> DataKey:
    """Return a fresh data key under the service-owned key of SSE-S3; the caller needs no right to it.

    `account` owns the bucket. The key is made on first use and no API shows it.
    """
    asked = forward_call(call, region)
    key = await managed.ensure_service_key(asked, account)
    opened = await asked.consult(managed.open_service_key, key, "kms:GenerateDataKey", key.current_material, context)
    return await _make_data_key(asked, opened)


async def open_service_data_key(
    call: Call, blob: bytes, context: Mapping[str, str], region: str | None = None
) -> bytes:
    """Return the data key of a blob made by `service_data_key`; raises InvalidCiphertextException for any other."""
    asked = forward_call(call, region)
    return await ciphers.decrypt(asked, await _open_service_key(asked, blob, context), blob)


async def _open_service_key(asked: Call, blob: bytes, context: Mapping[str, str]) -> OpenKey:
    key_id, material_id = _parse_ids(blob)
    key = await asked.consult(_key, key_id)
    if key is None or key.manager != SERVICE:
        raise KmsFault("InvalidCiphertextException")
    opened: OpenKey = await asked.consult(managed.open_service_key, key, "kms:Decrypt", material_id, context)
    return opened


def _parse_ids(blob: bytes) -> tuple[str, bytes]:
    """Return the ids of the key and the material that a blob names; raises InvalidCiphertextException."""
    try:
        return blobs.parse_ids(blob)
    except FormatError:
        raise KmsFault("InvalidCiphertextException") from None


def _key(call: Call, key_id: str) -> Key | None:
    return call.services.store.catalog().key(key_id, call.region)


def require_lasting_key(call: Call, arn: str) -> None:
    """Raise KMSInvalidStateException or NotFoundException for a key that waits for its end, or has ended.

    For a commit that comes later than its data key: an object under such a key would be lost with it.
    """
    region, _, resource = arn.split(":", 5)[3:]
    key = call.services.store.catalog().key(resource.removeprefix("key/"), region)
    if key is None or states.is_gone(key):
        raise NotFoundException(f"Key '{arn}' does not exist")
    states.check_lasting(states.key_as_of(key, call.now), arn)


def is_alias(identifier: str) -> bool:
    """Return whether an identifier is an alias: alias/NAME, or an alias's ARN."""
    return identifier.rpartition(":")[2].startswith("alias/")


def arn_of_alias(call: Call, identifier: str, region: str | None = None) -> str | None:
    """Return the ARN of the key that an alias names, as the caller means it; None when it names none."""
    asked = forward_call(call, region)
    try:
        named = find_key(asked, asked.services.store.catalog(), identifier, aliases=True)
    except Fault:
        return None
    return None if named.key is None else named.arn


async def _make_data_key(asked: Call, opened: OpenKey) -> DataKey:
    plaintext, blob = await ciphers.data_key(asked, opened, DATA_KEY_LENGTH)
    return DataKey(plaintext, blob, opened.arn)
