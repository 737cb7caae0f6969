"""The values that go into `Proxies` and come out of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec


@dataclass(frozen=True, slots=True)
class Proxy:
    """The configuration of an external key store: the address of its proxy, and the credential for it."""

    host: str  # of XksProxyUriEndpoint
    path: str  # XksProxyUriPath: [/prefix]/kms/xks/v1
    region: str
    access_key_id: str
    sealed_secret: bytes = field(repr=False)


class RequestMetadata(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The caller and the KMS operation: `requestMetadata` of the specification."""

    kms_operation: str
    kms_request_id: str
    aws_principal_arn: str | None = None
    kms_key_arn: str | None = None
    kms_via_service: str | None = None


@dataclass(frozen=True, slots=True)
class ExternalCiphertext:
    """A ciphertext under an external key, in the specification's parts."""

    ciphertext: bytes
    metadata: bytes
    iv: bytes
    tag: bytes


class KeyDescription(msgspec.Struct, frozen=True, rename="camel"):
    """A proxy's description of an external key."""

    key_spec: str
    key_usage: list[str]
    key_status: str
