"""The two databases of a move: connections of its own, with transactions that are begun and ended by name."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from fuin.errors import FuinError, StoreUnavailable
from fuin.store.engine import migrate, schema, sqlite
from fuin.store.engine.postgres.address import Address
from fuin.store.engine.postgres.connections import Connector, disconnect, link_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection

_NODE = "move"  # the name of the connection, for people who look at the server
# One move at a time, and none beside a statement that somebody waits for.
_LOCK = 0x6D6F7665
_TRY_LOCK = f"SELECT pg_try_advisory_lock({_LOCK})"
_PATIENT = "SET idle_in_transaction_session_timeout = 0"
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
# Every transaction that writes locks the gate of its node, and a new gate is made behind the row of the epoch.
_STOP_WRITES = (
    _BEGIN,
    "SELECT 1 FROM epoch WHERE id = 1 FOR UPDATE",
    "SELECT 1 FROM gates ORDER BY node FOR UPDATE",
)
# A renewal waits for the end of this transaction, and a join for the row of the epoch.
_END_LEASES = sa.delete(schema.nodes).returning(schema.nodes.c.lease)
# Seconds of lease for a bound of 0; and clocks of two machines may differ: `leases/protocol.py`.
_EXACT, _DRIFT = 1.0, 1.002


@dataclass(slots=True)
class Database:
    """One side's database: SQLAlchemy's connection, and what runs a statement without SQLAlchemy."""

    place: str  # for people
    conn: Connection
    run: Callable[[str], object]
    begin: str  # the statement that begins a transaction which writes

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what the block writes, or undo it when the block raises."""
        self.run(self.begin)
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            with contextlib.suppress(Exception):
                self.run("ROLLBACK")
            raise

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """Undo what the block writes when the block raises, and go on with the transaction."""
        self.run("SAVEPOINT attempt")
        try:
            yield
        except BaseException:
            with contextlib.suppress(Exception):
                self.run("ROLLBACK TO SAVEPOINT attempt")
            raise
        finally:
            with contextlib.suppress(sqlite3.Error, psycopg.Error):
                self.run("RELEASE SAVEPOINT attempt")

    def revision(self) -> str | None:
        """Return the revision of the schema, or None in an empty database."""
        if not sa.inspect(self.conn).has_table("alembic_version"):
            return None
        return str(self.conn.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one())

    def require_schema(self) -> None:
        """Raise FuinError unless the schema is that of this version."""
        present = self.revision()
        if present != migrate.HEAD:
            raise FuinError(
                f"{self.place} has schema {present}, and this Fuin moves {migrate.HEAD} only: start its server once "
                "with this version, or use `fuin init --upgrade`"
            )


@contextlib.contextmanager
def open_sqlite(path: Path, *, create: bool = False) -> Iterator[Database]:
    """Open a data folder's database; `create` makes it. Raises FuinError."""
    if create:
        migrate.prepare(path, create=True)
    elif not path.exists():
        raise FuinError(f"there is no database {path}")
    with contextlib.closing(sqlite.make_engine(path).connect()) as conn, _refusals():
        database = Database(str(path), conn, sqlite.raw_of(conn).execute, "BEGIN IMMEDIATE")
        database.require_schema()
        yield database


@contextlib.contextmanager
def open_postgres(url: str) -> Iterator[Database]:
    """Open the database of many nodes, for one move at a time. Raises FuinError."""
    connector = Connector(Address.parse(url), _NODE)
    conn = connector.connect()
    try:
        link = link_of(conn)
        link.run(_PATIENT)
        if not link.run(_TRY_LOCK)[0][0][0]:
            raise FuinError(f"another `fuin move` uses {connector.address.name}")
        with _refusals():
            database = Database(connector.address.name, conn, link.run, _BEGIN)
            database.require_schema()
            yield database
    finally:
        disconnect(conn)
        connector.close()


@contextlib.contextmanager
def stopped_writes(database: Database) -> Iterator[float]:
    """Let no node write to PostgreSQL, renew its lease or join as long as the block runs, in one transaction.

    The block gets the seconds after which all leases have ended. It may commit (`finish.close_source`): the rows of the
    nodes then stay away. Otherwise everything is undone.
    """
    try:
        for statement in _STOP_WRITES:
            database.run(statement)
        leases = [lease_seconds(lease) for (lease,) in database.conn.execute(_END_LEASES).all()]
        yield _DRIFT * max(leases, default=0.0)
    finally:
        with contextlib.suppress(psycopg.Error):
            database.run("ROLLBACK")


def lease_seconds(bound: float) -> float:
    """Return how long a lease lasts at a node with this bound of a revocation."""
    return float(bound) or _EXACT


@contextlib.contextmanager
def _refusals() -> Iterator[None]:
    """Raise StoreUnavailable for the errors of a database: what was copied stays, and the next run goes on.

    The text has neither the statement nor its values, which may be sealed secrets.
    """
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, psycopg.Error) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        raise StoreUnavailable(f"the move has stopped: {cause}. Run it again to go on") from error
