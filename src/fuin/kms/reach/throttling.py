"""Request quotas: how often an account may ask for an operation in a Region, if the server's operator set quotas.

Source: AWS KMS developer guide, "Request quotas" and "Throttling AWS KMS requests". Cryptographic operations share a
quota by the kind of the key; every other operation has one of its own. The account that asks is charged, not the one
that has the key; what S3 asks for it counts as well, the use of service-owned keys does not.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from fuin.errors import Fault, FuinError
from fuin.gate.throttle import Throttled
from fuin.keyholder.wire.client import SLOW
from fuin.kms.model.faults import KmsFault
from fuin.kms.model.region_names import kms_regions
from fuin.kms.reach.key_identifiers import find_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import msgspec

    from fuin.gate.call import Call
    from fuin.store.kms.keys import Key

SYMMETRIC, RSA, ECC, ML_DSA = "kms:Symmetric", "kms:RSA", "kms:ECC", "kms:ML-DSA"
CUSTOM_KEY_STORE = "kms:CustomKeyStore"
_PAIR = "kms:GenerateDataKeyPair/"
_OPERATIONS = {
    "CancelKeyDeletion": 5, "ConnectCustomKeyStore": 5, "CreateAlias": 5, "CreateCustomKeyStore": 5, "CreateGrant": 50,
    "CreateKey": 5, "DeleteAlias": 15, "DeleteCustomKeyStore": 5, "DeleteImportedKeyMaterial": 15,
    "DescribeCustomKeyStores": 5, "DescribeKey": 2000, "DisableKey": 5, "DisableKeyRotation": 5,
    "DisconnectCustomKeyStore": 5, "EnableKey": 5, "EnableKeyRotation": 15, "GetKeyLastUsage": 5, "GetKeyPolicy": 1000,
    "GetKeyRotationStatus": 1000, "GetParametersForImport": 1, "GetPublicKey": 2000, "ImportKeyMaterial": 15,
    "ListAliases": 500, "ListGrants": 100, "ListKeyPolicies": 100, "ListKeyRotations": 100, "ListKeys": 500,
    "ListResourceTags": 2000, "ListRetirableGrants": 100, "PutKeyPolicy": 15, "ReplicateKey": 5, "RetireGrant": 50,
    "RevokeGrant": 50, "RotateKeyOnDemand": 5, "ScheduleKeyDeletion": 15, "TagResource": 10, "UntagResource": 5,
    "UpdateAlias": 5, "UpdateCustomKeyStore": 5, "UpdateKeyDescription": 5, "UpdatePrimaryRegion": 5,
}  # fmt: skip
_PAIRS = {
    "ECC_NIST_EDWARDS25519": 100, "ECC_NIST_P256": 100, "ECC_NIST_P384": 100, "ECC_NIST_P521": 100,
    "ECC_SECG_P256K1": 100, "RSA_2048": 20, "RSA_3072": 4, "RSA_4096": 1,
}  # fmt: skip
# AWS's numbers, requests per second. The symmetric one depends on the Region there; this is what most Regions have.
AWS: dict[str, float] = {
    SYMMETRIC: 10_000, RSA: 1000, ECC: 1000, ML_DSA: 1000, CUSTOM_KEY_STORE: 1800,
    **{f"kms:{name}": rate for name, rate in _OPERATIONS.items()},
    **{f"{_PAIR}{spec}": rate for spec, rate in _PAIRS.items()},
}  # fmt: skip
# The operations that share a quota; the model's names, since any of them may be given a quota of its own as well.
_SHARING = frozenset({
    "Decapsulate", "Decrypt", "DeriveSharedSecret", "Encapsulate", "Encrypt", "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext", "GenerateMac", "GenerateRandom", "ReEncrypt", "Sign", "Verify", "VerifyMac",
})  # fmt: skip
_PAIR_OPERATIONS = frozenset({"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"})
NAMES = frozenset(AWS) | {f"kms:{name}" for name in _SHARING | _PAIR_OPERATIONS}
_BY_SPEC = (("RSA_", RSA), ("ECC_", ECC), ("ML_DSA_", ML_DSA), ("HMAC_", SYMMETRIC), ("SYMMETRIC_", SYMMETRIC))


class _Charge(NamedTuple):
    """Requests that count towards a quota, in a Region, of a custom key store if the quota is one's."""

    name: str
    region: str
    tokens: float = 1.0
    store: str = ""


