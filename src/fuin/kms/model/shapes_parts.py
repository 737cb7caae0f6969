"""The structures that inputs and outputs are made of.

Written by `python -m tools.kms_shapes` from botocore's model of AWS KMS; do not edit.
"""

from __future__ import annotations

from fuin.kms.model import shapes_types
from fuin.kms.model.shape import Input, Output


class XksKeyConfigurationType(Output, frozen=True):
    """XksKeyConfigurationType of the model."""

    Id: str | None = None


class GrantConstraints(Output, frozen=True):
    """GrantConstraints of the model."""

    EncryptionContextSubset: dict[str, str] | None = None
    EncryptionContextEquals: dict[str, str] | None = None
    SourceArn: shapes_types.GrantConstraintSourceArnType | None = None


class KeyListEntry(Output, frozen=True):
    """KeyListEntry of the model."""

    KeyId: str | None = None
    KeyArn: str | None = None


class MultiRegionKey(Output, frozen=True):
    """MultiRegionKey of the model."""

    Arn: str | None = None
    Region: str | None = None


class RecipientInfo(Input, frozen=True):
    """RecipientInfo of the model."""

    hidden = ("AttestationDocument",)

    KeyEncryptionAlgorithm: shapes_types.KeyEncryptionMechanism | None = None
    AttestationDocument: shapes_types.AttestationDocumentType | None = None


class Tag(Output, frozen=True):
    """Tag of the model."""

    required = ("TagKey", "TagValue")

    TagKey: shapes_types.TagKeyType | None = None
    TagValue: shapes_types.TagValueType | None = None


class XksProxyAuthenticationCredentialType(Input, frozen=True):
    """XksProxyAuthenticationCredentialType of the model."""

    required = ("AccessKeyId", "RawSecretAccessKey")
    hidden = ("AccessKeyId", "RawSecretAccessKey")

    AccessKeyId: shapes_types.XksProxyAuthenticationAccessKeyIdType | None = None
    RawSecretAccessKey: shapes_types.XksProxyAuthenticationRawSecretAccessKeyType | None = None


class AliasListEntry(Output, frozen=True):
    """AliasListEntry of the model."""

    AliasName: str | None = None
    AliasArn: str | None = None
    TargetKeyId: str | None = None
    CreationDate: float | None = None
    LastUpdatedDate: float | None = None


class KeyLastUsageData(Output, frozen=True):
    """KeyLastUsageData of the model."""

    Operation: str | None = None
    Timestamp: float | None = None
    CloudTrailEventId: str | None = None
    KmsRequestId: str | None = None


class MultiRegionConfiguration(Output, frozen=True):
    """MultiRegionConfiguration of the model."""

    MultiRegionKeyType: str | None = None
    PrimaryKey: MultiRegionKey | None = None
    ReplicaKeys: list[MultiRegionKey] | None = None


class XksProxyConfigurationType(Output, frozen=True):
    """XksProxyConfigurationType of the model."""

    hidden = ("AccessKeyId",)

    Connectivity: str | None = None
    AccessKeyId: str | None = None
    UriEndpoint: str | None = None
    UriPath: str | None = None
    VpcEndpointServiceName: str | None = None
    VpcEndpointServiceOwner: str | None = None


class RotationsListEntry(Output, frozen=True):
    """RotationsListEntry of the model."""

    KeyId: str | None = None
    KeyMaterialId: str | None = None
    KeyMaterialDescription: str | None = None
    ImportState: str | None = None
    KeyMaterialState: str | None = None
    ExpirationModel: str | None = None
    ValidTo: float | None = None
    RotationDate: float | None = None
    RotationType: str | None = None


class GrantListEntry(Output, frozen=True):
    """GrantListEntry of the model."""

    KeyId: str | None = None
    GrantId: str | None = None
    Name: str | None = None
    CreationDate: float | None = None
    GranteePrincipal: str | None = None
    RetiringPrincipal: str | None = None
    IssuingAccount: str | None = None
    Operations: list[str] | None = None
    Constraints: GrantConstraints | None = None
    GranteeServicePrincipal: str | None = None
    RetiringServicePrincipal: str | None = None


class CustomKeyStoresListEntry(Output, frozen=True):
    """CustomKeyStoresListEntry of the model."""

    CustomKeyStoreId: str | None = None
    CustomKeyStoreName: str | None = None
    CloudHsmClusterId: str | None = None
    TrustAnchorCertificate: str | None = None
    ConnectionState: str | None = None
    ConnectionErrorCode: str | None = None
    CreationDate: float | None = None
    CustomKeyStoreType: str | None = None
    XksProxyConfiguration: XksProxyConfigurationType | None = None


class KeyMetadata(Output, frozen=True):
    """KeyMetadata of the model."""

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
    MultiRegionConfiguration: MultiRegionConfiguration | None = None
    PendingDeletionWindowInDays: int | None = None
    MacAlgorithms: list[str] | None = None
    XksKeyConfiguration: XksKeyConfigurationType | None = None
    CurrentKeyMaterialId: str | None = None
