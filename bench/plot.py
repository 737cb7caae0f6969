"""Draw the plot from bench/results/latest.json; run by the environment that has matplotlib."""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import patches, pyplot

PANELS = {"cpu_us": "CPU µs per request, logarithmic", "cpu_s_per_gb": "CPU seconds per GB"}
COLOURS = {"fuin": "#b5232b", "moto": "#9a9a9a"}


def main(folder: Path) -> None:
    """Write latest.svg: CPU per request and per gigabyte, both servers side by side."""
    rows = json.loads((folder / "latest.json").read_text())["rows"]
    figure, axes = pyplot.subplots(1, len(PANELS), figsize=(12, 3.6))
    for axis, (name, unit) in zip(axes, PANELS.items(), strict=True):
        measured = {(row["what"], row["server"]): row[name] for row in rows if row[name] is not None}
        compared = [what for what, server in measured if server == "moto"]
        draw(axis, compared, measured)
        axis.set_xlabel(unit)
    axes[0].set_xscale("log")
    axes[0].set_xlim(10, 10_000)
    axes[0].xaxis.set_major_formatter("{x:,.0f}")
    axes[1].legend(
        handles=[patches.Patch(color=colour, label=server) for server, colour in COLOURS.items()], frameon=False
    )
    figure.tight_layout()
    figure.savefig(folder / "latest.svg", metadata={"Date": None})


def draw(axis: Any, compared: list[str], measured: dict[tuple[str, str], float]) -> None:
    """Draw one panel: a pair of horizontal bars for each thing that was measured."""
    for place, what in enumerate(compared):
        for offset, server in ((-0.2, "fuin"), (0.2, "moto")):
            bar = axis.barh(place + offset, measured[what, server], 0.36, color=COLOURS[server])
            axis.bar_label(bar, fmt=lambda value: f"{value:,.0f}" if value >= 100 else f"{value:.2g}", padding=3)
    axis.set_yticks(range(len(compared)), [what.replace(", ", ",\n", 1) for what in compared])
    axis.invert_yaxis()
    axis.margins(x=0.15)
    axis.spines[["top", "right"]].set_visible(False)


main(Path(sys.argv[1]))
