"""The connection of the writer's thread to PostgreSQL, and its transactions."""

from __future__ import annotations

import contextlib
import secrets
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import event

from fuin.store.engine import epoch, installation
from fuin.store.engine.effect import Effect
from fuin.store.engine.postgres.connections import disconnect, link_of
from fuin.store.engine.postgres.errors import NotCommitted, is_refusal
from fuin.store.engine.postgres.gates import Statements
from fuin.store.engine.postgres.settlement import has_committed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from fuin.store.engine.postgres.connections import Connector, Link
    from fuin.store.engine.postgres.membership import Membership

_TRIES = 2  # the gate of a node may be missing once


class PostgresWriteSession:
    """One transaction at a time, behind the gate of its node; connects again when the connection was lost."""

    def __init__(self, connector: Connector, membership: Membership, node: str) -> None:
        """Open the connection; raises Unreachable."""
        self._connector = connector
        self._membership = membership
        self._statements = Statements(node)
        self._connected: Connection | None = None
        self._commit = b""  # the transaction's id in `commits`
        self._epoch = 0  # in the transaction
        self._changes = False  # the transaction raises the epoch
        self._single = False  # the transaction has one job, and needs no savepoint
        self._savepoint = False  # one is open
        self._written = False  # rows were written in the transaction
        self._written_before = False  # that job's savepoint
        self.changed_epoch = 0
        event.listen(connector.engine, "after_cursor_execute", self._look)
        self._link()

    @property
    def conn(self) -> Connection:
        """Return the connection, which is another one after it was lost."""
        if self._connected is None:
            self._connected = self._connector.connect()
        return self._connected

    def _link(self) -> Link:
        return link_of(self.conn)

    def _look(self, conn: Connection, cursor: Any, *_: object) -> None:
        """Remember that a statement of a job has written rows."""
        if conn is self._connected and cursor.rowcount > 0 and not (cursor.statusmessage or "").startswith("SELECT"):
            self._written = True

    def acquire(self) -> bool:
        """Return True: the processes of a node take turns at its gate, inside the transaction."""
        return True

    def release(self) -> None:
        """Do nothing: the end of the transaction has opened the gate."""

    def begin(self, effects: Sequence[Effect]) -> None:
        """Begin a transaction behind the locks that the effects of its jobs need; raises StoreUnavailable.

        After a move of the installation to another place, that is MovedAway.
        """
        if Effect.MAY_REVOKE in effects:
            begin = self._statements.begin_revoking
        else:
            begin = self._statements.begin_adding if Effect.ADDS in effects else self._statements.begin
        self._single, self._savepoint, self._written = len(effects) == 1, False, False
        self._changes, self.changed_epoch = False, 0
        self._commit = secrets.token_bytes(16)
        self._require_writable()
        for _ in range(_TRIES):
            *_, gate, [(self._epoch,)] = self._execute(begin)
            if gate:
                # A job that is refused for this epoch must not decide again by an older one.
                self._membership.learn_epoch(self._epoch)
                return
            self._execute("ROLLBACK")
            *_, moves = self._execute(self._statements.add)
            installation.require_served(dict(moves), self._connector.address.name)
        raise NotCommitted(f"the node {self._statements.node} has no gate")

    def _require_writable(self) -> None:
        """Find a server that was not replaced by another one; raises StoreUnavailable while nothing may be written."""
        if self._membership.is_replaced(self._link().timeline):
            self._disconnect()  # the connector finds another one
        self._membership.require_writable(self._link().timeline, self._confirm_nothing)

    def _confirm_nothing(self) -> Link:
        """Have a write without an effect confirmed, and return the connection; raises OperationalError."""
        self._execute(self._statements.prove(secrets.token_bytes(16), secrets.token_bytes(16)))
        self._confirm()
        return self._link()

    def _execute(self, statements: str) -> list[list[Any]]:
        """Run statements in one message; return the rows of each that gives rows."""
        return self._link().run(statements)

    def begin_job(self) -> None:
        """Begin a part of the transaction that can be undone alone."""
        self._written_before = self._written
        if not self._single:
            self._execute("RELEASE SAVEPOINT job; SAVEPOINT job" if self._savepoint else "SAVEPOINT job")
            self._savepoint = True

    def end_job(self) -> None:
        """End that part: the next one, or the transaction's end, releases its savepoint."""

    def undo_job(self) -> None:
        """Undo the changes of that part only, and end it."""
        self._execute("ROLLBACK" if self._single else "ROLLBACK TO SAVEPOINT job")
        self._written = self._written_before

    def is_open(self) -> bool:
        """Return whether the transaction goes on, though a refused statement may wait to be undone."""
        return self._status() in {TransactionStatus.INTRANS, TransactionStatus.INERROR}

    def _status(self) -> TransactionStatus:
        if self._connected is not None:
            with contextlib.suppress(Exception):  # SQLAlchemy has given up a lost connection
                return TransactionStatus(self._link().pgconn.transaction_status)
        return TransactionStatus.UNKNOWN

    def rights_epoch(self) -> int:
        """Return the epoch of rights: nobody else can raise it while this transaction holds a gate."""
        return epoch.rights_part(self._epoch)

    def raise_epoch(self, *, takes_rights: bool) -> None:
        """Raise the epoch, as a part of the transaction."""
        epoch.bump_epoch(self.conn, takes_rights=takes_rights)
        self._changes = True
        self._epoch = epoch.next_epoch(self._epoch, takes_rights=takes_rights)

    def number_commit(self) -> int:
        """Give the transaction the next serial of its node and return it; 0 when it has written nothing."""
        if not self._written:
            return 0
        results = self._execute(self._statements.number(self._commit, notify=self._changes))
        if self._changes:
            self._epoch = results[1][0][0]
        return int(results[0][0][0])

    def commit(self) -> None:
        """Commit; what was written is on the disk, and where standbys are configured on theirs, when it returns.

        Raises NotCommitted, or OutcomeUnknown when nobody could be asked in time.
        """
        if not self._written:
            self.roll_back()
            return
        try:
            self._confirm()
        except psycopg.Error as error:
            if is_refusal(error):
                raise
            self._settle()
        if self._changes:
            self.changed_epoch = self._epoch

    def _confirm(self) -> None:
        link = self._link()
        link.warned = False
        status = link.execute("COMMIT").statusmessage
        if status != "COMMIT":
            raise NotCommitted("the server has rolled the transaction back")
        if link.warned:
            raise psycopg.OperationalError("the commit is not replicated")

    def _settle(self) -> None:
        self._disconnect()
        if not has_committed(self._connector, self._statements, self._commit):
            raise NotCommitted("the connection was lost before the commit")

    def roll_back(self) -> None:
        """Undo the transaction if there is one; raises nothing."""
        if self.is_open():
            with contextlib.suppress(Exception):
                self._execute("ROLLBACK")
        if self._status() != TransactionStatus.IDLE:
            self._disconnect()

    def _disconnect(self) -> None:
        if self._connected is not None:
            disconnect(self._connected)
            self._connected = None

    def answer_change(self, answer: Callable[[], None]) -> None:
        """Answer the changes of the last transaction when the other nodes know of them."""
        self._membership.answer_change(self.changed_epoch, answer, None if self._connected is None else self._link())

    def clear_removed(self) -> bool:
        """Return True: this process has no file of the database; see docs/formats/database.md for what remains."""
        return True

    def close(self) -> None:
        """Close the connection."""
        event.remove(self._connector.engine, "after_cursor_execute", self._look)
        self._disconnect()
