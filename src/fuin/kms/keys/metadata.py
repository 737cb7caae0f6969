"""The structures that several operations share, with AWS's member names.

Every member may be None, since presence is the model's to check (`model.py`); members that are None are left out of
answers. Times are seconds since 1970.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin import ids
from fuin.clock import CLOCK
from fuin.kms.model.shapes_parts import KeyMetadata, MultiRegionConfiguration, MultiRegionKey, XksKeyConfigurationType
from fuin.kms.model.specs import (
    ENCAPSULATE_DECAPSULATE,
    ENCRYPT_DECRYPT,
    GENERATE_VERIFY_MAC,
    KEY_AGREEMENT,
    SIGN_VERIFY,
    SYMMETRIC_DEFAULT,
    algorithms,
)
from fuin.kms.reach import states
from fuin.store.kms import keys

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.gate.call import Call
    from fuin.store.kms.keys import Key

_WITH_MATERIAL_ID = frozenset({"AWS_KMS", "EXTERNAL"})


def key_metadata(call: Call, key: Key, arn: str) -> KeyMetadata:
    """Return the metadata of a key, as recorded from AWS."""
    key = states.key_as_of(key, call.now)
    current = key.current_material.hex() if key.spec == SYMMETRIC_DEFAULT and key.current_material else None
    return KeyMetadata(
        AWSAccountId=key.account,
        KeyId=key.key_id,
        Arn=arn,
        CreationDate=key.created,
        Enabled=key.state == states.ENABLED,
        Description=key.description,
        KeyUsage=key.usage,
        KeyState=key.state,
        DeletionDate=key.deletion_date,
        ValidTo=key.valid_to,
        Origin=key.origin,
        CustomKeyStoreId=key.custom_key_store,
        ExpirationModel=key.expiration_model,
        KeyManager=key.manager,
        CustomerMasterKeySpec=key.spec,
        KeySpec=key.spec,
        MultiRegion=key.multi_region,
        MultiRegionConfiguration=_related_keys(call, key) if key.primary_region is not None else None,
        PendingDeletionWindowInDays=key.deletion_window,
        XksKeyConfiguration=None if key.xks_key_id is None else XksKeyConfigurationType(Id=key.xks_key_id),
        CurrentKeyMaterialId=current if key.origin in _WITH_MATERIAL_ID else None,
        EncryptionAlgorithms=algorithms_for_usage(key, ENCRYPT_DECRYPT),
        SigningAlgorithms=algorithms_for_usage(key, SIGN_VERIFY),
        MacAlgorithms=algorithms_for_usage(key, GENERATE_VERIFY_MAC),
        KeyAgreementAlgorithms=algorithms_for_usage(key, KEY_AGREEMENT),
        EncapsulationAlgorithms=algorithms_for_usage(key, ENCAPSULATE_DECAPSULATE),
    )


def algorithms_for_usage(key: Key, usage: str) -> list[str] | None:
    """Return the key's algorithms if it has this usage: answers have a member for each usage, and fill one."""
    return list(algorithms(key.spec, usage)) if key.usage == usage else None


def _list_regions(conn: Connection, key_id: str) -> list[str]:
    """Return the Regions of a key now. The time is no argument: a row that was fetched is found by its arguments."""
    return keys.list_regions(conn, key_id, CLOCK.certain_time())


def _related_keys(call: Call, key: Key) -> MultiRegionConfiguration:
    """Return the primary and the replicas of a multi-Region key."""
    regions = call.services.store.look_up(_list_regions, key.key_id)
    primary = key.primary_region or key.region
    related = {
        region: MultiRegionKey(Arn=ids.key_arn(key.account, region, key.key_id), Region=region)
        for region in (primary, *regions)
    }
    return MultiRegionConfiguration(
        MultiRegionKeyType="PRIMARY" if primary == key.region else "REPLICA",
        PrimaryKey=related[primary],
        ReplicaKeys=[entry for region, entry in related.items() if region != primary],
    )
