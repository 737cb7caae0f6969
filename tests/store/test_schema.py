"""The migrations make what `store/engine/schema.py` says."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import fuin.store.engine
from fuin.settings import Settings
from fuin.store.engine import migrate, schema, sqlite
from fuin.store.store import Store

pytestmark = pytest.mark.sqlite_only("it compares the texts of statements")


def _declared(metadata: sa.MetaData, path: Path) -> dict[str, list[str]]:
    engine = sqlite.make_engine(path)
    metadata.create_all(engine)
    engine.dispose()
    return _statements(path)


def _statements(path: Path) -> dict[str, list[str]]:
    """Return each table's and index's clauses, in an order of their own."""
    raw = sqlite.connect(path)
    rows = raw.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name <> 'alembic_version'")
    found = {name: sorted(re.split(r"[,()]+", "".join(sql.split()))) for name, sql in rows}
    raw.close()
    return found


def test_migrations_and_tables_are_the_same(settings: Settings) -> None:
    """Alembic finds no difference between a migrated database and the tables as SQLAlchemy sees them."""
    Store.open(settings).close()
    engine = sqlite.make_engine(settings.database)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, schema.metadata) == []
    engine.dispose()


def test_migrations_and_tables_have_the_same_sql(settings: Settings, tmp_path: Path) -> None:
    """The statements in both files are equal too: STRICT, WITHOUT ROWID, ON DELETE, partial indexes."""
    Store.open(settings).close()
    sqlite.create_file(tmp_path / "declared.db")
    assert _statements(settings.database) == _declared(schema.metadata, tmp_path / "declared.db")


def test_head_is_the_newest_migration() -> None:
    """The revision that lets a start skip Alembic is the one of the newest migration."""
    folder = Path(fuin.store.engine.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == migrate.HEAD
