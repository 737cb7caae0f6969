"""What a proxy is and what is asked of it: the values that go in and come out of `Proxies`."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec


@dataclass(frozen=True, slots=True)
class Proxy:
    """How to reach and convince one proxy: the configuration of an external key store."""

    host: str  # of XksProxyUriEndpoint
    path: str  # XksProxyUriPath: [/prefix]/kms/xks/v1
    region: str
    access_key_id: str
    sealed_secret: bytes = field(repr=False)


class Asking(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """Who asks, and for what: `requestMetadata` of the specification."""

    kms_operation: str
    kms_request_id: str
    aws_principal_arn: str | None = None
    kms_key_arn: str | None = None
    kms_via_service: str | None = None


@dataclass(frozen=True, slots=True)
class Encrypted:
    """What an external key encrypted, in the specification's parts."""

    ciphertext: bytes
    metadata: bytes
    iv: bytes
    tag: bytes


class KeyDescription(msgspec.Struct, frozen=True, rename="camel"):
    """What a proxy says of an external key."""

    key_spec: str
    key_usage: list[str]
    key_status: str
