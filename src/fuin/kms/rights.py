"""Condition keys of KMS requests, and refusals as AWS words them.

Source: AWS KMS developer guide, "AWS KMS condition keys".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.errors import AccessDenied
from fuin.kms.specs import (
    ENCAPSULATE_DECAPSULATE,
    ENCRYPT_DECRYPT,
    GENERATE_VERIFY_MAC,
    KEY_AGREEMENT,
    SIGN_VERIFY,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.gate import Call
    from fuin.kms.naming import Named

# What AWS says of a key that is not of the caller's account: the same whether it exists or not.
_UNSEEN = (
    "because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)
THIS_RESOURCE, OF_CIPHERTEXT = "this resource", "the resource associated with this ciphertext"

# The condition key that names the algorithm, by the key's usage.
ALGORITHM_KEY = {
    ENCRYPT_DECRYPT: "kms:EncryptionAlgorithm",
    SIGN_VERIFY: "kms:SigningAlgorithm",
    GENERATE_VERIFY_MAC: "kms:MacAlgorithm",
    KEY_AGREEMENT: "kms:KeyAgreementAlgorithm",
    ENCAPSULATE_DECAPSULATE: "kms:EncapsulationAlgorithm",
}


def of_key(named: Named) -> dict[str, str]:
    """Return the condition keys of a key that policies may ask for."""
    conditions: dict[str, str] = {}
    key = named.key
    if key is not None:
        conditions["kms:KeySpec"] = key.spec
        conditions["kms:KeyUsage"] = key.usage
        conditions["kms:KeyOrigin"] = key.origin
        conditions["kms:MultiRegion"] = "true" if key.multi_region else "false"
        if key.primary_region is not None:
            conditions["kms:MultiRegionKeyType"] = "PRIMARY" if key.primary_region == key.region else "REPLICA"
        for name, value in key.tags:
            conditions[f"aws:ResourceTag/{name}"] = value
    if named.alias:
        conditions["kms:RequestAlias"] = named.alias
    return conditions


def of_use(usage: str | None, algorithm: str | None, pairs: Mapping[str, str]) -> dict[str, str]:
    """Return the condition keys of a use of the key: the algorithm and each pair of the encryption context."""
    conditions = {f"kms:EncryptionContext:{name}": value for name, value in pairs.items()}
    if usage is not None and algorithm is not None:
        conditions[ALGORITHM_KEY[usage]] = algorithm
    return conditions


def refused(call: Call, named: Named, action: str, error: AccessDenied, noun: str) -> AccessDenied:
    """Return the refusal as AWS words it: it tells a caller of another account nothing of the key or its policy.

    `noun` is what the caller asked for. A refusal by the caller's own policies is told in any case, with the key's ARN
    if the caller knows it already.
    """
    if named.account == call.account:
        return error
    if "identity-based policy" not in error.sentence:
        return unseen(call, action, noun)
    if noun is THIS_RESOURCE and not named.alias:
        return error
    return AccessDenied(error.sentence.replace(f"resource: {named.arn}", noun))


def unseen(call: Call, action: str, noun: str) -> AccessDenied:
    """Return the refusal of a key that the caller is not to know of."""
    return AccessDenied(f"User: {call.principal.arn} is not authorized to perform: {action} on {noun} {_UNSEEN}")
