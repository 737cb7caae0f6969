"""`make scale`: ask the model for 1 to 100 nodes, and write bench/results/scale.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from bench.scale.model import Load, Model, read_parameters

if TYPE_CHECKING:
    from bench.scale.model import Parameters, Result

RESULTS = Path(__file__).parents[1] / "results" / "scale.md"
MEASURED = RESULTS.with_name("latest.json")
MORE_NODES = RESULTS.with_name("more_nodes.json")
KINDS = ("embedded", "nodes")
NODES = (1, 2, 3, 10, 100)
SEED = 20261130
_WARM_UP = 0.05  # seconds
_KEYS, _OBJECTS = 10**6, 10**9


def main() -> None:
    """Run all loads and write the tables."""
    parameters = read_parameters()
    sections = [
        "All figures on this page are modelled, by `make scale` from bench/scale/parameters.toml.",
        "## Checked against measurements: key uses of one node\n\n" + _check(parameters),
        "## Checked against measurements: key uses of three nodes\n\n" + _check_costs(),
        "## Checked against measurements: changes of one, two and three nodes\n\n" + _check_changes(parameters),
        "## Key uses only\n\n" + _uses(parameters),
        "## One request in a hundred writes an object\n\n" + _objects(parameters),
        "## Changes that take rights only (PutKeyPolicy)\n\n" + _changes(parameters, "change"),
        "## Changes that only add (CreateKey, CreateGrant)\n\n" + _changes(parameters, "addition"),
        "## Sizes\n\n" + _sizes(parameters),
    ]
    RESULTS.write_text("\n\n".join(sections) + "\n", encoding="utf-8")
    print(RESULTS.read_text(encoding="utf-8"))


def _check(parameters: Parameters) -> str:
    """Compare with bench/results/latest.json, of one worker and its keyholder."""
    measured = {(row["what"], row["server"]): row for row in json.loads(MEASURED.read_text(encoding="utf-8"))["rows"]}
    one = parameters | {"node": parameters["node"] | {"workers": 1.0}}
    lines = ["| one worker, GenerateDataKey | measured: requests/s | p50 ms | modelled: requests/s | p50 ms |",
             "|---|---|---|---|---|"]  # fmt: skip
    for clients in (32, 1):
        row = measured[f"GenerateDataKey, {clients} connections", "fuin"]
        result = Model(Load(1, clients), one, SEED).run(1.0)
        lines.append(f"| {clients} connections | {row['per_second']:,.0f} | {row['p50_ms']:.2f} | "
                     f"{result.rate['request']:,.0f} | {result.p50('request'):.2f} |")  # fmt: skip
    return "\n".join(lines)


def check_changes(parameters: Parameters) -> list[tuple[dict[str, float], Result]]:
    """Return the measured changes of one, two and three nodes, each with what the model says.

    The commit's time and that of asking again are those of the machine that was measured, from its first two rows: one
    node with one connection, and with eight. The others are predictions.
    """
    rows = json.loads(MORE_NODES.read_text(encoding="utf-8"))["changes"]
    alone, crowded = rows[0], rows[1]
    commit = alone["p50_ms"] - parameters["request"]["worker_us"] / 1000
    ask = max(0.0, 1000 / crowded["per_second"] - commit)
    here = parameters | {"database": parameters["database"] | {"commit_ms": commit, "ask_ms": ask}}
    return [(row, Model(Load(row["nodes"], row["connections"], changes=1.0), here, SEED).run(5.0)) for row in rows]


def _check_changes(parameters: Parameters) -> str:
    lines = ["| nodes | connections to each | measured: PutKeyPolicy/s | p50 ms | modelled: changes/s | p50 ms |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for row, result in check_changes(parameters):
        lines.append(f"| {row['nodes']} | {row['connections']} | {row['per_second']:,.0f} | {row['p50_ms']:.1f} | "
                     f"{result.rate['change']:,.0f} | {result.p50('change'):.1f} |")  # fmt: skip
    return "\n".join(lines)


def _check_costs() -> str:
    """Show what a request costs one, two and three nodes at work, which the model takes to be the same."""
    rows = json.loads(MORE_NODES.read_text(encoding="utf-8"))["requests"]
    lines = ["| servers at work | embedded, each alone: µs CPU | of one | nodes of one installation: µs CPU | of one |",
             "|---|---|---|---|---|"]  # fmt: skip
    costs = {(row["kind"], row["servers"]): row["median"] for row in rows}
    for count in (1, 2, 3):
        cells = [f"{costs[kind, count]:.0f} | {costs[kind, count] / costs[kind, 1]:.2f}" for kind in KINDS]
        lines.append(f"| {count} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _uses(parameters: Parameters) -> str:
    lines = ["| nodes | leased: requests/s | p50 ms | first full | exact: requests/s | use of the database |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for nodes in NODES:
        leased = Model(Load(nodes), parameters, SEED).run(_seconds(nodes), _WARM_UP)
        exact = Model(Load(nodes, exact=True), parameters, SEED).run(_seconds(nodes), _WARM_UP)
        lines.append(f"| {nodes} | {leased.rate['request']:,.0f} | {leased.p50('request'):.2f} | {leased.bottleneck} "
                     f"{leased.use[leased.bottleneck]:.0%} | {exact.rate['request']:,.0f} | "
                     f"{exact.use['database']:.0%} |")  # fmt: skip
    return "\n".join(lines)


def _objects(parameters: Parameters) -> str:
    lines = ["| nodes | key uses/s | objects written/s | p50 ms of a write | first full | use of the database |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for nodes in NODES:
        result = Model(Load(nodes, objects=0.01, misses=0.01), parameters, SEED).run(_seconds(nodes), _WARM_UP)
        lines.append(f"| {nodes} | {result.rate['request']:,.0f} | {result.rate['object']:,.0f} | "
                     f"{result.p50('object'):.2f} | {result.bottleneck} {result.use[result.bottleneck]:.0%} | "
                     f"{result.use['database']:.0%} |")  # fmt: skip
    return "\n".join(lines)


def _changes(parameters: Parameters, kind: str) -> str:
    lines = [f"| nodes | clients | {kind}s/s | p50 ms | use of the epoch row | use of the database |",
             "|---|---|---|---|---|---|"]  # fmt: skip
    for nodes in NODES:
        for clients in (1, 32):
            load = Load(nodes, clients, changes=float(kind == "change"), additions=float(kind == "addition"))
            result = Model(load, parameters, SEED).run(2.0 if nodes <= 10 else 0.5)
            lines.append(f"| {nodes} | {clients * nodes} | {result.rate[kind]:,.0f} | {result.p50(kind):.1f} | "
                         f"{result.use['epoch row']:.0%} | {result.use['database']:.0%} |")  # fmt: skip
    return "\n".join(lines)


def _sizes(parameters: Parameters) -> str:
    size, node = parameters["size"], parameters["node"]
    objects = _OBJECTS * size["object_bytes"] / 1e12
    keys = _KEYS * size["key_bytes"] / 1e9
    used = Model(Load(1), parameters, SEED).run(_seconds(1)).rate["request"]
    log = used * size["record_bytes"] * 86400 / 1e9
    renewals = parameters["lease"]["renewals_per_lease"] / parameters["lease"]["seconds"]
    return "\n".join([
        "| what | size |", "|---|---|",
        f"| index of 10^9 objects in the database | {objects:.1f} TB |",
        f"| 10^6 keys in the memory of one worker, if it has seen all | {keys:.1f} GB |",
        f"| the same in a node of {node['workers']:.0f} workers | {keys * node['workers']:.0f} GB |",
        f"| log of one node that is full all day | {log:,.0f} GB a day |",
        f"| renewals of 100 nodes | {100 * renewals:.0f} commits/s |",
        f"| connections to the database of 100 nodes | {100 * parameters['database']['connections_per_node']:.0f} |",
    ])  # fmt: skip


def _seconds(nodes: int) -> float:
    """Return how long to simulate: less for more nodes, since all are alike."""
    return 1.0 if nodes <= 3 else 0.3 if nodes <= 10 else 0.1


if __name__ == "__main__":
    main()
