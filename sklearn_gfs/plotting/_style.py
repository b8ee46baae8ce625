"""
What the displays' pictures have in common: axes, bands and styles.

Lines differ by dash and marker as well as by colour, and the colours are Okabe and Ito's, so that
pictures survive grey print and colour blindness. What is drawn belongs in the displays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Okabe and Ito's colours, dark ones first; with dashes and markers in step.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")


def new_axes(ax: Any) -> Any:
    """Return the axes to draw on, new ones if none were given."""
    if ax is not None and not (hasattr(ax, "plot") and hasattr(ax, "figure")):
        raise TypeError(f"ax must be matplotlib Axes, got {type(ax).__name__}")
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("Plotting needs matplotlib; install sklearn-gfs[plot].") from error
    return plt.subplots(layout="constrained")[1]


def log_axis(ax: Any, values: Any) -> None:
    """Make the x axis logarithmic, with room for zero, and mark some of the ascending values, the ends included."""
    positive = values[values > 0]
    if len(positive) and values[0] == 0:
        ax.set_xscale("symlog", linthresh=float(positive[0]), linscale=0.4)
    elif len(positive):
        ax.set_xscale("log")
    ticks = some_of(values, 7)
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()


def log_losses(ax: Any) -> None:
    """Make the y axis logarithmic, with plain numbers at 1, 2, 3 and 5 times the powers of ten."""
    from matplotlib.ticker import LogLocator, NullLocator

    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter("{x:g}")


def some_of(values: Any, most: int) -> Any:
    """Return at most `most` of the values, evenly spaced by position, with the first and the last."""
    return values[np.unique(np.linspace(0, len(values) - 1, min(most, len(values))).round().astype(int))]


def shade(ax: Any, x: Any, low: Any, high: Any, *, colour: str, label: str | None = None) -> Any:
    """Fill the region between two curves, behind the lines."""
    return ax.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0, label=label, zorder=1.5)


def name_axes(ax: Any, x: str, y: str) -> None:
    """Label the axes, and add a legend of the lines."""
    ax.set_xlabel(x)
    ax.set_ylabel(y)
    if ax.get_legend_handles_labels()[0]:
        ax.legend()
