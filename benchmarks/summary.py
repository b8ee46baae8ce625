"""
One picture of the pages: how many times faster, and which rank among networks of the same size.

    python benchmarks/summary.py

Reads the tables in docs/benchmarks and writes docs/_static/benchmarks.png. Nothing is measured here.
"""

from __future__ import annotations

import re

import matplotlib as mpl
import matplotlib.pyplot as plt
from _common import TABLES

from sklearn_gfs.plotting import COLOURS

OURS, OTHERS = COLOURS[0], "#9aa5b1"


def rows_of(page):
    """Yield the rows of all tables of a page, as dicts from column to cell."""
    header = None
    for line in (TABLES / f"{page}.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else None
        if cells is None:
            header = None
        elif header is None:
            header = cells
        elif not set(line) <= set("|- "):
            yield dict(zip(header, cells, strict=True))


def cell(page, column, **wanted):
    """Return the number in this column of the first row whose cells are as wanted."""
    for row in rows_of(page):
        if column in row and all(row.get(name) == value for name, value in wanted.items()):
            return float(re.match(r"[-+0-9.e]+", row[column])[0])
    raise LookupError(f"{page}: no row with {wanted} has a number in {column!r}")


def speed_ups():
    """Return what was compared, and how many times faster this package was."""
    peers, search, by_grid = "selection_peers", "search_pruning", {"search": "GridSearchCV"}
    digits = {"on the digits": "fit, default parameters, against MLPClassifier(1000) after as many updates"}
    fits = {"data": "geometric mean of the ratios to the first"}
    return {
        "Ensemble selection, squared error\nagainst AutoGluon": cell(peers, "times faster", loss="squared_error"),
        "Ensemble selection, log loss\nagainst AutoGluon": cell(peers, "times faster", loss="log_loss"),
        "Search over 60 pairs, squared error\nagainst GridSearchCV": cell(
            search, "ratio", **by_grid, loss="squared_error"
        ),
        "Search over 60 pairs, log loss\nagainst GridSearchCV": cell(search, "ratio", **by_grid, loss="log_loss"),
        "Fit of 1000 neurons, pruned\nagainst MLPClassifier(1000), as many updates": 1
        / cell("training", "ratio", **digits),
        "Fit of 50 neurons\nagainst RealMLP": cell("same_size", "RealMLP", **fits),
        "Fit of 50 neurons\nagainst MLP of the same size, its defaults": cell("same_size", "MLP", **fits),
    }


def ranks():
    """Return the mean ranks of the networks of the same size, the best first."""
    names = {
        "pruned": "selected, this package",
        "at random": "at random, re-trained",
        "by magnitude": "by magnitude, re-trained",
        "MLP, same seconds": "MLP, as many seconds",
        "MLP": "MLP, its defaults",
        "OP-ELM": "OP-ELM",
    }
    found = {shown: cell("same_size", name, data="mean rank") for name, shown in names.items()}
    return dict(sorted(found.items(), key=lambda pair: pair[1]))


def bars(ax, values, colours, label, start):
    """Draw a bar for each value, from the start to the value, and write the value beside it."""
    numbers = list(values.values())
    ax.barh(range(len(numbers)), [number - start for number in numbers], left=start, color=colours, height=0.6)
    for place, number in enumerate(numbers):
        text = f" {number:,.0f}" if number >= 1000 else f" {number:.3g}"
        ax.text(max(number, start), place, text, va="center")
    ax.set_yticks(range(len(numbers)), values)
    ax.invert_yaxis()
    ax.set_xlabel(label)
    ax.spines[["top", "right"]].set_visible(False)


def main() -> None:
    mpl.use("Agg")
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained", width_ratios=[1.2, 1])
    fast, placed = speed_ups(), ranks()
    left.set_xscale("log")
    colours = [OURS if value >= 1 else COLOURS[1] for value in fast.values()]
    bars(left, fast, colours, "Times faster (left of the line: slower)", 1)
    left.set_xlim(0.2, 20_000)
    left.set_xticks([1, 10, 100, 1000, 10_000], ["1", "10", "100", "1000", "10 000"])
    left.axvline(1, color="black", linewidth=0.8)
    colours = [OURS if "this package" in name else OTHERS for name in placed]
    bars(right, placed, colours, "Mean rank on 14 data sets (1 is best)", 0)
    right.set_xlim(0, 6.6)
    figure.savefig(TABLES.parent / "_static" / "benchmarks.png", dpi=110)
    for name, value in [*fast.items(), *placed.items()]:
        print(f"{' '.join(name.split()):<80} {value:.3g}")


if __name__ == "__main__":
    main()
