"""The tables, as SQLAlchemy sees them; `migrations/` makes them, and a test holds the two equal.

Times are seconds since 1970, sizes are bytes. JSON columns are text that the services write and read; the store
does not look into it. Object keys are stored as UTF-8 bytes, so that their order is AWS's (binary UTF-8) in every
database, whatever its collation.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

TIME: sa.types.TypeEngine[Any] = sa.Double().with_variant(sqlite.REAL(), "sqlite")
LONG = sa.BigInteger().with_variant(sqlite.INTEGER(), "sqlite")
FLAG = sa.Integer()
# The order of bytes, which is SQLite's, whatever collation the database has.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
BYTES = sa.LargeBinary()

metadata = sa.MetaData()


def parameter(name: str, kind: sa.types.TypeEngine[Any] | None = None, *, many: bool = False) -> sa.BindParameter[Any]:
    """Return a named parameter of a statement; `many` stands for a list, as in IN.

    It has the type of the column that it is compared with or assigned to; where there is no column, give the type.
    """
    return sa.bindparam(name, type_=kind, expanding=many)


_STAYS = "stays"


def table(name: str, *items: sa.schema.SchemaItem, rowid: bool = False, stays: bool = False) -> sa.Table:
    """Return a table; `rowid` keeps SQLite's hidden row number, for tables whose rows are large or have numbers.

    `stays` says that the rows are about this very database or its nodes: `fuin move` leaves them where they are.
    """
    return sa.Table(name, metadata, *items, sqlite_with_rowid=rowid, sqlite_strict=True, info={_STAYS: stays})


def tables_to_move(among: sa.MetaData = metadata) -> list[sa.Table]:
    """Return the tables whose rows go along to another database, each after those that it refers to."""
    return [each for each in among.sorted_tables if not each.info.get(_STAYS)]


def column(
    name: str, kind: sa.types.TypeEngine[Any], *items: sa.schema.SchemaItem, null: bool = False
) -> sa.Column[Any]:
    """Return a column, which takes no NULL unless `null`."""
    return sa.Column(name, kind, *items, nullable=null)


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> sa.Index:
    """Return an index of those rows only for which `where` holds."""
    holds = sa.text(where)
    return sa.Index(name, *columns, unique=unique, sqlite_where=holds, postgresql_where=holds)
