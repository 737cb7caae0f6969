"""Rows that move: from SQLite to SQLite and to PostgreSQL, again and again, with whatever the source has changed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fuin.errors import FuinError
from fuin.move import rows
from fuin.move.databases import Database, open_postgres, open_sqlite
from fuin.move.rows import RowMover
from fuin.settings import Settings
from fuin.store.engine import schema
from fuin.store.engine.configuration import configured_engine
from fuin.store.engine.schema.columns import TEXT, TIME, column, table, tables_to_move
from tests.support.postgres import PostgresServer

TABLES = schema.tables_to_move()


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Database]:
    """Give an empty database on SQLite."""
    with open_sqlite(tmp_path / "source.db", create=True) as database:
        yield database


@pytest.fixture(params=["sqlite", "postgres"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give an empty database on each engine."""
    if request.param == "sqlite":
        with open_sqlite(tmp_path / "target.db", create=True) as database:
            yield database
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with ExitStack() as stack:
        url = server.socket_url(stack.enter_context(server.database()))
        configured_engine(Settings(data=tmp_path, database_url=url)).prepare(create=True)
        yield stack.enter_context(open_postgres(url))


def test_every_table_moves_but_those_about_the_database_itself() -> None:
    """Whoever adds a table that must not move says so where it is made; a table that says nothing moves."""
    staying = schema.metadata.tables.keys() - {each.name for each in TABLES}
    assert staying == {"meta", "epoch", "nodes", "gates", "commits", "jobs", "blob_intents"}
    other = sa.MetaData()
    sa.Table("brand_new", other, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table("of_node", other, sa.Column("id", sa.Integer, primary_key=True), info={"stays": True})
    assert [each.name for each in tables_to_move(other)] == ["brand_new"]


def test_table_that_nobody_has_heard_of_is_moved(source: Database, target: Database) -> None:
    """A table with a key of two columns and a column that is compared; nothing in the mover names it."""
    new = table("news", sa.Column("first", TEXT, primary_key=True), sa.Column("second", sa.LargeBinary,
        primary_key=True), column("value", TIME, null=True))  # fmt: skip
    schema.metadata.remove(new)
    for database in (source, target):
        new.create(database.conn)
    _insert(source, new, [{"first": "é", "second": bytes([number]), "value": number / 3} for number in range(200)])
    _insert(source, new, [{"first": "a", "second": bytes([number]), "value": None} for number in range(200)])
    assert _move(source, target, [new]).brought == 400
    _execute(source, sa.update(new).where(new.c.first == "a").values(value=1.5))
    assert _move(source, target, [new]).brought == 200
    assert rows.digest(source, new) == rows.digest(target, new)


def test_run_that_is_repeated_brings_what_is_new(source: Database, target: Database) -> None:
    """More rows than a batch has; then one is new, one changed, one gone."""
    _insert_objects(source, range(1, 601))
    first = _move(source, target)
    assert (first.brought, first.removed, first.put_off) == (602, 0, 0)
    assert _move(source, target).brought == 0
    _execute(source, sa.delete(schema.objects).where(schema.objects.c.id == 300))
    _execute(source, sa.update(schema.objects).where(schema.objects.c.id == 1).values(etag="changed"))
    _insert(source, schema.objects, [_object(601)])
    second = _move(source, target)
    assert (second.brought, second.removed, second.put_off) == (2, 1, 0)
    _require_equal(source, target)


def test_small_object_goes_along_with_its_row(source: Database, target: Database) -> None:
    """Its message arrives as it is, changed as well; an empty one and none stay two things."""
    _insert_objects(source, range(1, 5))
    contents = {1: bytes(range(256)) * 64, 2: None, 3: b"", 4: b"old"}
    _insert(source, schema.object_parts, [_part(number, content) for number, content in contents.items()])
    _move(source, target)
    contents[4] = b"new"
    _execute(source, sa.update(schema.object_parts).where(schema.object_parts.c.object == 4).values(content=b"new"))
    assert _move(source, target).brought == 1
    _require_equal(source, target)
    chosen = sa.select(schema.object_parts.c.object, schema.object_parts.c.content)
    assert {row.object: row.content for row in target.conn.execute(chosen)} == contents


def test_row_may_refer_to_a_later_one_of_its_table(source: Database, target: Database) -> None:
    """A user's boundary is a policy, whose id comes later; both are in different batches."""
    _insert(source, schema.accounts, [{"account": "123456789012", "created": 1.0}])
    policies = [_identity(f"Z{number:03d}", "policy") for number in range(300)]
    users = [_identity(f"A{number:03d}", "user", f"Z{number:03d}") for number in range(300)]
    _insert(source, schema.identities, [*policies, *users])
    assert _move(source, target).put_off == 0
    _require_equal(source, target)


def test_unique_names_may_have_changed_places(source: Database, target: Database) -> None:
    """One row has taken the name that another one had, and gave its own to a third, which is new."""
    _insert(source, schema.accounts, [{"account": "123456789012", "created": 1.0}])
    _insert(source, schema.identities, [_identity("A", "user"), _identity("B", "user")])
    _move(source, target)
    for old, new in (("B", "free"), ("A", "B")):
        chosen = sa.update(schema.identities).where(schema.identities.c.name == old)
        _execute(source, chosen.values(name=new, folded=new))
    _insert(source, schema.identities, [{**_identity("0", "user"), "name": "A", "folded": "A"}])
    assert _move(source, target).put_off == 0
    _require_equal(source, target)


def test_newer_version_takes_the_place_of_the_current_one(source: Database, target: Database) -> None:
    """Both are current for a moment, in two batches, of which the newer one may come first."""
    _insert_objects(source, range(1, 301))
    _move(source, target)
    for number in (1, 300):
        changed = sa.update(schema.objects).where(schema.objects.c.id == number)
        _execute(source, changed.values(is_current=0, version_order=0))
        newer = {**_object(number), "id": 600 + number, "version_order": -number, "version_id": f"v{number}"}
        _insert(source, schema.objects, [newer])
    assert _move(source, target).put_off == 0
    _require_equal(source, target)


def test_row_without_the_one_that_it_refers_to_is_put_off(source: Database, target: Database) -> None:
    """A server that writes meanwhile may show a row before the one that it refers to; the next run brings it."""
    source.run("PRAGMA foreign_keys = OFF")
    _insert(source, schema.objects, [_object(1)])
    changes = _move(source, target)
    assert (changes.brought, changes.put_off) == (0, 1)
    assert changes.why.startswith("objects: ")
    _insert_objects(source, range(2, 3))
    assert _move(source, target).put_off == 0
    _require_equal(source, target)


def test_new_rows_are_numbered_after_the_moved_ones(source: Database, target: Database) -> None:
    """After the move the database gives the next number, also in a table that is empty."""
    _insert_objects(source, range(1, 8))
    _move(source, target)
    with target.transaction():
        rows.set_sequences(target, TABLES)
    with target.transaction():
        without = {name: value for name, value in _object(0).items() if name != "id"}
        assert target.conn.execute(sa.insert(schema.objects), without).inserted_primary_key == (8,)
        made = target.conn.execute(sa.insert(schema.sealed_materials), {"wrapped": b"x"})
        assert made.inserted_primary_key == (1,)


@pytest.mark.parametrize("target", ["postgres"], indirect=True)
def test_text_that_the_target_does_not_take_is_named(source: Database, target: Database) -> None:
    """PostgreSQL has no character NUL: the move says which table holds it, and stops."""
    _insert(source, schema.accounts, [{"account": "a\0b", "created": 1.0}])
    with pytest.raises(FuinError, match="does not take a row of accounts"):
        _move(source, target)


@pytest.mark.parametrize("change", ["value", "row", "type"])
def test_digest_sees_each_difference(source: Database, target: Database, change: str) -> None:
    """One changed value, one row more, or another type of a value: the digests differ."""
    _insert_objects(source, range(1, 300))
    _move(source, target)
    if change == "value":
        _execute(target, sa.update(schema.objects).where(schema.objects.c.id == 290).values(size=43))
    elif change == "row":
        _execute(target, sa.delete(schema.objects).where(schema.objects.c.id == 290))
    else:
        _execute(target, sa.update(schema.objects).where(schema.objects.c.id == 290).values(checksum=""))
    assert rows.digest(source, schema.objects) != rows.digest(target, schema.objects)


def _move(source: Database, target: Database, tables: list[sa.Table] = TABLES) -> rows.RowChanges:
    return RowMover(source, target).bring(tables)


def _part(number: int, content: bytes | None) -> dict[str, Any]:
    return {
        "object": number, "number": 1, "blob": f"{number:064}", "size": 5, "stored_size": 700, "etag": "",
        "message_id": b"", "modified": 1.0, "content": content,
    }  # fmt: skip


def _require_equal(source: Database, target: Database) -> None:
    for each in TABLES:
        assert rows.digest(source, each) == rows.digest(target, each), each.name


def _insert(database: Database, into: sa.Table, values: list[dict[str, Any]]) -> None:
    with database.transaction():
        database.conn.execute(sa.insert(into), values)


def _execute(database: Database, statement: sa.Executable) -> None:
    with database.transaction():
        database.conn.execute(statement)


def _insert_objects(database: Database, numbers: range) -> None:
    _insert(database, schema.accounts, [{"account": "123456789012", "created": 1.0}])
    bucket = {"name": "bucket", "account": "123456789012", "region": "us-east-1", "created": 0.1}
    _insert(database, schema.buckets, [bucket])
    _insert(database, schema.objects, [_object(number) for number in numbers])


def _object(number: int) -> dict[str, Any]:
    return {
        "id": number, "bucket": "bucket", "key": f"é{number}".encode(), "version_id": "null",
        "version_order": 0, "is_current": 1, "is_delete_marker": 0,
        "etag": "tag", "size": 1 << 40, "modified": number / 7, "headers": "{}", "metadata": "{}", "encryption": "{}",
        "part_count": 1,
    }  # fmt: skip


def _identity(number: str, kind: str, boundary: str | None = None) -> dict[str, Any]:
    known: dict[str, Any] = {"id": number, "account": "123456789012", "kind": kind, "boundary": boundary}
    for each in schema.identities.columns:
        if each.name not in known and not each.nullable:
            known[each.name] = number if each.name in {"name", "folded"} else 1.0 if each.name == "created" else "/"
    return known
