"""The table of key state × action: which actions are allowed on a key in each state.

Source: AWS KMS developer guide, "Key states of AWS KMS keys". Actions that are not in the table work in every state.
Two states are transient in AWS and never stored here, since a replication and a change of the primary Region are one
transaction: only ReplicateKey's answer shows Creating, and nothing shows Updating. The table has both.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from fuin.clock import CLOCK
from fuin.kms.model.faults import KmsFault
from fuin.xks.failure import TEXTS, FailureReason

if TYPE_CHECKING:
    from fuin.errors import Fault
    from fuin.store.kms.keys import Key

CREATING = "Creating"
ENABLED = "Enabled"
DISABLED = "Disabled"
PENDING_IMPORT = "PendingImport"
PENDING_DELETION = "PendingDeletion"
PENDING_REPLICA_DELETION = "PendingReplicaDeletion"
UNAVAILABLE = "Unavailable"
UPDATING = "Updating"

ALL = frozenset({
    CREATING, ENABLED, DISABLED, PENDING_IMPORT, PENDING_DELETION, PENDING_REPLICA_DELETION, UNAVAILABLE, UPDATING,
})  # fmt: skip
PENDING = frozenset({PENDING_DELETION, PENDING_REPLICA_DELETION})
_ENDING = PENDING | {PENDING_IMPORT}
_STAYS = ALL - PENDING
_USE = frozenset({ENABLED, UPDATING})
_SWITCH = frozenset({ENABLED, DISABLED, UNAVAILABLE})

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
    "kms:GetPublicKey": _USE | {DISABLED},  # measured on AWS; its page says that a disabled key is refused
    "kms:ReEncryptFrom": _USE,
    "kms:ReEncryptTo": _USE,
    "kms:Sign": _USE,
    "kms:Verify": _USE,
    "kms:VerifyMac": _USE,
    # changes
    "kms:CancelKeyDeletion": PENDING,
    "kms:CreateAlias": _STAYS,
    "kms:CreateGrant": _USE | {UNAVAILABLE},
    "kms:DeleteImportedKeyMaterial": ALL - {CREATING, UPDATING},
    "kms:DisableKey": _SWITCH,
    "kms:DisableKeyRotation": _USE,
    "kms:EnableKey": _SWITCH,
    "kms:EnableKeyRotation": _USE,
    "kms:GetParametersForImport": frozenset({ENABLED, DISABLED, PENDING_IMPORT}),
    "kms:ImportKeyMaterial": frozenset({ENABLED, DISABLED, PENDING_IMPORT, UPDATING}),
    "kms:ReplicateKey": frozenset({ENABLED}),
    "kms:RotateKeyOnDemand": _USE,
    "kms:ScheduleKeyDeletion": _STAYS - {UPDATING},
    "kms:TagResource": _STAYS,
    "kms:UntagResource": _STAYS,
    "kms:UpdateAlias": _STAYS,  # of the new key; the old one may be in any state
    "kms:UpdateKeyDescription": _STAYS,
    "kms:UpdatePrimaryRegion": _USE,
}

# Actions for keys of some origins only: AWS's footnotes 6, 7 and 9. A key of another origin is refused for its origin
# in any state.
_MADE_HERE, _IMPORTED = frozenset({"AWS_KMS"}), frozenset({"EXTERNAL"})
ORIGINS: dict[str, frozenset[str]] = {
    "kms:DeleteImportedKeyMaterial": _IMPORTED,
    "kms:DisableKeyRotation": _MADE_HERE,
    "kms:EnableKeyRotation": _MADE_HERE,
    "kms:GetKeyRotationStatus": _MADE_HERE,
    "kms:GetParametersForImport": _IMPORTED,
    "kms:ImportKeyMaterial": _IMPORTED,
    "kms:ListKeyRotations": _MADE_HERE | _IMPORTED,
    "kms:RotateKeyOnDemand": _MADE_HERE | _IMPORTED,
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
    """Raise UnsupportedOperationException for the key's origin, DisabledException or KMSInvalidStateException."""
    if action in ORIGINS and key.origin not in ORIGINS[action]:
        raise KmsFault(
            "UnsupportedOperationException", f"{arn} origin is {key.origin} which is not valid for this operation."
        )
    allowed = ALLOWED.get(action)
    if allowed is not None and key.state not in allowed:
        if key.state == UNAVAILABLE and key.custom_key_store is not None and allowed is _USE:
            raise KmsFault("KMSInvalidStateException", TEXTS[FailureReason.DISCONNECTED])
        raise refusal(key.state, action, arn)


def check_lasting(key: Key, arn: str) -> None:
    """Raise KMSInvalidStateException for a key that waits for its end, or has lost its imported material.

    A disabled key can be enabled again, so nothing is lost that was encrypted under it before.
    """
    if key.state in _ENDING:
        raise refusal(key.state, "kms:GenerateDataKey", arn)


def refusal(state: str, action: str, arn: str) -> Fault:
    """Return the error for a key in the wrong state for an action, in AWS's words."""
    if ALLOWED.get(action) is PENDING:
        return KmsFault("KMSInvalidStateException", f"{arn} is not pending deletion.")
    if state == DISABLED:
        return KmsFault("DisabledException", f"{arn} is disabled.")
    return KmsFault("KMSInvalidStateException", f"{arn} {_TEXTS[state]}")


def key_as_of(key: Key, now: float) -> Key:
    """Return the key as it is at `now`: imported material past its date is gone, whether destroyed yet or not.

    So is a key that cannot be used while its custom key store is not connected.
    """
    if key.custom_key_store is not None and key.store_state != "CONNECTED" and key.state in {ENABLED, DISABLED}:
        return replace(key, state=UNAVAILABLE)
    if key.valid_to is None or key.valid_to > now or key.state not in {ENABLED, DISABLED}:
        return key
    return replace(key, state=PENDING_IMPORT)


def is_gone(key: Key) -> bool:
    """Return whether the key's deletion date has passed: the key is gone then, purged or not.

    By both clocks: a key that only the wall clock ends waits for its deletion still, which can be cancelled.
    """
    return key.deletion_date is not None and key.deletion_date <= CLOCK.certain_time()
