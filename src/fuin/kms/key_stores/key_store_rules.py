"""Inputs and outputs of the operations on custom key stores, with AWS's member names, and the rules across members."""

from __future__ import annotations

import msgspec

from fuin.kms.model.faults import KmsFault
from fuin.kms.model.shapes_key_stores import CreateCustomKeyStoreInput, UpdateCustomKeyStoreInput

AWS_CLOUDHSM, EXTERNAL_KEY_STORE = "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"
PUBLIC_ENDPOINT, VPC_ENDPOINT_SERVICE = "PUBLIC_ENDPOINT", "VPC_ENDPOINT_SERVICE"

_OF_CLOUDHSM = ("CloudHsmClusterId", "TrustAnchorCertificate", "KeyStorePassword")
_OF_PROXY = (
    "XksProxyUriEndpoint", "XksProxyUriPath", "XksProxyAuthenticationCredential", "XksProxyConnectivity",
)  # fmt: skip
_OF_VPC = ("XksProxyVpcEndpointServiceName", "XksProxyVpcEndpointServiceOwner")


def check_creation(input: CreateCustomKeyStoreInput) -> None:
    """Refuse members that the type does not have, or lacks; raises ValidationException."""
    kind = input.CustomKeyStoreType or AWS_CLOUDHSM
    if kind == AWS_CLOUDHSM:
        _need(input, kind, _OF_CLOUDHSM)
        _refuse(input, kind, (*_OF_PROXY, *_OF_VPC))
        return
    _need(input, kind, _OF_PROXY)
    _refuse(input, kind, _OF_CLOUDHSM)
    if input.XksProxyConnectivity == PUBLIC_ENDPOINT:
        _refuse(input, PUBLIC_ENDPOINT, _OF_VPC)
    else:
        _need(input, VPC_ENDPOINT_SERVICE, _OF_VPC[:1])


def check_update(input: UpdateCustomKeyStoreInput) -> None:
    """Refuse members of CloudHSM key stores, which are not built; raises ValidationException."""
    _refuse(input, EXTERNAL_KEY_STORE, ("CloudHsmClusterId", "KeyStorePassword"))


def _need(input: msgspec.Struct, kind: str, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(input, name) is None:
            raise KmsFault("ValidationException", f"{name} is required for a custom key store of {kind}.")


def _refuse(input: msgspec.Struct, kind: str, names: tuple[str, ...]) -> None:
    for name in names:
        if getattr(input, name) is not None:
            raise KmsFault("ValidationException", f"{name} is not valid for a custom key store of {kind}.")
