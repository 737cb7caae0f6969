"""Accounts, users and their access keys, as the operator of the server administers them.

Each act has an audit record that is durable before the change: so no change is without a record. A second record
follows the change, with the serial of the commit.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from fuin import ids
from fuin.access.policy import PolicyKind, check_policy
from fuin.errors import FuinError
from fuin.gate import parameters
from fuin.secret import Secret
from fuin.store.errors import AlreadyExists, NotFound
from fuin.store.identity import access_keys, accounts, users

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from fuin.keyholder.wire.client import Keyholder
    from fuin.store.store import Store

# IAM: names are 1 to 64 letters, digits and +=,.@_-
_NAME = re.compile(r"[A-Za-z0-9+=,.@_-]{1,64}")
_ACCESS_KEY_ID = re.compile(r"[A-Za-z0-9_]{16,128}")
_SECRET = re.compile(r"[\x21-\x7e]{8,128}")


@dataclass(frozen=True, slots=True)
class PreparedKey:
    """An access key with its sealed secret; the clear secret is here to be shown once."""

    access_key_id: str
    secret: Secret
    sealed: bytes


async def prepare_access_key(keyholder: Keyholder, access_key_id: str | None, secret: str | None) -> PreparedKey:
    """Return a new access key, or the given one, with its secret sealed by the keyholder.

    Raises FuinError for a given id or secret that clients could not use.
    """
    if access_key_id is not None and not _ACCESS_KEY_ID.fullmatch(access_key_id):
        raise FuinError("an access key id has 16 to 128 letters, digits and underscores")
    if secret is not None and not _SECRET.fullmatch(secret):
        raise FuinError("a secret access key has 8 to 128 printable ASCII characters without spaces")
    chosen = access_key_id or ids.new_access_key_id()
    if secret is None:
        made, sealed = await keyholder.new_secret(chosen)
        return PreparedKey(chosen, Secret(made.encode()), sealed)
    return PreparedKey(chosen, Secret(secret.encode()), await keyholder.seal_secret(chosen, secret))


async def add_user(
    store: Store, keyholder: Keyholder, account: str, name: str, access_key_id: str | None, secret: str | None
) -> tuple[users.User, PreparedKey]:
    """Add a user with one access key; raises FuinError, AlreadyExists or NotFound (the account)."""
    if not _NAME.fullmatch(name):
        raise FuinError("a user's name has 1 to 64 letters, digits and +=,.@_-")
    if not await store.read(accounts.account_exists, account):
        raise NotFound(f"there is no account {account}; `fuin account add` makes one")
    if await store.read(users.find_user, account, name) is not None:
        raise AlreadyExists(f"user {name} exists already; `fuin user key add` gives it another access key")
    user = users.User(account, name, ids.new_user_id(), time.time())
    key = await prepare_access_key(keyholder, access_key_id, secret)

    def insert(conn: Connection) -> None:
        users.insert_user(conn, user)
        access_keys.insert_access_key(conn, key.access_key_id, account, name, key.sealed, user.created)

    act = Act("CreateUser", account, {"user": name, "accessKeyCreated": key.access_key_id})
    await carry_out(store, keyholder, act, insert)
    return user, key


async def put_user_policy(store: Store, keyholder: Keyholder, account: str, name: str, document: str) -> None:
    """Replace a user's inline policy; raises MalformedPolicy or NotFound. It holds as soon as this returns."""
    check_policy(document, PolicyKind.IDENTITY)
    if await store.read(users.find_user, account, name) is None:
        raise NotFound(f"there is no user {name}; `fuin user add` makes one")
    act = Act("PutUserPolicy", account, {"user": name, "policy": msgspec.json.decode(document)})
    await carry_out(store, keyholder, act, lambda conn: users.put_user_policy(conn, account, name, document))


async def add_account(
    store: Store, keyholder: Keyholder, account: str, access_key_id: str | None, secret: str | None
) -> PreparedKey:
    """Add an account with a root access key; raises FuinError or AlreadyExists."""
    if len(account) != 12 or not (account.isascii() and account.isdigit()):
        raise FuinError("an account's number has twelve digits")
    if await store.read(accounts.account_exists, account):
        raise AlreadyExists(f"account {account} exists already")
    key = await prepare_access_key(keyholder, access_key_id, secret)

    def insert(conn: Connection) -> None:
        now = time.time()
        accounts.insert_account(conn, account, now)
        access_keys.insert_access_key(conn, key.access_key_id, account, None, key.sealed, now)

    act = Act("CreateAccount", account, {"accessKeyCreated": key.access_key_id})
    await carry_out(store, keyholder, act, insert)
    return key


class Act:
    """An act of the operator, with the drafts of its audit records; a uid of this machine names the operator."""

    def __init__(self, operation: str, account: str, facts: dict[str, Any]) -> None:
        self._said = {
            "request": ids.request_id(),
            "operation": f"fuin:{operation}",
            "principal": f"operator:uid/{os.getuid()}",
            "facts": {"account": account, **parameters.members(facts)},
        }

    def draft(self, *, about: str | None = None, commit: int = 0) -> bytes:
        """Return the draft for the record before the act, or, with the serial of its commit, after it."""
        said: dict[str, Any] = dict(self._said)
        if about is not None:
            said["about"] = about
        if commit:
            said["commit"] = commit
        return msgspec.json.encode(said)


async def carry_out(store: Store, keyholder: Keyholder, act: Act, change: Callable[[Connection], None]) -> None:
    """Make a change that the operator wants, with its records before and after it."""
    await keyholder.record(act.draft(about="change"))
    _, serial = store.commit_sync(change)
    await keyholder.record(act.draft(commit=serial))
