"""The first start: the account and its root access key."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fuin import crash
from fuin.audit.segments import segments
from fuin.errors import FuinError
from fuin.identity import administration
from fuin.keyholder.wire.client import Keyholder
from fuin.server import timekeeper
from fuin.store.engine import installation
from fuin.store.engine.configuration import configured_engine
from fuin.store.identity import access_keys, accounts
from fuin.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from fuin.secret import Secret
    from fuin.settings import Settings

ENV_ID, ENV_SECRET = "FUIN_ROOT_ACCESS_KEY_ID", "FUIN_ROOT_SECRET_ACCESS_KEY"


@dataclass(frozen=True, slots=True)
class RootAccess:
    """The first account's root access key; the secret is None when the environment gave it."""

    access_key_id: str
    secret: Secret | None


def check_log(settings: Settings) -> None:
    """Raise FuinError when the data has an account but no audit log: somebody or something has taken it away.

    The keyholder alone could not distinguish that from a first start, and would silently begin a new log.
    """
    if segments(settings.audit):
        return
    engine = configured_engine(settings)
    database = engine.look()
    if database is None or not database.account:
        return
    if settings.member and database.log is None and not database.serial:
        return  # a new node, which has never written
    whose = f" by the node {settings.member}" if settings.member else ""
    raise FuinError(
        f"{settings.audit} holds no audit log, but {engine.place} is in use{whose}: restore the log, "
        "or begin a new one with --new-audit-log"
    )


async def ensure_account(settings: Settings, shared: Mapping[str, str | None] = {}) -> RootAccess | None:
    """Make the account and its root access key if there is no account yet; return the key if it was made now.

    `shared` is what the database of an installation of many nodes tells all of them.

    Account, key and meta are one transaction: a crash before it leaves a first start, a crash after it a second.
    """
    store = Store.open(settings, create=True)
    keyholder = Keyholder(settings.keyholder_socket)
    try:
        if await store.read(installation.find_meta) is not None:
            return None
        given_id, given_secret = os.environ.get(ENV_ID), os.environ.get(ENV_SECRET)
        if (given_id is None) != (given_secret is None):
            raise FuinError(f"{ENV_ID} and {ENV_SECRET} go together")
        key = await administration.prepare_access_key(keyholder, given_id, given_secret)
        act = administration.Act("CreateAccount", settings.account, {"accessKeyCreated": key.access_key_id})
        await keyholder.record(act.draft(about="change"))
        crash.point("first_start.before_account")
        _, serial = store.commit_sync(lambda conn: _insert(conn, settings, key, time.time(), shared))
        crash.point("first_start.after_account")
        await keyholder.record(act.draft(commit=serial))
        return RootAccess(key.access_key_id, None if given_secret else key.secret)
    finally:
        await keyholder.close()
        store.close()


def _insert(
    conn: Connection, settings: Settings, key: administration.PreparedKey, now: float, shared: Mapping[str, str | None]
) -> None:
    # Behind the lock of the epoch, as is the claim of a `fuin move` that begins at the same moment.
    installation.require_finished_move(installation.MOVING in installation.find_values(conn), "the database")
    accounts.insert_account(conn, settings.account, now)
    access_keys.insert_access_key(conn, key.access_key_id, settings.account, None, key.sealed, now)
    installation.insert_meta(conn, installation.Meta(settings.account, settings.region, now))
    installation.put_values(conn, shared)
    timekeeper.begin_first(conn, settings.clock_jump_limit)
