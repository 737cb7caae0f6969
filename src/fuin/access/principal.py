"""Who asks: the principal of a request."""

from dataclasses import dataclass
from typing import Literal

from fuin import ids

Kind = Literal["root", "user", "service", "anonymous"]


@dataclass(frozen=True, slots=True)
class Principal:
    """An account's root, a user, an AWS service of this server's own, or nobody."""

    kind: Kind
    arn: str  # arn:aws:iam::123456789012:root, …:user/NAME; for services s3.amazonaws.com; "*" for nobody
    account: str  # twelve digits; empty for nobody
    id: str  # the account's number for root, AIDA… for users
    name: str = ""  # a user's name


ANONYMOUS = Principal(kind="anonymous", arn="*", account="", id="anonymous")


def account_root(account: str) -> Principal:
    """Return the root principal of an account."""
    return Principal(kind="root", arn=ids.root_arn(account), account=account, id=account)
