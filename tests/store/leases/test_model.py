"""The rules of leases, in random schedules of a modelled world; every rule that is left out is missed.

`FUIN_LONG=1` runs thousands of schedules. A wrong variant needs no long form: each is caught within the short one.
"""

import os

import pytest

from fuin.store.engine.leases.protocol import Lease, Renewal
from tests.store.leases.world import Variant, World

SCHEDULES = 3000 if os.environ.get("FUIN_LONG") else 120
LATEST_CATCH = 110  # a wrong variant is caught by a schedule before this one


class CountsFromAnswer(Lease):
    """A lease that begins when the answer of its renewal has come."""

    def _lease_start(self, _renewal: Renewal, now: int) -> int:
        return now


class KnowsNoQuarantine(Lease):
    """A node that writes on a later timeline at once."""

    def may_write(self, now: int, timeline: int) -> bool:
        """Return whether the timeline is the one of the last renewal."""
        return timeline == self.timeline


@pytest.mark.parametrize("exact", [False, True], ids=["leased", "exact"])
def test_no_request_after_the_return_is_answered_from_before_the_change(exact: bool) -> None:
    """Whatever is delayed, stopped, cut off or replaced: no answer is older than a change that had returned.

    Under leases none is older than what was shown a lease before. An exact node of the model may see a commit that a
    replaced primary has not confirmed: such a change was never answered, and is gone on the next timeline.
    """
    answers = changes = refusals = 0
    for seed in range(SCHEDULES):
        world = World(seed, Variant(exact=exact)).run()
        assert world.violations == 0, f"schedule {seed}"
        assert exact or world.lags == 0, f"schedule {seed}"
        answers, changes, refusals = answers + world.answers, changes + world.changes, refusals + world.refusals
    assert answers > 600 * SCHEDULES
    assert changes > 50 * SCHEDULES
    assert refusals  # which shows that the faults hit


@pytest.mark.parametrize(
    "variant",
    [
        Variant(lease=CountsFromAnswer),
        Variant(by_wall_clock=True),
        Variant(wait=0.8),
        Variant(asynchronous=True),
        Variant(joins_early=True),
        Variant(strikes_silent=True),
        Variant(takes_over_at_once=True),
        Variant(exact=True, believes_select=True, believes_any_timeline=True),
        Variant(exact=True, believes_any_timeline=True),
        Variant(exact=True, lease=KnowsNoQuarantine),
    ],
    ids=[
        "the lease counts from the answer", "leases by the wall clock", "the wait is a fifth shorter",
        "the old primary confirms", "the epoch is read before the join", "who has not acknowledged is struck",
        "a name is taken over at once", "a SELECT is believed after a failover",
        "a SELECT of another timeline is believed",
        "no quarantine on a new timeline",
    ],
)  # fmt: skip
def test_a_wrong_rule_is_caught(variant: Variant) -> None:
    """Each wrong variant answers some request from before a change that had returned."""
    assert any(World(seed, variant).run().violations for seed in range(LATEST_CATCH))


@pytest.mark.parametrize("variant", [Variant(lease=CountsFromAnswer), Variant(by_wall_clock=True)])
def test_a_lease_that_is_too_long_is_seen_by_its_lag(variant: Variant) -> None:
    """Some node answers from an old state though another one had shown the new one a lease before."""
    assert any(World(seed, variant).run().lags for seed in range(LATEST_CATCH))


def test_healthy_nodes_wait_for_nobody() -> None:
    """Without faults every change returns long before a lease would have ended, and no request is refused."""
    world = World(1, Variant(), faults=False).run()
    assert world.refusals <= 60  # before the nodes have joined
    assert world.changes > 60
    assert world.longest_return < 200_000_000
