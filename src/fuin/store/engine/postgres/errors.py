"""The meaning of PostgreSQL's errors: https://www.postgresql.org/docs/15/errcodes-appendix.html."""

from __future__ import annotations

import psycopg
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from fuin.errors import FuinError, OutcomeUnknown, StoreUnavailable

# Classes: connection, resources, intervention (shutdown, cancelled), system; the last is the server's own failure.
_ENVIRONMENT = frozenset({"08", "53", "57", "58", "XX"})
_READ_ONLY, _NO_LOCK = "25006", "55P03"  # a standby; a lock was not free within lock_timeout
_IDLE = "25P03"  # idle_in_transaction_session_timeout has ended the session
_CONFLICTS = frozenset({"40001", "40P01"})  # serialization failure, deadlock
_TAKEN, _MISSING = "23505", "23503"
_UNKNOWN = frozenset({"40003"})  # statement completion unknown; CockroachDB gives it for COMMIT


class NotCommitted(StoreUnavailable):
    """A transaction did not commit, and never will."""


class Unreachable(StoreUnavailable):
    """No host of the address gives a connection that can write."""


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
