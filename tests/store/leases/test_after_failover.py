"""After a failover the nodes come back one after the other: nobody removes the others, and dead hosts cost little."""

from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from fuin.store.engine.leases.keeper import Keeper
from fuin.store.engine.leases.line import Line, LineFailed, LineLate
from fuin.store.engine.leases.page import Page
from fuin.store.engine.leases.protocol import SECOND, Lease, Row, Sight
from fuin.store.engine.leases.rows import Member
from fuin.store.engine.postgres.address import Address
from tests.support.postgres import PostgresServer

AWAY = 20 * SECOND  # without a primary


def _renew(lease: Lease, now: int, timeline: int, epoch: int, *others: Row) -> bool:
    return lease.accept(lease.make_renewal(now), Sight(timeline, epoch, others), now)


def test_the_first_node_after_a_failover_removes_no_other_one() -> None:
    """The rows of the others look as before the failover: this node could see no renewal meanwhile."""
    lease, other = Lease(SECOND), Row("b", b"b" * 16, 5, 1)
    lease.start_join(b"a" * 16)
    lease.complete_join(0, b"")
    assert _renew(lease, 0, 2, 1, other)
    assert not _renew(lease, AWAY, 3, 1, other)  # the epoch must be raised first
    assert _renew(lease, AWAY, 3, 2, other)
    assert lease.rows_to_strike(AWAY) == []
    for step in range(1, 8):  # it renews three times in a lease, and the other one does not
        now = AWAY + step * SECOND // 3
        assert _renew(lease, now, 3, 2, other)
        assert bool(lease.rows_to_strike(now)) == (now >= AWAY + 2 * SECOND + SECOND // 250)


def test_a_silent_host_costs_a_part_of_a_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has not answered gets the whole time only now and then; one that refuses always has it."""
    given: dict[str, list[float]] = {"dead": [], "standby": []}

    def connect(host: Mapping[str, str], seconds: float) -> NoReturn:
        given[host["host"]].append(seconds)
        raise LineLate("late") if host["host"] == "dead" else LineFailed("cannot execute LISTEN during recovery")

    monkeypatch.setattr(Line, "connect", connect)
    page = Page.create(tmp_path / "lease")
    kept = Keeper([{"host": "dead"}, {"host": "standby"}], Member("a", 1.0), page, lambda _: None)
    for _ in range(22):
        kept.step()
    page.close()
    assert given == {"dead": [2.0, *[0.25] * 9, 2.0], "standby": [2.0] * 11}


def test_a_database_that_began_anew_is_said_with_what_to_do(
    tmp_path: Path, postgres: PostgresServer, postgres_template: str
) -> None:
    """After pg_upgrade the timeline is the first again; Fuin cannot distinguish it from a replaced server."""
    said: list[str] = []
    page = Page.create(tmp_path / "lease")
    former = Lease(SECOND)
    former.start_join(b"a" * 16)
    former.timeline = 7
    page.show(former)
    with postgres.database(postgres_template) as database:
        kept = Keeper(Address.parse(postgres.url(database)).hosts, Member("a", 1.0), page, said.append)
        for _ in range(4):  # it connects and joins, renews, and is refused
            kept.step()
        kept.close()
    page.close()
    assert any("remove run/lease from the data folder of each" in sentence for sentence in said), said
