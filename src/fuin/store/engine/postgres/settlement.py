"""What became of a COMMIT whose answer was lost: another connection looks for its row in `commits`."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import psycopg

from fuin.errors import OutcomeUnknown
from fuin.store.engine.postgres.connections import disconnect, link_of
from fuin.store.engine.postgres.errors import Unreachable

if TYPE_CHECKING:
    from fuin.store.engine.postgres.connections import Connector
    from fuin.store.engine.postgres.gates import Statements

DEADLINE_SECONDS = 10.0
_PAUSE = 0.05


def has_committed(connector: Connector, statements: Statements, commit: bytes) -> bool:
    """Return whether a transaction with this row has committed; if not, it never will. Raises OutcomeUnknown.

    The question locks the gate that the transaction has locked: so that one has ended, in whatever way. And it comes
    with a write of its own, whose COMMIT must be confirmed: a server that was replaced by another one still answers
    questions, by an old state, but it cannot confirm.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            return _ask(connector, statements, commit)
        except (psycopg.Error, Unreachable, _Unproven) as error:
            if time.monotonic() > deadline:
                raise OutcomeUnknown(f"the answer to a COMMIT was lost, and cannot be asked for: {error}") from error
        time.sleep(_PAUSE)


class _Unproven(Exception):
    """The server's answer comes without a confirmed commit."""


def _ask(connector: Connector, statements: Statements, commit: bytes) -> bool:
    conn = connector.connect()
    try:
        link = link_of(conn)
        *_, found = link.run(statements.prove(commit, secrets.token_bytes(16)))
        link.warned = False
        if link.execute("COMMIT").statusmessage != "COMMIT" or link.warned:
            raise _Unproven("the server does not confirm a write")
        return bool(found)
    finally:
        disconnect(conn)
