"""The structures that several operations share, with AWS's member names.

Every member may be None, since presence is the model's to check (`model.py`); members that are None are left out of
answers. Times are seconds since 1970.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin import ids
from fuin.clock import CLOCK
from fuin.kms import states
from fuin.kms.specs import (
    ENCAPSULATE_DECAPSULATE,
    ENCRYPT_DECRYPT,
    GENERATE_VERIFY_MAC,
    KEY_AGREEMENT,
    SIGN_VERIFY,
    SYMMETRIC_DEFAULT,
    algorithms,
)
from fuin.store.kms import keys

if TYPE_CHECKING:
    from fuin.gate.call import Call
    from fuin.store.kms.keys import Key

_WITH_MATERIAL_ID = frozenset({"AWS_KMS", "EXTERNAL"})


class Input(msgspec.Struct, frozen=True):
    """The input of an operation; members that are not in the model are ignored, as AWS does."""


class Output(msgspec.Struct, frozen=True, omit_defaults=True):
    """The output of an operation, or a part of one."""


class KeyInput(Input, frozen=True):
    """The input of operations that take nothing but a key."""

    KeyId: str | None = None


class KeyOutput(Output, frozen=True):
    """The output of operations that answer with nothing but the key's ARN."""

    KeyId: str | None = None


class Tag(msgspec.Struct, frozen=True):
    """A tag of a key."""

    TagKey: str | None = None
    TagValue: str | None = None


class RecipientInfo(Input, frozen=True):
    """A Nitro enclave's attestation; Fuin refuses it."""

    KeyEncryptionAlgorithm: str | None = None
    AttestationDocument: bytes | None = None


class MultiRegionKey(Output, frozen=True):
    """One of the related keys of a multi-Region key."""

    Arn: str | None = None
    Region: str | None = None


class RelatedKeys(Output, frozen=True):
    """The primary and replicas of a multi-Region key."""

    MultiRegionKeyType: str | None = None
    PrimaryKey: MultiRegionKey | None = None
    ReplicaKeys: list[MultiRegionKey] | None = None


class XksKeyConfigurationType(Output, frozen=True):
    """The key in an external key store."""

    Id: str | None = None


class KeyMetadata(Output, frozen=True):
    """What DescribeKey tells about a key."""

    AWSAccountId: str | None = None
    KeyId: str | None = None
    Arn: str | None = None
    CreationDate: float | None = None
    Enabled: bool | None = None
    Description: str | None = None
    KeyUsage: str | None = None
    KeyState: str | None = None
    DeletionDate: float | None = None
    ValidTo: float | None = None
    Origin: str | None = None
    CustomKeyStoreId: str | None = None
    CloudHsmClusterId: str | None = None
    ExpirationModel: str | None = None
    KeyManager: str | None = None
    CustomerMasterKeySpec: str | None = None
    KeySpec: str | None = None
    EncryptionAlgorithms: list[str] | None = None
    SigningAlgorithms: list[str] | None = None
    KeyAgreementAlgorithms: list[str] | None = None
    EncapsulationAlgorithms: list[str] | None = None
    MultiRegion: bool | None = None
    MultiRegionConfiguration: RelatedKeys | None = None
    PendingDeletionWindowInDays: int | None = None
    MacAlgorithms: list[str] | None = None
    XksKeyConfiguration: XksKeyConfigurationType | None = None
    CurrentKeyMaterialId: str | None = None


def metadata(call: Call, key: Key, arn: str) -> KeyMetadata:
    """Return the metadata of a key, as recorded from AWS."""
    key = states.seen(key, call.now)
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
        MultiRegionConfiguration=_related(call, key) if key.primary_region is not None else None,
        PendingDeletionWindowInDays=key.deletion_window,
        XksKeyConfiguration=None if key.xks_key_id is None else XksKeyConfigurationType(Id=key.xks_key_id),
        CurrentKeyMaterialId=current if key.origin in _WITH_MATERIAL_ID else None,
        EncryptionAlgorithms=algorithms_of(key, ENCRYPT_DECRYPT),
        SigningAlgorithms=algorithms_of(key, SIGN_VERIFY),
        MacAlgorithms=algorithms_of(key, GENERATE_VERIFY_MAC),
        KeyAgreementAlgorithms=algorithms_of(key, KEY_AGREEMENT),
        EncapsulationAlgorithms=algorithms_of(key, ENCAPSULATE_DECAPSULATE),
    )


def algorithms_of(key: Key, usage: str) -> list[str] | None:
    """Return the key's algorithms if it has this usage: answers have a member for each usage, and show one."""
    return list(algorithms(key.spec, usage)) if key.usage == usage else None


def _related(call: Call, key: Key) -> RelatedKeys:
    """Return the primary and the replicas of a multi-Region key."""
    regions = call.services.store.look_up(keys.list_regions, key.key_id, CLOCK.settled())
    primary = key.primary_region or key.region
    related = {
        region: MultiRegionKey(Arn=ids.key_arn(key.account, region, key.key_id), Region=region)
        for region in (primary, *regions)
    }
    return RelatedKeys(
        MultiRegionKeyType="PRIMARY" if primary == key.region else "REPLICA",
        PrimaryKey=related[primary],
        ReplicaKeys=[entry for region, entry in related.items() if region != primary],
    )