def read_quotas(given: Iterable[str]) -> dict[str, float]:
    """Return requests per second by name; `given` are NAME=RATE, and `aws` for all of AWS's numbers.

    Later ones replace earlier ones. Raises FuinError for any other text.
    """
    rates: dict[str, float] = {}
    for text in given:
        if text == "aws":
            rates.update(AWS)
            continue
        name, _, rate = text.partition("=")
        if name not in NAMES:
            raise FuinError(f"--request-quota: there is no request quota {name}")
        rates[name] = _rate(text, rate)
    return rates


def _rate(text: str, rate: str) -> float:
    try:
        number = float(rate)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise FuinError(f"--request-quota: {text} has no rate in requests per second")
    return number


def admit(call: Call, given: msgspec.Struct) -> None:
    """Count an authenticated request; raises ThrottlingException beyond the quota."""
    _take_tokens(call, _charges(call, given))


def admit_use(call: Call, operation: str) -> None:
    """Count a service's request on the caller's behalf, for a symmetric key; raises ThrottlingException."""
    _take_tokens(call, [_Charge(f"kms:{operation}", call.region), _Charge(SYMMETRIC, call.region)])


@contextmanager
def limit_slow_keys(call: Call, spec: str = "") -> Iterator[None]:
    """Count slow work of the keyholder; raises ThrottlingException when the account has too much of it under way.

    That is making keys of the RSA specs, and all of an import (no spec). Else one account's keys could fill the
    keyholder's queue for minutes, and everybody else's would be refused.
    """
    if spec and spec not in SLOW:
        yield
        return
    try:
        with call.services.slow.slot(call.account):
            yield
    except Throttled:
        raise KmsFault("ThrottlingException") from None


def _take_tokens(call: Call, charges: Iterable[_Charge]) -> None:
    throttle = call.services.throttle
    try:
        for charge in charges:
            # Callers may name any Region: those that AWS does not have count as one, or each would bring new tokens.
            region = charge.region if charge.region in kms_regions() else ""
            throttle.take(charge.name, (call.account, region, charge.store), time.monotonic(), charge.tokens)
    except Throttled:
        raise KmsFault("ThrottlingException") from None


def _charges(call: Call, given: msgspec.Struct) -> list[_Charge]:
    """Return the quotas that a request counts towards."""
    operation, region = call.operation, call.region
    charges = [_Charge(f"kms:{operation}", region)]
    if operation in _SHARING:
        charges += _shared_charges(call, given)
    elif operation in _PAIR_OPERATIONS:
        charges.append(_Charge(f"{_PAIR}{getattr(given, 'KeyPairSpec', '')}", region))
    elif operation == "ReplicateKey":  # AWS: one of the two CreateKey requests is a dry run
        charges.append(_Charge("kms:CreateKey", str(getattr(given, "ReplicaRegion", "")), 2.0))
    elif operation == "UpdatePrimaryRegion":
        charges.append(_Charge("kms:UpdatePrimaryRegion", str(getattr(given, "PrimaryRegion", ""))))
    return charges


def _shared_charges(call: Call, given: msgspec.Struct) -> list[_Charge]:
    """Return the shared quotas of a cryptographic operation, by the key that it names; else it is a symmetric one's."""
    key = _named_key(call, getattr(given, "KeyId", None) or getattr(given, "DestinationKeyId", None))
    if key is None:
        return [_Charge(SYMMETRIC, call.region)]
    charges = [_Charge(name, call.region) for prefix, name in _BY_SPEC if key.spec.startswith(prefix)]
    if key.custom_key_store is not None:
        charges.append(_Charge(CUSTOM_KEY_STORE, call.region, store=key.custom_key_store))
    return charges


def _named_key(call: Call, identifier: str | None) -> Key | None:
    if identifier is None:
        return None
    try:
        return find_key(call, call.services.store.catalog(), identifier, aliases=True).key
    except Fault:
        return None
