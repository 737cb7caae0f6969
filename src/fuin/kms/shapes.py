"""The structures that several operations share, with AWS's member names.

Every member may be None, since presence is the model's to check (`model.py`); members that are None are left out of
answers. Times are seconds since 1970.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin.kms import states
from fuin.kms.key import SYMMETRIC_DEFAULT

if TYPE_CHECKING:
    from fuin.store.keys import Key


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


def metadata(key: Key, arn: str) -> KeyMetadata:
    """Return the metadata of a symmetric key, as recorded from AWS."""
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
        Origin=key.origin,
        KeyManager=key.manager,
        CustomerMasterKeySpec=key.spec,
        KeySpec=key.spec,
        EncryptionAlgorithms=[SYMMETRIC_DEFAULT],
        MultiRegion=key.multi_region,
        CurrentKeyMaterialId=key.current_material.hex(),
    )
