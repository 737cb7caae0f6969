"""The model of scale: the same seed gives the same run, and each limit that it is about shows."""

import json
from dataclasses import replace

from bench.scale.__main__ import MEASURED, check_changes
from bench.scale.model import Load, Model, Parameters, Result, read_parameters
from bench.scale.queues import Batches, Calendar, Station


def _run(load: Load, seconds: float = 0.3, **parts: dict[str, float]) -> Result:
    parameters: Parameters = read_parameters()
    for part, values in parts.items():
        parameters[part] = parameters[part] | values
    return Model(load, parameters, 1).run(seconds)


def test_station_and_batches() -> None:
    """Two servers do three jobs in two rounds; three jobs that wait for a batch go together."""
    calendar, ends = Calendar(), list[float]()
    station = Station(calendar, 2)
    for _ in range(3):
        station.work(10, lambda: ends.append(calendar.now))
    calendar.run(100)
    assert (ends, station.use()) == ([10, 10, 20], 30 / 200)
    batches, done = Batches(calendar, 5, 1, most=3), list[float]()
    for _ in range(5):
        batches.add(lambda: done.append(calendar.now))
    calendar.run(200)
    assert done == [106, 114, 114, 114, 120]
    assert (batches.batches, batches.jobs) == (3, 5)


def test_same_seed_is_the_same_run() -> None:
    """Nothing depends on the machine or the time."""
    load = Load(2, changes=0.01, objects=0.01, misses=0.01)
    assert _run(load) == _run(load)


def test_one_worker_is_as_measured() -> None:
    """At 32 connections the model is within a fifth of the measured rate of one worker and its keyholder."""
    rows = json.loads(MEASURED.read_text(encoding="utf-8"))["rows"]
    what = "GenerateDataKey, 32 connections"
    measured = next(row["per_second"] for row in rows if row["what"] == what and row["server"] == "fuin")
    modelled = _run(Load(1, 32), node={"workers": 1.0}).rate["request"]
    assert 0.8 < modelled / measured < 1.2


def test_changes_of_more_nodes_are_as_measured() -> None:
    """From the figures of one node, the model says the rates of two and three within a third."""
    compared = check_changes(read_parameters())
    assert [row["nodes"] for row, _ in compared] == [1, 1, 2, 2, 3, 3]
    for row, modelled in compared:
        assert 0.67 < modelled.rate["change"] / row["per_second"] < 1.5, (row, modelled.rate)


def test_nodes_add_up_and_changes_do_not() -> None:
    """Three nodes do three times the key uses of one; one row keeps the changes where they are."""
    one, three = _run(Load(1)).rate["request"], _run(Load(3)).rate["request"]
    assert 2.9 < three / one < 3.1
    for kind, load in ("change", Load(1, 32, changes=1.0)), ("addition", Load(1, 32, additions=1.0)):
        alone, together = _run(load, 1.0), _run(replace(load, nodes=3), 1.0)
        assert together.rate[kind] / alone.rate[kind] < 1.2
        assert together.bottleneck == "epoch row"


def test_additions_share_a_commit_and_changes_do_not() -> None:
    """Many additions of a node go into one transaction; of changes, each asks for its rights again after the last."""
    changes, additions = _run(Load(1, 32, changes=1.0), 1.0), _run(Load(1, 32, additions=1.0), 1.0)
    assert additions.rate["addition"] > 10 * changes.rate["change"]


def test_change_waits_for_all_nodes() -> None:
    """A change costs more with others that have to acknowledge it, and with a slower notification."""
    change = Load(3, 1, changes=1.0)
    assert _run(Load(1, 1, changes=1.0)).p50("change") < _run(change).p50("change")
    assert _run(change, database={"notify_ms": 50.0}).p50("change") > 100
