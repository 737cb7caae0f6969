"""Rows: the target's tables are made equal to the source's, a batch at a time, and compared by digests.

No progress is kept anywhere. A run compares both sides and writes what differs, so it goes on where another one was
killed, and a second run finds little to do.

A row that the target refuses is put off: one that it refers to may come later, or one that has its unique name may
still have to go. The tables with such rows are gone through again until a pass brings nothing more. What is left then
is a fault, unless a server still writes to the source: the last run brings it.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError

from fuin import crash
from fuin.errors import FuinError, UnstorableText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from fuin.move.databases import Database

BATCH = 256  # rows in one transaction

Key = tuple[Any, ...]


@dataclass(slots=True)
class RowChanges:
    """How many rows of the target were changed; `put_off` is how many the target has refused, and `why`."""

    brought: int = 0
    removed: int = 0
    put_off: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class TableDigest:
    """The number of a table's rows, and the SHA-256 of all of them in the order of their keys."""

    rows: int
    sha256: str


@dataclass(slots=True)
class RowMover:
    """Makes the target's tables equal to the source's; `report` is called with the number of rows gone through."""

    source: Database
    target: Database
    report: Callable[[int], None] = lambda _: None
    changes: RowChanges = field(default_factory=RowChanges)

    def bring(self, tables: Sequence[sa.Table]) -> RowChanges:
        """Go through the tables, each of which stands after those that it refers to; return the changes."""
        waiting: dict[str, int] = {}
        while True:
            before, waiting = sum(waiting.values()), {each.name: 0 for each in tables}
            for each in reversed(tables):  # rows that refer to others go first
                waiting[each.name] += self._remove_rows(each)
            for each in tables:
                with self._data_errors(each):
                    waiting[each.name] += self._bring_rows(each)
            self.changes.put_off = sum(waiting.values())
            if not self.changes.put_off or 0 < before <= self.changes.put_off:
                return self.changes
            tables = [each for each in tables if waiting[each.name]]

    @contextlib.contextmanager
    def _data_errors(self, table: sa.Table) -> Iterator[None]:
        """Raise FuinError for a value that the target's engine cannot hold, such as a text with the character NUL."""
        try:
            yield
        except (DataError, UnstorableText) as error:
            why = error.orig if isinstance(error, DataError) else error
            raise FuinError(f"{self.target.place} does not take a row of {table.name}: {why}") from None

    def _remove_rows(self, table: sa.Table) -> int:
        """Remove the rows that the source lacks; return how many the target keeps, since others refer to them."""
        kept = 0
        for rows in batches(self.target, table):
            keys = [key_of(table, row) for row in rows]
            there = {key_of(table, row) for row in _find(self.source, table, keys)}
            gone = [_names(table, key) for key in keys if key not in there]
            refused = self._write(table, sa.delete(table).where(_is_row(table)), gone)
            self.changes.removed += len(gone) - refused
            kept += refused
        return kept

    def _bring_rows(self, table: sa.Table) -> int:
        """Insert and update rows until they are the source's; return how many the target has refused."""
        refused = 0
        for rows in batches(self.source, table):
            there = {key_of(table, row): row for row in _find(self.target, table, [key_of(table, row) for row in rows])}
            new = [row for row in rows if key_of(table, row) not in there]
            changed = [row for row in rows if there.get(key_of(table, row), row) != row]
            failed = self._write(table, _update(table), [_new_values(table, row) for row in changed])
            failed += self._write(table, sa.insert(table), [dict(row._mapping) for row in new])
            self.changes.brought += len(new) + len(changed) - failed
            refused += failed
            self.report(len(rows))
            crash.point(f"move.rows.{table.name}")
        return refused

    def _write(self, table: sa.Table, statement: sa.Executable, rows: list[dict[str, Any]]) -> int:
        """Execute a statement for each row, in one transaction; return how many rows the target has refused."""
        if not rows:
            return 0
        with self.target.transaction():
            if self._is_taken(table, statement, rows):
                return 0
            return sum(not self._is_taken(table, statement, [row]) for row in rows)

    def _is_taken(self, table: sa.Table, statement: sa.Executable, rows: list[dict[str, Any]]) -> bool:
        try:
            with self.target.attempt():
                self.target.conn.execute(statement, rows)
        except IntegrityError as error:
            self.changes.why = f"{table.name}: {error.orig}"
            return False
        return True


def batches(
    database: Database, table: sa.Table, *wanted: sa.ColumnElement[bool]
) -> Iterator[Sequence[sa.Row[Any]]]:  # fmt: skip
    """Yield all rows of a table, or those that are `wanted`, in the order of their keys."""
    columns = list(table.primary_key)
    first = sa.select(table).where(*wanted).order_by(*columns).limit(BATCH)
    rows = database.conn.execute(first).all()
    while rows:
        yield rows
        if len(rows) < BATCH:
            return
        last = [sa.literal(value, each.type) for each, value in zip(columns, key_of(table, rows[-1]), strict=True)]
        rows = database.conn.execute(first.where(sa.tuple_(*columns) > sa.tuple_(*last))).all()


def digest(database: Database, table: sa.Table, report: Callable[[int], None] = lambda _: None) -> TableDigest:
    """Read a table as it is now and return its digest; equal tables have equal digests in both databases."""
    count, hasher, encode = 0, hashlib.sha256(), msgspec.msgpack.Encoder().encode
    for rows in batches(database, table):
        for row in rows:
            hasher.update(encode(tuple(row)))
        count += len(rows)
        report(len(rows))
    return TableDigest(count, hasher.hexdigest())


def count_rows(database: Database, tables: Sequence[sa.Table]) -> int:
    """Return how many rows tables have."""
    return sum(database.conn.execute(sa.select(sa.func.count()).select_from(each)).scalar_one() for each in tables)


def set_sequences(database: Database, tables: Sequence[sa.Table]) -> None:
    """Let PostgreSQL number new rows after those that are there; SQLite does so by itself."""
    if database.conn.dialect.name != "postgresql":
        return
    for table in tables:
        column = table.autoincrement_column
        if column is None:
            continue
        sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
        highest = sa.select(sa.func.max(column)).scalar_subquery()
        named = sa.select(sa.func.setval(sequence, sa.func.coalesce(highest, 1), highest.is_not(None)))
        database.conn.execute(named.where(sequence.is_not(None)))


def key_of(table: sa.Table, row: sa.Row[Any]) -> Key:
    """Return the primary key of a row that has all columns of its table."""
    return tuple(row._mapping[column] for column in table.primary_key)


def _find(database: Database, table: sa.Table, keys: list[Key]) -> Sequence[sa.Row[Any]]:
    columns = list(table.primary_key)
    chosen = columns[0].in_([key[0] for key in keys]) if len(columns) == 1 else sa.tuple_(*columns).in_(keys)
    return database.conn.execute(sa.select(table).where(chosen)).all()


def _is_row(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(*(column == sa.bindparam(f"key_{column.name}") for column in table.primary_key))


def _names(table: sa.Table, key: Key) -> dict[str, Any]:
    return {f"key_{column.name}": value for column, value in zip(table.primary_key, key, strict=True)}


def _update(table: sa.Table) -> sa.Update:
    values: dict[Any, Any] = {each: sa.bindparam(f"new_{each.name}") for each in table.columns if not each.primary_key}
    return sa.update(table).where(_is_row(table)).values(values)


def _new_values(table: sa.Table, row: sa.Row[Any]) -> dict[str, Any]:
    values: dict[str, Any] = {f"new_{each.name}": row._mapping[each] for each in table.columns if not each.primary_key}
    return {**values, **_names(table, key_of(table, row))}
