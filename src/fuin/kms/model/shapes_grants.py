"""The inputs and outputs of operations: key policies and grants.

Written by `python -m tools.kms_shapes` from botocore's model of AWS KMS; do not edit.
"""

from __future__ import annotations

from fuin.kms.model import shapes_parts, shapes_types
from fuin.kms.model.shape import Input, Output


class GetKeyPolicyInput(Input, frozen=True):
    """The input of GetKeyPolicy."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None
    PolicyName: shapes_types.PolicyNameType | None = None


class GetKeyPolicyOutput(Output, frozen=True):
    """The output of GetKeyPolicy."""

    Policy: str | None = None
    PolicyName: str | None = None


class PutKeyPolicyInput(Input, frozen=True):
    """The input of PutKeyPolicy."""

    required = ("KeyId", "Policy")

    KeyId: shapes_types.KeyIdType | None = None
    PolicyName: shapes_types.PolicyNameType | None = None
    Policy: shapes_types.PolicyType | None = None
    BypassPolicyLockoutSafetyCheck: bool | None = None


class ListKeyPoliciesInput(Input, frozen=True):
    """The input of ListKeyPolicies."""

    required = ("KeyId",)

    KeyId: shapes_types.KeyIdType | None = None
    Limit: shapes_types.LimitType | None = None
    Marker: shapes_types.MarkerType | None = None


class ListKeyPoliciesOutput(Output, frozen=True):
    """The output of ListKeyPolicies."""

    PolicyNames: list[str] | None = None
    NextMarker: str | None = None
    Truncated: bool | None = None


class CreateGrantInput(Input, frozen=True):
    """The input of CreateGrant."""

    required = ("KeyId", "Operations")

    KeyId: shapes_types.KeyIdType | None = None
    GranteePrincipal: shapes_types.PrincipalIdType | None = None
    RetiringPrincipal: shapes_types.PrincipalIdType | None = None
    Operations: list[shapes_types.GrantOperation] | None = None
    Constraints: shapes_parts.GrantConstraints | None = None
    GrantTokens: shapes_types.GrantTokenList | None = None
    Name: shapes_types.GrantNameType | None = None
    DryRun: bool | None = None
    GranteeServicePrincipal: shapes_types.ServicePrincipalType | None = None
    RetiringServicePrincipal: shapes_types.ServicePrincipalType | None = None


class CreateGrantOutput(Output, frozen=True):
    """The output of CreateGrant."""

    GrantToken: str | None = None
    GrantId: str | None = None


class ListGrantsInput(Input, frozen=True):
    """The input of ListGrants."""

    required = ("KeyId",)

    Limit: shapes_types.LimitType | None = None
    Marker: shapes_types.MarkerType | None = None
    KeyId: shapes_types.KeyIdType | None = None
    GrantId: shapes_types.GrantIdType | None = None
    GranteePrincipal: shapes_types.PrincipalIdType | None = None
    GranteeServicePrincipal: shapes_types.ServicePrincipalType | None = None


class ListGrantsOutput(Output, frozen=True):
    """The output of ListGrants."""

    Grants: list[shapes_parts.GrantListEntry] | None = None
    NextMarker: str | None = None
    Truncated: bool | None = None


class ListRetirableGrantsInput(Input, frozen=True):
    """The input of ListRetirableGrants."""

    Limit: shapes_types.LimitType | None = None
    Marker: shapes_types.MarkerType | None = None
    RetiringPrincipal: shapes_types.PrincipalIdType | None = None
    RetiringServicePrincipal: shapes_types.ServicePrincipalType | None = None


class ListRetirableGrantsOutput(Output, frozen=True):
    """The output of ListRetirableGrants."""

    Grants: list[shapes_parts.GrantListEntry] | None = None
    NextMarker: str | None = None
    Truncated: bool | None = None


class RetireGrantInput(Input, frozen=True):
    """The input of RetireGrant."""

    GrantToken: shapes_types.GrantTokenType | None = None
    KeyId: shapes_types.KeyIdType | None = None
    GrantId: shapes_types.GrantIdType | None = None
    DryRun: bool | None = None


class RevokeGrantInput(Input, frozen=True):
    """The input of RevokeGrant."""

    required = ("KeyId", "GrantId")

    KeyId: shapes_types.KeyIdType | None = None
    GrantId: shapes_types.GrantIdType | None = None
    DryRun: bool | None = None
