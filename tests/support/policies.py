"""Policy documents that the tests give to users."""

from collections.abc import Sequence
from typing import Any

Policy = dict[str, Any]


def allow(*actions: str, resource: str | Sequence[str] = "*") -> Policy:
    """Return an identity policy that allows `actions` on `resource`."""
    chosen = resource if isinstance(resource, str) else list(resource)
    statement = {"Sid": "Allowed", "Effect": "Allow", "Action": list(actions), "Resource": chosen}
    return {"Version": "2012-10-17", "Statement": [statement]}


EVERYTHING = allow("kms:*", "s3:*")
