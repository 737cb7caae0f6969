"""The table of key state × action: what a key in which state may still be asked to do.

Source: AWS KMS developer guide, "Key states of KMS keys". Actions that are not in the table work in every state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.faults import DisabledException, KMSInvalidStateException

if TYPE_CHECKING:
    from fuin.errors import Fault
    from fuin.store.keys import Key

ENABLED = "Enabled"
DISABLED = "Disabled"
PENDING_DELETION = "PendingDeletion"

_ONLY_ENABLED = frozenset({ENABLED})
_NOT_PENDING = frozenset({ENABLED, DISABLED})
_ONLY_PENDING = frozenset({PENDING_DELETION})

ALLOWED: dict[str, frozenset[str]] = {
    "kms:CancelKeyDeletion": _ONLY_PENDING,
    "kms:CreateAlias": _NOT_PENDING,
    "kms:Decrypt": _ONLY_ENABLED,
    "kms:DisableKey": _NOT_PENDING,
    "kms:EnableKey": _NOT_PENDING,
    "kms:Encrypt": _ONLY_ENABLED,
    "kms:GenerateDataKey": _ONLY_ENABLED,
    "kms:GenerateDataKeyWithoutPlaintext": _ONLY_ENABLED,
    "kms:GetKeyRotationStatus": _NOT_PENDING,
    "kms:ReEncryptFrom": _ONLY_ENABLED,
    "kms:ReEncryptTo": _ONLY_ENABLED,
    "kms:ScheduleKeyDeletion": _NOT_PENDING,
    "kms:TagResource": _NOT_PENDING,
    "kms:UntagResource": _NOT_PENDING,
    "kms:UpdateAlias": _NOT_PENDING,  # of the new key; the old one may be in any state
    "kms:UpdateKeyDescription": _NOT_PENDING,
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
    return KMSInvalidStateException(f"{arn} is pending deletion.")


def is_gone(key: Key, now: float) -> bool:
    """Tell whether the key's deletion date has passed: it is gone from then on, whether purged yet or not."""
    return key.deletion_date is not None and key.deletion_date <= now
