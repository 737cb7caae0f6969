"""A node with another bound than the row that it finds; and waits that are bounded, however long a lease is."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuin.errors import StoreUnavailable
from fuin.store.engine.leases import keeper as keeping
from fuin.store.engine.leases.keeper import BoundsDiffer, Keeper
from fuin.store.engine.leases.page import Page, boot_time
from fuin.store.engine.leases.protocol import SECOND, safe_wait
from fuin.store.engine.leases.rows import Member
from fuin.store.engine.postgres.address import Address
from tests.support.postgres import PostgresServer
from tests.support.processes import wait_until

STEP_LIMIT = 9.0  # seconds; the supervisor waits for ten


class Kept:
    """A keeper that is stepped by hand, with its page."""

    def __init__(self, folder: Path, url: str, name: str, bound: float) -> None:
        folder.mkdir()
        self.page = Page.create(folder / "lease")
        self.said: list[str] = []
        self.keeper = Keeper(Address.parse(url).hosts, Member(name, bound), self.page, self.said.append)

    @property
    def is_live(self) -> bool:
        """Return whether its node may answer."""
        with contextlib.suppress(StoreUnavailable):
            self.page.epoch()
            return True
        return False

    def start(self) -> None:
        """Step until it has a lease."""
        wait_until(self._has_lease_now, 60, "the lease is there")

    def _has_lease_now(self) -> bool:
        self.keeper.step()
        return self.is_live


@pytest.fixture
def database(postgres: PostgresServer, postgres_template: str) -> Iterator[str]:
    """Give the URL of a database."""
    with postgres.database(postgres_template) as name:
        yield postgres.url(name)


@pytest.mark.parametrize("bound", [0.3, 0.0], ids=["a shorter one", "the exact one"])
def test_a_name_is_taken_over_when_the_former_lease_has_ended(tmp_path: Path, database: str, bound: float) -> None:
    """Whatever the new bound is: until then the row with the former bound stays, and changes wait for it."""
    former = Kept(tmp_path / "former", database, "a", 2.5)
    former.start()
    began = time.monotonic()
    new = Kept(tmp_path / "new", database, "a", bound)
    while former.is_live:  # which is not stepped any longer
        new.keeper.step()
        assert not new.is_live
    new.start()
    assert time.monotonic() - began > 2.0
    new.keeper.close()


def test_a_name_with_another_bound_is_refused_while_it_is_in_use(tmp_path: Path, database: str) -> None:
    """A node with longer leases renews less often; its renewal is waited for."""
    former = Kept(tmp_path / "former", database, "a", 2.4)
    former.start()
    new = Kept(tmp_path / "new", database, "a", 0.3)
    with pytest.raises(keeping.NameTaken):
        _take_turns(former, new)
    former.keeper.close()


def _take_turns(first: Kept, second: Kept) -> None:
    for _ in range(1000):
        first.keeper.step()
        second.keeper.step()


def test_rows_of_ended_nodes_with_another_bound_go(
    tmp_path: Path, database: str, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After two of their leases, in steps that show that the keeper is alive; leases of a minute are no exception."""
    ended = Kept(tmp_path / "ended", database, "b", 60.0)
    ended.start()
    new, passed = Kept(tmp_path / "new", database, "a", 1.0), 0
    monkeypatch.setattr(keeping, "boot_time", lambda: boot_time() + passed)
    for _ in range(3):
        began = time.monotonic()
        new.keeper.step()
        assert time.monotonic() - began < STEP_LIMIT
        assert not new.is_live
    passed = 2 * safe_wait(60 * SECOND)
    for _ in range(6):
        new.keeper.step()
    assert new.keeper.may_write
    name = database.rpartition("/")[2].partition("?")[0]
    assert postgres.execute("SELECT name FROM nodes", name) == [("a",)]


def test_a_node_with_another_bound_that_lives_is_refused(tmp_path: Path, database: str) -> None:
    """As soon as it renews its row."""
    other = Kept(tmp_path / "other", database, "b", 1.5)
    other.start()
    new = Kept(tmp_path / "new", database, "a", 0.3)
    with pytest.raises(BoundsDiffer):
        _take_turns(other, new)
    other.keeper.close()


def test_a_silent_host_holds_nobody_up(tmp_path: Path, database: str) -> None:
    """With leases of a minute, too: each step ends soon, and the next host gets its turn."""
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never says a word
        port = silent.getsockname()[1]
        hosts = [{"host": "127.0.0.1", "port": str(port)}, *Address.parse(database).hosts]
        page = Page.create(tmp_path / "lease")
        kept = Keeper(hosts, Member("a", 60.0), page, lambda _: None)
        for _ in range(6):
            began = time.monotonic()
            kept.step()
            assert time.monotonic() - began < STEP_LIMIT
        assert kept.may_write
        kept.close()
        page.close()
