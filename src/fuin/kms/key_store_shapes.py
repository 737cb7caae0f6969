"""Inputs and outputs of the operations on custom key stores, with AWS's member names, and the rules across members."""

from __future__ import annotations

import msgspec

from fuin.kms.faults import ValidationException
from fuin.kms.shapes import Input, Output

AWS_CLOUDHSM, EXTERNAL_KEY_STORE = "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"
PUBLIC_ENDPOINT, VPC_ENDPOINT_SERVICE = "PUBLIC_ENDPOINT", "VPC_ENDPOINT_SERVICE"

_OF_CLOUDHSM = ("CloudHsmClusterId", "TrustAnchorCertificate", "KeyStorePassword")
_OF_PROXY = (
    "XksProxyUriEndpoint", "XksProxyUriPath", "XksProxyAuthenticationCredential", "XksProxyConnectivity",
)  # fmt: skip
_OF_VPC = ("XksProxyVpcEndpointServiceName", "XksProxyVpcEndpointServiceOwner")


class XksProxyAuthenticationCredentialType(Input, frozen=True):
    """The credential with which requests to a proxy are signed."""

    AccessKeyId: str | None = None
    RawSecretAccessKey: str | None = None

    def __repr__(self) -> str:
        return "XksProxyAuthenticationCredentialType(...)"


class CreateCustomKeyStoreInput(Input, frozen=True):
    """What CreateCustomKeyStore takes."""

    CustomKeyStoreName: str | None = None
    CloudHsmClusterId: str | None = None
    TrustAnchorCertificate: str | None = None
    KeyStorePassword: str | None = None
    CustomKeyStoreType: str | None = None
    XksProxyUriEndpoint: str | None = None
    XksProxyUriPath: str | None = None
    XksProxyVpcEndpointServiceName: str | None = None
    XksProxyVpcEndpointServiceOwner: str | None = None
    XksProxyAuthenticationCredential: XksProxyAuthenticationCredentialType | None = None
    XksProxyConnectivity: str | None = None

    def __repr__(self) -> str:
        return f"CreateCustomKeyStoreInput({self.CustomKeyStoreName})"


class CreateCustomKeyStoreOutput(Output, frozen=True):
    """The new key store's id."""

    CustomKeyStoreId: str | None = None


class CustomKeyStoreInput(Input, frozen=True):
    """What operations take that take nothing but a key store."""

    CustomKeyStoreId: str | None = None


class UpdateCustomKeyStoreInput(Input, frozen=True):
    """What UpdateCustomKeyStore takes."""

    CustomKeyStoreId: str | None = None
    NewCustomKeyStoreName: str | None = None
    KeyStorePassword: str | None = None
    CloudHsmClusterId: str | None = None
    XksProxyUriEndpoint: str | None = None
    XksProxyUriPath: str | None = None
    XksProxyVpcEndpointServiceName: str | None = None
    XksProxyVpcEndpointServiceOwner: str | None = None
    XksProxyAuthenticationCredential: XksProxyAuthenticationCredentialType | None = None
    XksProxyConnectivity: str | None = None

    def __repr__(self) -> str:
        return f"UpdateCustomKeyStoreInput({self.CustomKeyStoreId})"


class Done(Output, frozen=True):
    """An answer with nothing in it."""


class DescribeCustomKeyStoresInput(Input, frozen=True):
    """What DescribeCustomKeyStores takes."""

    CustomKeyStoreId: str | None = None
    CustomKeyStoreName: str | None = None
    Limit: int | None = None
    Marker: str | None = None


class XksProxyConfigurationType(Output, frozen=True):
    """How an external key store's proxy is reached; its secret is in no answer."""

    Connectivity: str | None = None
    AccessKeyId: str | None = None
    UriEndpoint: str | None = None
    UriPath: str | None = None
    VpcEndpointServiceName: str | None = None
    VpcEndpointServiceOwner: str | None = None


class CustomKeyStoresListEntry(Output, frozen=True):
    """A key store in a list."""

    CustomKeyStoreId: str | None = None
    CustomKeyStoreName: str | None = None
    CloudHsmClusterId: str | None = None
    TrustAnchorCertificate: str | None = None
    ConnectionState: str | None = None
    ConnectionErrorCode: str | None = None
    CreationDate: float | None = None
    CustomKeyStoreType: str | None = None
    XksProxyConfiguration: XksProxyConfigurationType | None = None


class DescribeCustomKeyStoresOutput(Output, frozen=True):
    """A page of key stores."""

    CustomKeyStores: list[CustomKeyStoresListEntry] | None = None
    NextMarker: str | None = None
    Truncated: bool | None = None


def check_creation(p: CreateCustomKeyStoreInput) -> None:
    """Refuse members that the type does not have, or lacks; raises ValidationException."""
    kind = p.CustomKeyStoreType or AWS_CLOUDHSM
    if kind == AWS_CLOUDHSM:
        _need(p, kind, _OF_CLOUDHSM)
        _refuse(p, kind, (*_OF_PROXY, *_OF_VPC))
        return
    _need(p, kind, _OF_PROXY)
    _refuse(p, kind, _OF_CLOUDHSM)
    if p.XksProxyConnectivity == PUBLIC_ENDPOINT:
        _refuse(p, PUBLIC_ENDPOINT, _OF_VPC)
    else:
        _need(p, VPC_ENDPOINT_SERVICE, _OF_VPC[:1])


def check_update(p: UpdateCustomKeyStoreInput) -> None:
    """Refuse members of CloudHSM key stores: there are none. Raises ValidationException."""
    _refuse(p, EXTERNAL_KEY_STORE, ("CloudHsmClusterId", "KeyStorePassword"))


def _need(p: msgspec.Struct, kind: str, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(p, name) is None:
            raise ValidationException(f"{name} is required for a custom key store of {kind}.")


def _refuse(p: msgspec.Struct, kind: str, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(p, name) is not None:
            raise ValidationException(f"{name} is not valid for a custom key store of {kind}.")
