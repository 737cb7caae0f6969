"""Quotas: how much an account may have in a Region, and how often it may ask.

Source: AWS KMS developer guide, "Resource quotas" and "Request quotas". Resource quotas always hold. Request quotas
hold for the operations for which the server was given one (`--request-quota`); without any nothing is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.model.faults import KmsFault
from fuin.store.kms import keys

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Resource quotas, each by account and Region.
KEYS = 100_000
ALIASES_PER_KEY = 50
GRANTS_PER_KEY = 50_000
GRANTS_PER_GRANTEE = 5_000  # of a key; AWS no longer has such a limit, but a decision reads all grants of a principal
KEY_POLICY_BYTES = 32_768  # the model's 131,072 characters are more than AWS takes
CUSTOM_KEY_STORES = 10
TAGS_PER_KEY = 50


def check_keys(conn: Connection, account: str, region: str) -> None:
    """Raise LimitExceededException, and with that undo the change, when there are more keys than AWS allows."""
    if keys.count_keys(conn, account, region) > KEYS:
        raise KmsFault("LimitExceededException", f"An account has at most {KEYS} keys in a Region.")


def check_policy(policy: str) -> None:
    """Raise LimitExceededException for a key policy that is longer than AWS allows."""
    if len(policy.encode()) > KEY_POLICY_BYTES:
        raise KmsFault("LimitExceededException", f"A key policy has at most {KEY_POLICY_BYTES} bytes.")
