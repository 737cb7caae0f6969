"""The data keys of stored objects, which KMS opens for the operator: each one with its own record, and none is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fuin.envelope import bucket_key as wrapping
from fuin.errors import Fault, FuinError, KeyholderUnavailable, TamperedError
from fuin.gate.services import Services
from fuin.kms import operator

if TYPE_CHECKING:
    from fuin.blobs.interface import BlobStore
    from fuin.gate.call import Call
    from fuin.keyholder.wire.client import Keyholder
    from fuin.s3.sealing.scheme import StoredEncryption
    from fuin.settings import Settings
    from fuin.store.s3.message_rows import Owner
    from fuin.store.s3.object_name import ObjectName
    from fuin.store.store import Store

OPERATION = "VerifyObject"  # in the records
_BLOBS_NAMED = 20  # in each record
_FAILURES_AT_MOST = 32  # of the keyholder; one that is started again answers after a few seconds


class KeyRefused(FuinError):
    """KMS does not open a data key now, for instance because its KMS key is disabled: nothing is known of the data."""


class DataKeys:
    """Opens data keys through the keyholder, as the operator of the server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._failures = 0  # of the keyholder, one after the other

    async def close(self) -> None:
        """Wipe the bucket keys that were kept, and close the connections to external key managers."""
        self._services.bucket_keys.wipe()
        await self._services.proxies.close()

    async def open(self, owner: Owner, stored: StoredEncryption) -> bytes:
        """Return the data key of a version or an upload, of two layers both keys.

        Raises TamperedError when it does not belong to this object, KeyRefused, and StoreUnavailable. Raises
        KeyholderUnavailable when the keyholder has not answered for long.
        """
        call = operator.operator_call(self._services, OPERATION, _facts(owner))
        try:
            data_key = await _open(call, owner.name, stored)
        except KeyholderUnavailable as error:
            self._failures += 1
            if self._failures > _FAILURES_AT_MOST:
                raise
            raise KeyRefused(f"KMS does not open its data key: {error}") from None
        except Fault as fault:
            if call.record.is_open:
                await call.conclude(error=fault.code, message=fault.message)
            if fault.code in operator.OF_CIPHERTEXT:
                raise TamperedError(_OTHERS) from None
            raise KeyRefused(f"KMS does not open its data key: {fault.code}: {fault.message}") from None
        self._failures = 0
        return data_key


def new_data_keys(settings: Settings, store: Store, keyholder: Keyholder, blobs: BlobStore) -> DataKeys:
    """Return the data keys of a command, which has no services yet."""
    return DataKeys(Services(settings, store, keyholder, blobs))


async def _open(call: Call, name: ObjectName, stored: StoredEncryption) -> bytes:
    context = stored.kms_context(name.bucket, name.key)
    if stored.wrapped:
        bucket_key = await operator.open_bucket_key(call, stored.key, stored.blob, context)
        pairs = stored.full_context(name.bucket, name.key)
        return wrapping.unwrap(bucket_key.plaintext.reveal(), stored.wrapped, pairs)
    data_key = await operator.open_data_key(call, stored.key, stored.blob, context)
    if stored.inner:
        data_key += await operator.open_data_key(call, stored.key, stored.inner, context)
    return data_key


_OTHERS = "KMS does not open its data key: it is not of this KMS key, not of this bucket and key, or was changed"


def _facts(owner: Owner) -> dict[str, Any]:
    facts: dict[str, Any] = {"bucket": owner.name.bucket, "key": owner.name.key}
    if owner.upload_id:
        facts["uploadId"] = owner.upload_id
    else:
        facts["versionId"] = owner.name.version
    return facts | {"blobs": [part.blob for part in owner.parts[:_BLOBS_NAMED]]}
