"""Draw the plot from bench/results/latest.json; run by the environment that has matplotlib."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

PANELS = {"cpu_us": "CPU µs per request", "cpu_s_per_gb": "CPU s per GB"}
COLOURS = {"fuin": "#b5232b", "moto": "#9a9a9a"}


def main(folder: Path) -> None:
    """Write latest.svg: CPU per request and per gigabyte, both servers, logarithmic."""
    rows = json.loads((folder / "latest.json").read_text())["rows"]
    servers = {row["what"]: {other["server"] for other in rows if other["what"] == row["what"]} for row in rows}
    compared = [row for row in rows if len(servers[row["what"]]) > 1]
    figure, axes = pyplot.subplots(1, len(PANELS), figsize=(11, 4))
    for axis, (name, unit) in zip(axes, PANELS.items(), strict=True):
        draw(axis, [row for row in compared if row[name] is not None], name, unit)
    figure.tight_layout()
    figure.savefig(folder / "latest.svg", metadata={"Date": None})


def draw(axis: Any, rows: list[dict[str, Any]], name: str, unit: str) -> None:
    """Draw one panel of horizontal bars."""
    labels = [f"{row['what']} · {row['server']}" for row in rows]
    bars = axis.barh(labels, [row[name] for row in rows], color=[COLOURS[row["server"]] for row in rows])
    axis.bar_label(bars, fmt="{:,.3g}", padding=3, fontsize=8)
    axis.set_xscale("log")
    axis.margins(x=0.15)
    axis.invert_yaxis()
    axis.set_xlabel(unit)
    axis.tick_params(axis="y", labelsize=7)


main(Path(sys.argv[1]))
