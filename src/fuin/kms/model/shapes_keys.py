"""The inputs and outputs of operations: keys, their aliases and their tags.

Written by `python -m tools.kms_shapes` from botocore's model of AWS KMS; do not edit.
"""

from __future__ import annotations

from fuin.kms.model import shapes_parts, shapes_types
from fuin.kms.model.shape import Input, Output


class CreateKeyInput(Input, frozen=True):
    """The input of CreateKey."""

    Policy: shapes_types.PolicyType | None = None
    Description: shapes_types.DescriptionType | None = None
    KeyUsage: shapes_types.KeyUsageType | None = None
    CustomerMasterKeySpec: shapes_types.CustomerMasterKeySpec | None = None
    KeySpec: shapes_types.KeySpec | None = None
    Origin: shapes_types.OriginType | None = None
    CustomKeyStoreId: shapes_types.CustomKeyStoreIdType | None = None
    BypassPolicyLockoutSafetyCheck: bool | None = None
    Tags: list[shapes_parts.Tag] | None = None
    MultiRegion: bool | None = None
    XksKeyId: shapes_types.XksKeyIdType | None = None


class CreateKeyOutput(Output, frozen=True):
    """The output of CreateKey."""

    KeyMetadata: shapes_parts.KeyMetadata | None = None


class DescribeKeyInput(Input, frozen=True):
    """The input of DescribeKey."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None


class DescribeKeyOutput(Output, frozen=True):
    """The output of DescribeKey."""

    KeyMetadata: shapes_parts.KeyMetadata | None = None


class ListKeysInput(Input, frozen=True):
    """The input of ListKeys."""

    Limit: shapes_types.LimitType | None = None
    Marker: shapes_types.MarkerType | None = None
    ResourceOwners: shapes_types.ResourceOwnersList | None = None


class ListKeysOutput(Output, frozen=True):
    """The output of ListKeys."""

    Keys: list[shapes_parts.KeyListEntry] | None = None
    NextMarker: str | None = None
    Truncated: bool | None = None


class UpdateKeyDescriptionInput(Input, frozen=True):
    """The input of UpdateKeyDescription."""

    required = ("KeyId", "Description")

    KeyId: shapes_types.KeyIdType | None = None
    Description: shapes_types.DescriptionType | None = None


class GetKeyLastUsageInput(Input, frozen=True):
    """The input of GetKeyLastUsage."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None


class GetKeyLastUsageOutput(Output, frozen=True):
    """The output of GetKeyLastUsage."""

    KeyId: str | None = None
    KeyLastUsage: shapes_parts.KeyLastUsageData | None = None
    TrackingStartDate: float | None = None
    KeyCreationDate: float | None = None


class EnableKeyInput(Input, frozen=True):
    """The input of EnableKey."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None


class DisableKeyInput(Input, frozen=True):
    """The input of DisableKey."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None


class ScheduleKeyDeletionInput(Input, frozen=True):
    """The input of ScheduleKeyDeletion."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None
    PendingWindowInDays: shapes_types.PendingWindowInDaysType | None = None


class ScheduleKeyDeletionOutput(Output, frozen=True):
    """The output of ScheduleKeyDeletion."""

    KeyId: str | None = None
    DeletionDate: float | None = None
    KeyState: str | None = None
    PendingWindowInDays: int | None = None


class CancelKeyDeletionInput(Input, frozen=True):
    """The input of CancelKeyDeletion."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None


class CancelKeyDeletionOutput(Output, frozen=True):
    """The output of CancelKeyDeletion."""

    KeyId: str | None = None


class ReplicateKeyInput(Input, frozen=True):
    """The input of ReplicateKey."""

    required = ("KeyId", "ReplicaRegion")

    KeyId: shapes_types.KeyIdType | None = None
    ReplicaRegion: shapes_types.RegionType | None = None
    Policy: shapes_types.PolicyType | None = None
    BypassPolicyLockoutSafetyCheck: bool | None = None
    Description: shapes_types.DescriptionType | None = None
    Tags: list[shapes_parts.Tag] | None = None


class ReplicateKeyOutput(Output, frozen=True):
    """The output of ReplicateKey."""

    ReplicaKeyMetadata: shapes_parts.KeyMetadata | None = None
    ReplicaPolicy: str | None = None
    ReplicaTags: list[shapes_parts.Tag] | None = None


class UpdatePrimaryRegionInput(Input, frozen=True):
    """The input of UpdatePrimaryRegion."""

    required = ("KeyId", "PrimaryRegion")

    KeyId: shapes_types.KeyIdType | None = None
    PrimaryRegion: shapes_types.RegionType | None = None


class CreateAliasInput(Input, frozen=True):
    """The input of CreateAlias."""

    required = ("AliasName", "TargetKeyId")

    AliasName: shapes_types.AliasNameType | None = None
    TargetKeyId: shapes_types.KeyIdType | None = None


class UpdateAliasInput(Input, frozen=True):
    """The input of UpdateAlias."""

    required = ("AliasName", "TargetKeyId")

    AliasName: shapes_types.AliasNameType | None = None
    TargetKeyId: shapes_types.KeyIdType | None = None


class DeleteAliasInput(Input, frozen=True):
    """The input of DeleteAlias."""

    required = ("AliasName",)

    AliasName: shapes_types.AliasNameType | None = None


class ListAliasesInput(Input, frozen=True):
    """The input of ListAliases."""

    KeyId: shapes_types.KeyIdType | None = None
    Limit: shapes_types.LimitType | None = None
    Marker: shapes_types.MarkerType | None = None


class ListAliasesOutput(Output, frozen=True):
    """The output of ListAliases."""

    Aliases: list[shapes_parts.AliasListEntry] | None = None
    NextMarker: str | None = None
    Truncated: bool | None = None


class TagResourceInput(Input, frozen=True):
    """The input of TagResource."""

    required = ("KeyId", "Tags")

    KeyId: shapes_types.KeyIdType | None = None
    Tags: list[shapes_parts.Tag] | None = None


class UntagResourceInput(Input, frozen=True):
    """The input of UntagResource."""

    required = ("KeyId", "TagKeys")

    KeyId: shapes_types.KeyIdType | None = None
    TagKeys: list[shapes_types.TagKeyType] | None = None


class ListResourceTagsInput(Input, frozen=True):
    """The input of ListResourceTags."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None
    Limit: shapes_types.LimitType | None = None
    Marker: shapes_types.MarkerType | None = None


class ListResourceTagsOutput(Output, frozen=True):
    """The output of ListResourceTags."""

    Tags: list[shapes_parts.Tag] | None = None
    NextMarker: str | None = None
    Truncated: bool | None = None
