"""Destroyed key material is in no file of the database."""

import asyncio
import random
from pathlib import Path

import pytest
from sqlalchemy import select

from fuin.errors import StoreUnavailable
from fuin.formats.wrapped import Material
from fuin.settings import Settings
from fuin.store.engine import schema, sqlite
from fuin.store.kms import keys
from fuin.store.kms.keys import Key
from fuin.store.store import Store
from tests.store import values

pytestmark = pytest.mark.sqlite_only("it looks into the files")

_PIECE = 20  # bytes; a row that is torn apart between pages must not hide


def _bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("fuin.db*")))


def _traces(content: bytes, material: Material) -> int:
    """Return how many pieces of the wrapped material stand in the files."""
    wrapped = material.wrapped
    return sum(wrapped[at : at + _PIECE] in content for at in range(0, len(wrapped) - _PIECE + 1, _PIECE))


def _add(store: Store, count: int) -> list[tuple[Key, Material]]:
    # Policies of any length make the rows around the material move between pages.
    made = [values.key(policy="p" * random.randint(2, 3000)) for _ in range(count)]

    async def insert() -> None:
        await asyncio.gather(*(store.change(keys.insert_key, key, material) for key, material in made))

    asyncio.run(insert())
    return made


def _end(store: Store, ending: list[tuple[Key, Material]]) -> None:
    async def purge() -> None:
        await asyncio.gather(*(store.change(keys.schedule_deletion, k.key_id, k.region, 5.0) for k, _ in ending))
        assert sorted(await store.purge(5.0)) == sorted(key.key_id for key, _ in ending)

    asyncio.run(purge())


def test_wrapped_material_is_in_the_files_until_the_purge(store: Store, settings: Settings) -> None:
    """The search itself finds material while it is there, in the log or the database."""
    [(key, material)] = _add(store, 1)
    assert _traces(_bytes(settings.data), material) == 5
    _end(store, [(key, material)])
    assert _traces(_bytes(settings.data), material) == 0
    assert (settings.data / "fuin.db-wal").stat().st_size == 0


def test_no_copy_is_left_among_many_keys(store: Store, settings: Settings) -> None:
    """Rounds of new and ended keys leave no piece of any ended key's material, and all of the living ones'."""
    living: list[tuple[Key, Material]] = []
    ended: list[tuple[Key, Material]] = []
    for _ in range(5):
        living += _add(store, 60)
        random.shuffle(living)
        ending, living = living[:40], living[40:]
        _end(store, ending)
        ended += ending
    content = _bytes(settings.data)
    assert sum(_traces(content, material) for _, material in ended) == 0
    assert all(_traces(content, material) == 5 for _, material in living)


def test_rows_are_blanked_in_their_place_and_stay(store: Store) -> None:
    """No row of wrapped material is ever removed: SQLite moves rows then, and leaves copies that nothing overwrites."""
    made = _add(store, 3)
    _end(store, made[:2])
    rows = store.read_sync(lambda conn: conn.execute(select(schema.sealed_materials.c.wrapped)).scalars().all())
    assert sorted(rows) == sorted([bytes(114), bytes(114), made[2][1].wrapped])


def test_other_open_processes_do_not_keep_it(store: Store, settings: Settings) -> None:
    """Stores of other processes that have read the material do not hold back the clearing."""
    others = [Store.open(settings) for _ in range(2)]
    [(key, material)] = _add(store, 1)
    for other in others:
        assert other.catalog().material(key.key_id, key.region, material.material_id) == material
    _end(store, [(key, material)])
    assert _traces(_bytes(settings.data), material) == 0
    for other in others:
        other.close()


def test_lingering_reader_is_an_error_that_the_next_purge_mends(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody reads an old state the log cannot be cleared: that is told, and done later."""
    monkeypatch.setattr("fuin.store.store._ERASE_TRIES", 1)
    [(key, material)] = _add(store, 1)
    reader = sqlite.connect(settings.database)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM keys").fetchone()
    with pytest.raises(StoreUnavailable, match="still being read"):
        _end(store, [(key, material)])
    assert store.catalog().key(key.key_id, key.region) is None
    reader.execute("ROLLBACK")
    reader.close()
    assert asyncio.run(store.purge(6.0)) == []
    assert _traces(_bytes(settings.data), material) == 0


def test_purge_that_was_cut_short_is_finished_after_the_start(settings: Settings, store: Store) -> None:
    """A process that dies between the end of the key and the clearing leaves the latter to the next one."""
    [(key, material)] = _add(store, 1)
    store.change_sync(keys.schedule_deletion, key.key_id, key.region, 5.0)
    store.change_sync(keys.purge_expired, 5.0)
    assert _traces(_bytes(settings.data), material) > 0
    later = Store.open(settings)
    assert asyncio.run(later.purge(5.0)) == []
    assert _traces(_bytes(settings.data), material) == 0
    later.close()
