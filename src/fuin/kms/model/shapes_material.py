"""The inputs and outputs of operations: rotation and imported key material.

Written by `python -m tools.kms_shapes` from botocore's model of AWS KMS; do not edit.
"""

from __future__ import annotations

from fuin.kms.model import shapes_parts, shapes_types
from fuin.kms.model.shape import Input, Output


class EnableKeyRotationInput(Input, frozen=True):
    """The input of EnableKeyRotation."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None
    RotationPeriodInDays: shapes_types.RotationPeriodInDaysType | None = None


class DisableKeyRotationInput(Input, frozen=True):
    """The input of DisableKeyRotation."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None


class GetKeyRotationStatusInput(Input, frozen=True):
    """The input of GetKeyRotationStatus."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None


class GetKeyRotationStatusOutput(Output, frozen=True):
    """The output of GetKeyRotationStatus."""

    KeyRotationEnabled: bool | None = None
    KeyId: str | None = None
    RotationPeriodInDays: int | None = None
    NextRotationDate: float | None = None
    OnDemandRotationStartDate: float | None = None


class ListKeyRotationsInput(Input, frozen=True):
    """The input of ListKeyRotations."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None
    IncludeKeyMaterial: shapes_types.IncludeKeyMaterial | None = None
    Limit: shapes_types.LimitType | None = None
    Marker: shapes_types.MarkerType | None = None


class ListKeyRotationsOutput(Output, frozen=True):
    """The output of ListKeyRotations."""

    Rotations: list[shapes_parts.RotationsListEntry] | None = None
    NextMarker: str | None = None
    Truncated: bool | None = None


class RotateKeyOnDemandInput(Input, frozen=True):
    """The input of RotateKeyOnDemand."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None


class RotateKeyOnDemandOutput(Output, frozen=True):
    """The output of RotateKeyOnDemand."""

    KeyId: str | None = None


class GetParametersForImportInput(Input, frozen=True):
    """The input of GetParametersForImport."""

    required = ("KeyId", "WrappingAlgorithm", "WrappingKeySpec")

    KeyId: shapes_types.KeyIdType | None = None
    WrappingAlgorithm: shapes_types.AlgorithmSpec | None = None
    WrappingKeySpec: shapes_types.WrappingKeySpec | None = None


class GetParametersForImportOutput(Output, frozen=True):
    """The output of GetParametersForImport."""

    hidden = ("ImportToken", "PublicKey")

    KeyId: str | None = None
    ImportToken: bytes | None = None
    PublicKey: bytes | None = None
    ParametersValidTo: float | None = None


class ImportKeyMaterialInput(Input, frozen=True):
    """The input of ImportKeyMaterial."""

    required = ("KeyId", "ImportToken", "EncryptedKeyMaterial")
    hidden = ("ImportToken", "EncryptedKeyMaterial")

    KeyId: shapes_types.KeyIdType | None = None
    ImportToken: shapes_types.CiphertextType | None = None
    EncryptedKeyMaterial: shapes_types.CiphertextType | None = None
    ValidTo: float | None = None
    ExpirationModel: shapes_types.ExpirationModelType | None = None
    ImportType: shapes_types.ImportType | None = None
    KeyMaterialDescription: shapes_types.KeyMaterialDescriptionType | None = None
    KeyMaterialId: shapes_types.BackingKeyIdType | None = None


class ImportKeyMaterialOutput(Output, frozen=True):
    """The output of ImportKeyMaterial."""

    KeyId: str | None = None
    KeyMaterialId: str | None = None


class DeleteImportedKeyMaterialInput(Input, frozen=True):
    """The input of DeleteImportedKeyMaterial."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None
    KeyMaterialId: shapes_types.BackingKeyIdType | None = None


class DeleteImportedKeyMaterialOutput(Output, frozen=True):
    """The output of DeleteImportedKeyMaterial."""

    KeyId: str | None = None
    KeyMaterialId: str | None = None
