"""Rights that are given and taken away again and again, while others use them on all nodes.

A right belongs to a *holding*: a key, a user, a grant. After a grant whose outcome is unknown a new holding takes its
place, since that grant may take effect at any later time, and would explain every use.
"""

from __future__ import annotations

import contextlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from fuin.testing.kit.users import ACCOUNT, User
from tests.cluster.history import Outcome
from tests.cluster.machine.nodes import allow, client
from tests.cluster.registers import outcome_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.cluster.history import History

BUCKET = "rights"
Clients = dict[str, Any]  # of the account's root, by service


@dataclass
class Holding:
    """What one right is about; `clients` are the user's own, one for each node."""

    subject: str
    key: str
    user: User
    clients: Sequence[Any]
    grant: str = ""


class Right:
    """One kind of right; subclasses say how it is given, taken away and used."""

    service = "kms"

    def __init__(self, name: str, history: History, urls: Sequence[str], seed: int) -> None:
        self.name, self._history, self._urls = name, history, urls
        self._choice = random.Random(seed)
        self._number = 0
        self.holding: Holding | None = None

    def prepare(self, root: Clients) -> None:
        """Make the next holding; raises what the calls raise."""
        self.holding = None
        name = f"{self.name}-{self._number}"
        self._number += 1
        root["iam"].create_user(UserName=name)
        made = root["iam"].create_access_key(UserName=name)["AccessKey"]
        user = User(name, made["AccessKeyId"], made["SecretAccessKey"])
        key = str(root["kms"].create_key()["KeyMetadata"]["KeyId"])
        clients = [client(self.service, url, user) for url in self._urls]
        holding = Holding(name, key, user, clients)
        self.begin(root, holding)
        self.holding = holding

    def change(self, roots: Sequence[Clients], pause: Callable[[float], object]) -> None:
        """Give the right, wait a little, take it away, and wait a little; each on a node of its own."""
        if self.holding is None:
            with contextlib.suppress(ClientError, BotoCoreError):
                self.prepare(self._choice.choice(roots))
        if (holding := self.holding) is None:
            pause(0.2)
            return
        if self._ask("grant", holding, lambda: self.give(self._choice.choice(roots), holding)) is Outcome.UNKNOWN:
            self.holding = None
            return
        pause(self._choice.uniform(0.02, 0.3))
        self._ask("revoke", holding, lambda: self.take(self._choice.choice(roots), holding))
        pause(self._choice.uniform(0.05, 0.6))

    def use_on(self, node: int, client_name: str) -> None:
        """Use the right on a node."""
        if (holding := self.holding) is None:
            return
        with (
            self._history.record(client_name, "use", holding.subject, str(node)) as pending,
            outcome_of(pending),
        ):
            self.use(holding.clients[node], holding)
            pending.succeed()

    def _ask(self, kind: str, holding: Holding, call: Callable[[], object]) -> Outcome:
        with self._history.record(self.name, kind, holding.subject) as pending, outcome_of(pending):
            call()
            pending.succeed()
        return pending.outcome

    def begin(self, root: Clients, holding: Holding) -> None:
        """Make what else a holding needs."""

    def give(self, root: Clients, holding: Holding) -> None:
        """Give the right."""
        raise NotImplementedError

    def take(self, root: Clients, holding: Holding) -> None:
        """Take the right away."""
        raise NotImplementedError

    def use(self, own: Any, holding: Holding) -> None:
        """Use the right with a client of its user."""
        own.encrypt(KeyId=_arn(holding.key), Plaintext=b"used")


class KeyPolicy(Right):
    """A key's policy names the user, or does not."""

    def give(self, root: Clients, holding: Holding) -> None:
        """Put a policy that names the user."""
        _put_key_policy(root, holding, "kms:Encrypt")

    def take(self, root: Clients, holding: Holding) -> None:
        """Put a policy that does not."""
        _put_key_policy(root, holding)


class UserPolicy(Right):
    """A policy of the user allows to put objects, or does not; the use is a write itself."""

    service = "s3"

    def give(self, root: Clients, holding: Holding) -> None:
        """Put a policy that allows it."""
        document = allow(None, "s3:*", "kms:*")
        root["iam"].put_user_policy(UserName=holding.user.name, PolicyName="own", PolicyDocument=document)

    def take(self, root: Clients, holding: Holding) -> None:
        """Put a policy that does not."""
        root["iam"].put_user_policy(UserName=holding.user.name, PolicyName="own", PolicyDocument=allow(None))

    def use(self, own: Any, holding: Holding) -> None:
        """Put an object."""
        own.put_object(Bucket=BUCKET, Key=holding.user.name, Body=b"used")


class KeyState(Right):
    """The key is enabled or disabled; the user may always use it."""

    def begin(self, root: Clients, holding: Holding) -> None:
        """Let the user use the key, which is enabled at first."""
        _put_key_policy(root, holding, "kms:Encrypt")

    def give(self, root: Clients, holding: Holding) -> None:
        """Enable the key."""
        root["kms"].enable_key(KeyId=holding.key)

    def take(self, root: Clients, holding: Holding) -> None:
        """Disable the key."""
        root["kms"].disable_key(KeyId=holding.key)


class KeyGrant(Right):
    """A grant of KMS, which is revoked."""

    def give(self, root: Clients, holding: Holding) -> None:
        """Make a grant for the user; an older one that could not be revoked stays, so it is revoked first."""
        if holding.grant:
            self.take(root, holding)
        answer = root["kms"].create_grant(
            KeyId=holding.key, GranteePrincipal=_user_arn(holding.user.name), Operations=["Encrypt"]
        )
        holding.grant = answer["GrantId"]

    def take(self, root: Clients, holding: Holding) -> None:
        """Revoke the grant; one that is gone was revoked by a call whose answer was lost."""
        with contextlib.suppress(root["kms"].exceptions.NotFoundException):
            root["kms"].revoke_grant(KeyId=holding.key, GrantId=holding.grant)
        holding.grant = ""


def _put_key_policy(root: Clients, holding: Holding, *actions: str) -> None:
    policy = allow(_user_arn(holding.user.name), *actions)
    root["kms"].put_key_policy(KeyId=holding.key, PolicyName="default", Policy=policy)


def _user_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:user/{name}"


def _arn(key: str) -> str:
    return f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{key}"
