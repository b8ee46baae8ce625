"""
What the displays' pictures have in common: axes and styles.

Lines differ by dash and marker as well as by colour, and the colours are Okabe and Ito's, so that
pictures survive grey print and colour blindness.
"""

from __future__ import annotations

from typing import Any

# Okabe and Ito's colours, dark ones first; with dashes and markers in step.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (3, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P")


def new_axes(ax: Any) -> Any:
    """Return the axes to draw on, new ones if none were given."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("Plotting needs matplotlib; install sklearn-gfs[plot].") from error
    return plt.subplots(layout="constrained")[1]
