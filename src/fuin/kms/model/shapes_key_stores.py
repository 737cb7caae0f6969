"""The inputs and outputs of operations: custom key stores.

Written by `python -m tools.kms_shapes` from botocore's model of AWS KMS; do not edit.
"""

from __future__ import annotations

from fuin.kms.model import shapes_parts, shapes_types
from fuin.kms.model.shape import Input, Output


class ConnectCustomKeyStoreInput(Input, frozen=True):
    """The input of ConnectCustomKeyStore."""

    required = ("CustomKeyStoreId",)

    CustomKeyStoreId: shapes_types.CustomKeyStoreIdType | None = None


class ConnectCustomKeyStoreOutput(Output, frozen=True):
    """The output of ConnectCustomKeyStore."""


class CreateCustomKeyStoreInput(Input, frozen=True):
    """The input of CreateCustomKeyStore."""

    required = ("CustomKeyStoreName",)
    hidden = ("KeyStorePassword",)

    CustomKeyStoreName: shapes_types.CustomKeyStoreNameType | None = None
    CloudHsmClusterId: shapes_types.CloudHsmClusterIdType | None = None
    TrustAnchorCertificate: shapes_types.TrustAnchorCertificateType | None = None
    KeyStorePassword: shapes_types.KeyStorePasswordType | None = None
    CustomKeyStoreType: shapes_types.CustomKeyStoreType | None = None
    XksProxyUriEndpoint: shapes_types.XksProxyUriEndpointType | None = None
    XksProxyUriPath: shapes_types.XksProxyUriPathType | None = None
    XksProxyVpcEndpointServiceName: shapes_types.XksProxyVpcEndpointServiceNameType | None = None
    XksProxyVpcEndpointServiceOwner: shapes_types.AccountIdType | None = None
    XksProxyAuthenticationCredential: shapes_parts.XksProxyAuthenticationCredentialType | None = None
    XksProxyConnectivity: shapes_types.XksProxyConnectivityType | None = None


class CreateCustomKeyStoreOutput(Output, frozen=True):
    """The output of CreateCustomKeyStore."""

    CustomKeyStoreId: str | None = None


class DeleteCustomKeyStoreInput(Input, frozen=True):
    """The input of DeleteCustomKeyStore."""

    required = ("CustomKeyStoreId",)

    CustomKeyStoreId: shapes_types.CustomKeyStoreIdType | None = None


class DeleteCustomKeyStoreOutput(Output, frozen=True):
    """The output of DeleteCustomKeyStore."""


class DescribeCustomKeyStoresInput(Input, frozen=True):
    """The input of DescribeCustomKeyStores."""

    CustomKeyStoreId: shapes_types.CustomKeyStoreIdType | None = None
    CustomKeyStoreName: shapes_types.CustomKeyStoreNameType | None = None
    Limit: shapes_types.LimitType | None = None
    Marker: shapes_types.MarkerType | None = None


class DescribeCustomKeyStoresOutput(Output, frozen=True):
    """The output of DescribeCustomKeyStores."""

    CustomKeyStores: list[shapes_parts.CustomKeyStoresListEntry] | None = None
    NextMarker: str | None = None
    Truncated: bool | None = None


class DisconnectCustomKeyStoreInput(Input, frozen=True):
    """The input of DisconnectCustomKeyStore."""

    required = ("CustomKeyStoreId",)

    CustomKeyStoreId: shapes_types.CustomKeyStoreIdType | None = None


class DisconnectCustomKeyStoreOutput(Output, frozen=True):
    """The output of DisconnectCustomKeyStore."""


class UpdateCustomKeyStoreInput(Input, frozen=True):
    """The input of UpdateCustomKeyStore."""

    required = ("CustomKeyStoreId",)
    hidden = ("KeyStorePassword",)

    CustomKeyStoreId: shapes_types.CustomKeyStoreIdType | None = None
    NewCustomKeyStoreName: shapes_types.CustomKeyStoreNameType | None = None
    KeyStorePassword: shapes_types.KeyStorePasswordType | None = None
    CloudHsmClusterId: shapes_types.CloudHsmClusterIdType | None = None
    XksProxyUriEndpoint: shapes_types.XksProxyUriEndpointType | None = None
    XksProxyUriPath: shapes_types.XksProxyUriPathType | None = None
    XksProxyVpcEndpointServiceName: shapes_types.XksProxyVpcEndpointServiceNameType | None = None
    XksProxyVpcEndpointServiceOwner: shapes_types.AccountIdType | None = None
    XksProxyAuthenticationCredential: shapes_parts.XksProxyAuthenticationCredentialType | None = None
    XksProxyConnectivity: shapes_types.XksProxyConnectivityType | None = None


class UpdateCustomKeyStoreOutput(Output, frozen=True):
    """The output of UpdateCustomKeyStore."""
