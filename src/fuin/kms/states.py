"""The table of key state × action: what a key in which state may still be asked to do.

Source: AWS KMS developer guide, "Key states of AWS KMS keys". Actions that are not in the table work in every state.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fuin.kms.faults import DisabledException, KMSInvalidStateException

if TYPE_CHECKING:
    from fuin.errors import Fault
    from fuin.store.keys import Key

CREATING = "Creating"
ENABLED = "Enabled"
DISABLED = "Disabled"
PENDING_IMPORT = "PendingImport"
PENDING_DELETION = "PendingDeletion"
PENDING_REPLICA_DELETION = "PendingReplicaDeletion"
UNAVAILABLE = "Unavailable"
UPDATING = "Updating"

_USE = frozenset({ENABLED, UPDATING})
_ONLY_ENABLED = frozenset({ENABLED})
_CHANGE = frozenset({ENABLED, DISABLED, UNAVAILABLE})
_NOT_PENDING = frozenset({ENABLED, DISABLED, PENDING_IMPORT, UNAVAILABLE, UPDATING})
_NOT_GOING = frozenset({ENABLED, DISABLED, PENDING_IMPORT, UNAVAILABLE})
_READ_ROTATION = frozenset({ENABLED, DISABLED, UPDATING})
_IMPORT = frozenset({ENABLED, DISABLED, PENDING_IMPORT})
_ONLY_PENDING = frozenset({PENDING_DELETION, PENDING_REPLICA_DELETION})
_EXISTING = frozenset({
    ENABLED, DISABLED, PENDING_IMPORT, PENDING_DELETION, PENDING_REPLICA_DELETION, UNAVAILABLE, UPDATING,
})  # fmt: skip

ALLOWED: dict[str, frozenset[str]] = {
    # uses of the key
    "kms:Decapsulate": _USE,
    "kms:Decrypt": _USE,
    "kms:DeriveSharedSecret": _USE,
    "kms:Encapsulate": _USE,
    "kms:Encrypt": _USE,
    "kms:GenerateDataKey": _USE,
    "kms:GenerateDataKeyPair": _USE,
    "kms:GenerateDataKeyPairWithoutPlaintext": _USE,
    "kms:GenerateDataKeyWithoutPlaintext": _USE,
    "kms:GenerateMac": _USE,
    "kms:GetPublicKey": _USE,
    "kms:ReEncryptFrom": _USE,
    "kms:ReEncryptTo": _USE,
    "kms:Sign": _USE,
    "kms:Verify": _USE,
    "kms:VerifyMac": _USE,
    # changes
    "kms:CancelKeyDeletion": _ONLY_PENDING,
    "kms:CreateAlias": _NOT_PENDING,
    "kms:CreateGrant": _USE | {UNAVAILABLE},
    "kms:DeleteImportedKeyMaterial": _EXISTING - {UPDATING},
    "kms:DisableKey": _CHANGE,
    "kms:DisableKeyRotation": _ONLY_ENABLED,
    "kms:EnableKey": _CHANGE,
    "kms:EnableKeyRotation": _ONLY_ENABLED,
    "kms:GetKeyRotationStatus": _READ_ROTATION,
    "kms:GetParametersForImport": _IMPORT,
    "kms:ImportKeyMaterial": _IMPORT,
    "kms:PutKeyPolicy": _EXISTING,
    "kms:ReplicateKey": _ONLY_ENABLED,
    "kms:RotateKeyOnDemand": _ONLY_ENABLED,
    "kms:ScheduleKeyDeletion": _NOT_GOING,
    "kms:TagResource": _NOT_PENDING,
    "kms:UntagResource": _NOT_PENDING,
    "kms:UpdateAlias": _NOT_PENDING,  # of the new key; the old one may be in any state
    "kms:UpdateKeyDescription": _NOT_GOING,
    "kms:UpdatePrimaryRegion": _ONLY_ENABLED,
}

# What AWS says of a key in a state that does not allow the action; a disabled key has an error of its own.
_TEXTS = {
    CREATING: "is creating.",
    PENDING_IMPORT: "is pending import.",
    PENDING_DELETION: "is pending deletion.",
    PENDING_REPLICA_DELETION: "is pending replica deletion.",
    UNAVAILABLE: "is unavailable.",
    UPDATING: "is updating.",
}


def check_state(key: Key, action: str, arn: str) -> None:
    """Raise DisabledException or KMSInvalidStateException if the key's state does not allow the action."""
    allowed = ALLOWED.get(action)
    if allowed is not None and key.state not in allowed:
        raise refusal(key.state, action, arn)


def refusal(state: str, action: str, arn: str) -> Fault:
    """Return the error for a key in the wrong state for an action, in AWS's words."""
    if ALLOWED.get(action) is _ONLY_PENDING:
        return KMSInvalidStateException(f"{arn} is not pending deletion.")
    if state == DISABLED:
        return DisabledException(f"{arn} is disabled.")
    return KMSInvalidStateException(f"{arn} {_TEXTS[state]}")


def seen(key: Key, now: float) -> Key:
    """Return the key as it is at `now`: imported material past its date is gone, whether destroyed yet or not."""
    if key.valid_to is None or key.valid_to > now or key.state not in {ENABLED, DISABLED}:
        return key
    return replace(key, state=PENDING_IMPORT)


def is_gone(key: Key, now: float) -> bool:
    """Tell whether the key's deletion date has passed: it is gone from then on, whether purged yet or not."""
    return key.deletion_date is not None and key.deletion_date <= now
