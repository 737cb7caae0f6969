"""A request's parameters in its audit record, as CloudTrail's requestParameters show them.

Only members that are listed here are ever recorded: no message, digest, MAC, signature, plaintext, ciphertext, token or
credential is. The encryption context has a member of its own in the record, and paging is left out.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fuin.gate.parameters import AT_MOST, members, text

RECORDED = frozenset({
    "AliasName", "BypassPolicyLockoutSafetyCheck", "CloudHsmClusterId", "Constraints", "CustomKeyStoreId",
    "CustomKeyStoreName", "CustomKeyStoreType", "CustomerMasterKeySpec", "Description", "EncapsulationAlgorithm",
    "ExpirationModel", "GrantId", "GranteePrincipal", "GranteeServicePrincipal", "ImportType", "KeyAgreementAlgorithm",
    "KeyId", "KeyMaterialDescription", "KeyMaterialId", "KeyPairSpec", "KeySpec", "KeyUsage", "MacAlgorithm",
    "MessageType", "MultiRegion", "Name", "NewCustomKeyStoreName", "Operations", "Origin", "PendingWindowInDays",
    "Policy", "PolicyName", "PrimaryRegion", "ReplicaRegion", "RetiringPrincipal", "RetiringServicePrincipal",
    "RotationPeriodInDays", "SigningAlgorithm", "TagKeys", "Tags", "TargetKeyId", "ValidTo", "WrappingAlgorithm",
    "WrappingKeySpec", "XksKeyId", "XksProxyConnectivity", "XksProxyUriEndpoint", "XksProxyUriPath",
    "XksProxyVpcEndpointServiceName", "XksProxyVpcEndpointServiceOwner",
})  # fmt: skip
# These are too frequent for it; `encryption.py` records algorithms other than SYMMETRIC_DEFAULT.
_FREQUENT = frozenset({
    "Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "GenerateRandom", "ReEncrypt",
})  # fmt: skip


def recorded_members(operation: str, input: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the members of an operation's input that its record shows."""
    return () if operation in _FREQUENT else tuple(name for name in input.__struct_fields__ if name in RECORDED)


def describe(input: msgspec.Struct, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the members that a request has set, for its record."""
    return members(_set_members(input, names))


def _set_members(structure: msgspec.Struct, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _plain_value(value) for name in names if (value := getattr(structure, name)) is not None}


def _plain_value(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= AT_MOST else text(value)
    if isinstance(value, msgspec.Struct):
        return _set_members(value, value.__struct_fields__)
    if isinstance(value, dict):
        return {name: _plain_value(below) for name, below in value.items()}
    return [_plain_value(below) for below in value] if isinstance(value, list) else value
