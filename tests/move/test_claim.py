"""The claim on a target: an empty place or a part of the same installation, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuin.blobs.files.names import blob_path
from fuin.blobs.files.store import FileBlobs
from fuin.blobs.interface import Marker
from fuin.errors import FuinError
from fuin.identity import administration
from fuin.move import claim, finish
from fuin.move.databases import Database, open_sqlite
from fuin.secret import Secret
from fuin.server import first_start
from fuin.settings import Settings
from fuin.store.engine import installation
from fuin.store.errors import MovedAway, UnfinishedMove


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Give an empty database."""
    with open_sqlite(tmp_path / "fuin.db", create=True) as made:
        yield made


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Database]:
    """Give another one."""
    with open_sqlite(tmp_path / "target.db", create=True) as made:
        yield made


def test_empty_database_is_claimed_for_one_installation(database: Database, target: Database) -> None:
    """A second run may go on; another installation may not, and nobody takes it for a source."""
    claim.claim_database(database, "ours")
    claim.claim_database(database, "ours")
    with pytest.raises(FuinError, match="a part of another installation"):
        claim.claim_database(database, "theirs")
    with pytest.raises(UnfinishedMove, match="being filled"):
        claim.identify(database, target)


@pytest.mark.parametrize(("identity", "text"), [("ours", "the move has finished"), ("theirs", "another installation")])
def test_database_in_use_is_refused(database: Database, identity: str, text: str) -> None:
    """Neither an installation of somebody else nor one that was moved already is filled."""
    with database.transaction():
        installation.put_values(database.conn, {"installation": identity, "account": "1"})
    with pytest.raises(FuinError, match=text):
        claim.claim_database(database, "ours")
    assert installation.MOVING not in installation.find_values(database.conn)


def test_source_without_an_account_is_refused(database: Database, target: Database) -> None:
    """A first start that has not finished has nothing to move."""
    with pytest.raises(FuinError, match="first start"):
        claim.identify(database, target)


def test_blobs_of_others_are_refused(tmp_path: Path) -> None:
    """An empty place gets the mark; one with other blobs, or another mark, is left as it is."""

    def claim_it(name: str) -> Marker | None:
        async def run() -> Marker | None:
            store = FileBlobs(tmp_path / name)
            await claim.claim_blobs(store, "ours")
            await claim.claim_blobs(store, "ours")
            return await store.read_marker()

        return asyncio.run(run())

    (tmp_path / "empty").mkdir()
    assert claim_it("empty") == Marker("ours", 0)
    path = blob_path(tmp_path / "foreign", "1" * 64)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"foreign")
    with pytest.raises(FuinError, match="somebody else"):
        claim_it("foreign")
    (tmp_path / "marked").mkdir()
    (tmp_path / "marked" / "installation.json").write_text('{"installation": "theirs", "serial": 7}')
    with pytest.raises(FuinError, match="another installation"):
        claim_it("marked")


def test_values_about_the_database_itself_stay() -> None:
    """The account, the Region and the id go along, as does what a later version may add; a node's notes do not."""
    values = {"account": "1", "installation": "ours", "later": "x", "log": "1:00", "log/a": "1:00", "blobs": "3"}
    assert finish.values_to_move(values) == {"account": "1", "installation": "ours", "later": "x"}


def test_first_start_does_not_fill_a_claimed_database(database: Database, tmp_path: Path) -> None:
    """An account that comes at the moment of a claim finds the claim in its own transaction, and is not made."""
    claim.claim_database(database, "ours")
    key = administration.PreparedKey("AKIAI2SFODNN7EXAMPLE", Secret(b"secret"), b"sealed")
    with pytest.raises(UnfinishedMove, match="being filled"), database.transaction():
        first_start._insert(database.conn, Settings(data=tmp_path), key, 1.0, {})
    assert "account" not in installation.find_values(database.conn)


def test_source_that_was_moved_is_moved_nowhere_else(database: Database, target: Database) -> None:
    """Two places would serve the same installation; somebody has to take it back first."""
    with database.transaction():
        installation.put_values(database.conn, {"installation": "ours", "account": "1"})
    finish.mark_moved(database, "there")
    with pytest.raises(MovedAway, match="was moved to there"):
        claim.identify(database, target)
    assert finish.take_back(database) == "there"
    assert claim.identify(database, target) == "ours"
    assert finish.take_back(database) == ""


def test_closed_source_is_moved_on_to_its_own_target(database: Database, target: Database, tmp_path: Path) -> None:
    """A run may end between the closing of the source and the finish; no other target is filled from it."""
    with database.transaction():
        installation.put_values(database.conn, {"installation": "ours", "account": "1"})
    claim.claim_database(target, "ours")
    finish.mark_moved(database, target.place)
    assert claim.identify(database, target) == "ours"
    with open_sqlite(tmp_path / "other.db", create=True) as other:
        claim.claim_database(other, "ours")
        with pytest.raises(MovedAway, match="was moved to"):
            claim.identify(database, other)
    with target.transaction():
        installation.put_values(target.conn, {installation.MOVING: None, "installation": "ours"})
    with pytest.raises(MovedAway, match="was moved to"):  # it may be served, so nothing is copied over it
        claim.identify(database, target)
