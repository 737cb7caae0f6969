"""Draw the plot from bench/results/latest.json; run by the environment that has matplotlib."""

import json
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot


def main(folder: Path) -> None:
    """Write latest.svg: CPU per request and per gigabyte, both servers, logarithmic."""
    rows = json.loads((folder / "latest.json").read_text())["rows"]
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4))
    for axis, figure_name, unit in zip(
        axes, ("cpu_us", "cpu_s_per_gb"), ("CPU µs per request", "CPU s per GB"), strict=True
    ):
        draw(axis, [row for row in rows if row[figure_name] is not None and not row["what"].startswith(("PUT 1024", "GET 1024"))],
             figure_name, unit)  # fmt: skip
    figure.tight_layout()
    figure.savefig(folder / "latest.svg", metadata={"Date": None})


def draw(axis, rows, name, unit):  # type: ignore[no-untyped-def]
    """Draw one panel of horizontal bars."""
    labels = [f"{row['what']} · {row['server']}" for row in rows]
    bars = axis.barh(
        labels, [row[name] for row in rows], color=["#b5232b" if r["server"] == "fuin" else "#9a9a9a" for r in rows]
    )
    axis.bar_label(bars, fmt="{:,.3g}", padding=3, fontsize=8)
    axis.set_xscale("log")
    axis.margins(x=0.15)
    axis.invert_yaxis()
    axis.set_xlabel(unit)
    axis.tick_params(axis="y", labelsize=7)


main(Path(sys.argv[1]))
