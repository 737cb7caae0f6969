"""Policy documents that the tests give to users."""

from collections.abc import Sequence
from typing import Any

Policy = dict[str, Any]


def allow(*actions: str, resource: str | Sequence[str] = "*", condition: Any = None) -> Policy:
    """Return an identity policy that allows `actions` on `resource`, under a condition if one is given."""
    chosen = resource if isinstance(resource, str) else list(resource)
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": chosen}
    more = {"Condition": condition} if condition else {"Sid": "Allowed"}
    return {"Version": "2012-10-17", "Statement": [more | statement]}


EVERYTHING = allow("kms:*", "s3:*")
