"""The meaning of PostgreSQL's errors: https://www.postgresql.org/docs/15/errcodes-appendix.html."""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from fuin.errors import FuinError, OutcomeUnknown, StoreUnavailable
from fuin.store.errors import DatabaseAway

# Classes: connection, resources, intervention (shutdown, cancelled), system; the last is the server's own failure.
_ENVIRONMENT = frozenset({"08", "53", "57", "58", "XX"})
_READ_ONLY, _NO_LOCK = "25006", "55P03"  # a standby; a lock was not free within lock_timeout
_IDLE = "25P03"  # idle_in_transaction_session_timeout has ended the session
_CONFLICTS = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_TAKEN, _MISSING = "23505", "23503"
_UNKNOWN = frozenset({"40003"})  # statement completion unknown; CockroachDB gives it for COMMIT
# libpq has no SQLSTATE for a connection that was refused, only its own text and the server's: those for which waiting
# does not help. In another language they are not recognised, and taken for faults that pass.
_LASTING_TEXTS = (
    "password authentication failed", "no password supplied", "authentication failed for user", "does not exist",
    "no pg_hba.conf entry", "is not permitted to log in", "permission denied", "certificate", "does not support SSL",
    "channel binding", "ssl alert", "tlsv1 alert", "tlsv13 alert",
)  # fmt: skip
_LASTING_STATES = frozenset({"28", "3D", "42"})  # authorization, no such database, no right to a function
_READ_ONLY_TEXT = "read-only"  # the server has let us in, and is no primary


class NotCommitted(StoreUnavailable):
    """A transaction did not commit, and never will."""


class Unreachable(StoreUnavailable):
    """No host of the address gives a connection that can write."""


class Away(Unreachable, DatabaseAway):
    """The same, and waiting helps."""


def is_lasting(error: psycopg.Error) -> bool:
    """Return whether a host has refused a connection for a reason that does not pass, such as a wrong password."""
    if error.sqlstate is not None:
        return error.sqlstate[:2] in _LASTING_STATES
    return _READ_ONLY_TEXT not in str(error) and any(text in str(error) for text in _LASTING_TEXTS)


def is_read_only(error: psycopg.Error) -> bool:
    """Return whether a host has let us in, but takes no writes: a standby, or a server that is being replaced."""
    return error.sqlstate == _READ_ONLY or _READ_ONLY_TEXT in str(error)


def state_of(error: BaseException) -> str | None:
    """Return the SQLSTATE; None for a lost connection and for what PostgreSQL has not raised."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return cause.sqlstate if isinstance(cause, psycopg.Error) else None


def is_lost(error: BaseException) -> bool:
    """Return whether the connection has ended, so that nothing of an open transaction was kept."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(error, PendingRollbackError):
        return True
    if not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    state = cause.sqlstate
    return state is None or state[:2] == "08" or state.startswith("57P") or state == _IDLE


def is_conflict(error: BaseException) -> bool:
    """Return whether another transaction was in the way: run this one again."""
    return state_of(error) in _CONFLICTS


def is_race(error: BaseException) -> bool:
    """Return whether a row has met one of another transaction that this one could not see when it checked."""
    return state_of(error) in {_TAKEN, _MISSING}


def is_environment(error: BaseException) -> bool:
    """Return whether an error means that the database cannot be used now, rather than a wrong statement."""
    if isinstance(error, FuinError):
        return isinstance(error, StoreUnavailable)
    state = state_of(error)
    if state is None:
        return is_lost(error)
    return state[:2] in _ENVIRONMENT or state in {_READ_ONLY, _NO_LOCK, _IDLE} or is_conflict(error)


def is_certain(error: BaseException) -> bool:
    """Return whether a commit that failed in this way can never come back."""
    if isinstance(error, StoreUnavailable):
        return not isinstance(error, OutcomeUnknown)
    return is_refusal(error)


def is_refusal(error: BaseException) -> bool:
    """Return whether the server itself has answered a COMMIT with an error, which rolls back."""
    state = state_of(error)
    return state is not None and state[:2] not in _ENVIRONMENT and state not in _UNKNOWN
