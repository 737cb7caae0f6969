"""Who asks: the principal of a request."""

from dataclasses import dataclass, field
from typing import Literal

from fuin import ids

Kind = Literal["root", "user", "role", "federated", "service", "anonymous"]


@dataclass(frozen=True, slots=True)
class Principal:
    """An account's root, a user, a role's session, a federated user, an AWS service of this server's own, or nobody.

    What limits it and what it is tagged with belongs to the session as much as to the identity: a session's policies
    (documents; none is no limit) and its tags, which overlay the identity's.
    """

    kind: Kind
    # arn:aws:iam::123456789012:root, …:user/NAME; arn:aws:sts::…:assumed-role/ROLE/SESSION, …:federated-user/NAME; a
    # service's name
    arn: str
    account: str  # twelve digits; empty for nobody
    id: str  # the account's number for root, AIDA… for users, AROA…:SESSION for sessions of a role, ACCOUNT:NAME
    name: str = ""  # a user's or role's name, a federated user's
    identity_arn: str = ""  # arn:aws:iam::…:role/NAME of a role's session; …:user/NAME of whom a federated user is
    tags: tuple[tuple[str, str], ...] = ()  # aws:PrincipalTag/…
    session_policies: tuple[str, ...] = ()
    session: str = ""  # a session's name; empty for long-lived access keys
    session_facts: tuple[tuple[str, str], ...] = ()  # condition keys that temporary credentials bring
    transitive: tuple[str, ...] = ()  # keys of the session tags that the next session of a chain inherits
    issuer: str = ""  # AIDA… of the user whose federated user this is; the account's number for root's
    # All fields that a decision can depend on in which no condition was used: what is remembered of such decisions is
    # found by it. The other fields reach decisions as condition keys only.
    conclusion_key: tuple[object, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        key = (self.kind, self.arn, self.account, self.id, self.identity_arn, self.issuer, self.session_policies)
        object.__setattr__(self, "conclusion_key", key)


ANONYMOUS = Principal(kind="anonymous", arn="*", account="", id="anonymous")


def account_root(account: str) -> Principal:
    """Return the root principal of an account."""
    return Principal(kind="root", arn=ids.root_arn(account), account=account, id=account)
