"""What the tests of grants share: users to grant to, and grants."""

from typing import Any, NamedTuple

from tests.support.place import ACCOUNT, Place
from tests.support.server import User


class Somebody(NamedTuple):
    """A user without any policy: its client, its ARN and the user itself."""

    kms: Any
    arn: str
    user: User


def somebody(place: Place, account: str = ACCOUNT) -> Somebody:
    """Return a new user who may do nothing."""
    user = place.add_user(account=account)
    return Somebody(place.kms(user), f"arn:aws:iam::{account}:user/{user.name}", user)


def give(kms: Any, key_id: str, arn: str, *operations: str, **members: Any) -> str:
    """Create a grant and return its id."""
    grant_id: str = kms.create_grant(
        KeyId=key_id, GranteePrincipal=arn, Operations=list(operations or ("Encrypt", "Decrypt")), **members
    )["GrantId"]
    return grant_id
