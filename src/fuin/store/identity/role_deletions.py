"""Finished deletions of service-linked roles, by the ids of their tasks, for requests about their status."""

from sqlalchemy import Connection, delete, select

from fuin.store.engine import schema
from fuin.store.identity import identities
from fuin.store.identity.identities import Identity
from fuin.store.identity.roles import delete_role
from fuin.store.kms.rotations import DAY

KEPT = 30 * DAY  # seconds; then a task is as if it had never been, so that they do not grow for ever

_d = schema.role_deletions
_ACCOUNT = schema.parameter("p_account")
_FIND = select(_d.c.ended).where(_d.c.task == schema.parameter("p_task"), _d.c.account == _ACCOUNT)
_FORGET = delete(_d).where(_d.c.account == _ACCOUNT, _d.c.ended < schema.parameter("p_before", schema.TIME))


def end_role(conn: Connection, role: Identity, task: str, now: float) -> None:
    """Remove a service-linked role and remember the task; raises NotFound or StillUsed."""
    identities.apply_to(conn, role, lambda conn, _: delete_role(conn, role.account, role.name))
    conn.execute(_FORGET, {"p_account": role.account, "p_before": now - KEPT})
    conn.execute(_d.insert(), {"task": task, "account": role.account, "ended": now})


def has_ended(conn: Connection, account: str, task: str) -> bool:
    """Return whether an account's deletion of a role has ended, and is not long past."""
    return conn.execute(_FIND, {"p_account": account, "p_task": task}).first() is not None
