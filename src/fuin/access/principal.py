"""The principal of a request: the one who asks."""

from dataclasses import dataclass, field
from typing import Literal

from fuin import ids

Kind = Literal["root", "user", "role", "federated", "service", "anonymous"]


@dataclass(frozen=True, slots=True)
class Principal:
    """An account's root, a user, a role session, a federated user, a service of this server, or nobody (anonymous).

    A session can have tags and policies of its own. `tags` are the identity's tags, with the session's in place of
    those of the same name. `session_policies` are the documents of the policies that limit the session; without any,
    the session has no such limit.
    """

    kind: Kind
    # arn:aws:iam::123456789012:root, …:user/NAME; arn:aws:sts::…:assumed-role/ROLE/SESSION, …:federated-user/NAME; a
    # service's name
    arn: str
    account: str  # twelve digits; empty for nobody
    id: str  # the account's number for root, AIDA… for users, AROA…:SESSION for sessions of a role, ACCOUNT:NAME
    name: str = ""  # a user's or role's name, a federated user's
    identity_arn: str = ""  # the role of a role session (arn:aws:iam::…:role/NAME); the user of a federated user
    tags: tuple[tuple[str, str], ...] = ()  # aws:PrincipalTag/…
    session_policies: tuple[str, ...] = ()
    session: str = ""  # a session's name; empty for long-lived access keys
    session_facts: tuple[tuple[str, str], ...] = ()  # condition keys that temporary credentials bring
    transitive: tuple[str, ...] = ()  # keys of the session tags that the next session of a chain inherits
    issuer: str = ""  # of a federated user: AIDA… of the user that it is of, or the account's number if that is root
    # All fields on which a decision without conditions can depend. Such decisions are remembered under this key. The
    # other fields reach a decision only as condition keys.
    conclusion_key: tuple[object, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        key = (self.kind, self.arn, self.account, self.id, self.identity_arn, self.issuer, self.session_policies)
        object.__setattr__(self, "conclusion_key", key)


ANONYMOUS = Principal(kind="anonymous", arn="*", account="", id="anonymous")


def account_root(account: str) -> Principal:
    """Return the root principal of an account."""
    return Principal(kind="root", arn=ids.root_arn(account), account=account, id=account)
