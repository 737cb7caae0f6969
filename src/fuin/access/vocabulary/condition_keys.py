"""The table of all condition keys: the values of each, the actions that bring it, and when it is absent.

Sources: AWS KMS developer guide, "AWS KMS condition keys" and "AWS KMS permissions"; Service Authorization Reference,
"AWS Key Management Service" and "Amazon S3"; IAM user guide, "AWS global condition context keys". The page
docs/reference/condition-keys.md is made from it, and the operations' pages name its keys. Tests compare it with the
keys that requests bring. A policy may name any key, but no request has a key that is not here, which is worth a
warning.
"""

from __future__ import annotations

from fuin.access.vocabulary.ebs_keys import ROWS as OF_EBS
from fuin.access.vocabulary.ec2_keys import ROWS as OF_EC2
from fuin.access.vocabulary.global_keys import ROWS as OF_ALL
from fuin.access.vocabulary.identity_keys import ROWS as OF_IDENTITIES
from fuin.access.vocabulary.key_row import FAMILY, ConditionKey
from fuin.access.vocabulary.kms_keys import ROWS as OF_KMS
from fuin.access.vocabulary.s3_keys import ROWS as OF_S3

TABLE: tuple[ConditionKey, ...] = (*OF_ALL, *OF_KMS, *OF_S3, *OF_IDENTITIES, *OF_EC2, *OF_EBS)

_BY_NAME = {key.name.lower(): key for key in TABLE if not key.family}
_FAMILIES = {key.name.removesuffix(FAMILY).lower(): key for key in TABLE if key.family}


def find(name: str) -> ConditionKey | None:
    """Return the row of a condition key, in any case, or None for an unknown key."""
    folded = name.lower()
    key = _BY_NAME.get(folded)
    if key is not None:
        return key
    for start, family in _FAMILIES.items():
        if folded.startswith(start) and folded != start:
            return family
    return None


def is_known(name: str) -> bool:
    """Return whether a request may have a condition key (in any case), here or at AWS."""
    return find(name) is not None


def keys_of_action(action: str) -> list[ConditionKey]:
    """Return the keys that requests for an action can have here."""
    return [key for key in TABLE if key.brought and key.belongs(action)]
