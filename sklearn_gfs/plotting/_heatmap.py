"""
The picture of a search of many sizes: a heat map, with a line where the target is first reached.

What is given, and where the artists are kept, is in ``_threshold``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ._style import some_of


class Heatmap(NamedTuple):
    """What was drawn; see the attributes of ``PretrainThresholdDisplay``."""

    image: Any
    colorbar: Any
    threshold_line: Any
    predicted_lines: list[Any]


def draw_heatmap(ax: Any, display: Any, budget_label: str) -> Heatmap:
    """Draw a PretrainThresholdDisplay as a heat map."""
    from matplotlib.patheffects import Stroke, withStroke

    means = np.mean(display.scores, axis=-1).T
    n_sizes, n_budgets = means.shape
    # Cells of equal size for any values, because both axes are usually geometric.
    image = ax.pcolormesh(np.arange(n_budgets + 1), np.arange(n_sizes + 1), means, cmap="cividis")
    columns = some_of(np.arange(n_budgets), 12)
    ax.set_xticks(columns + 0.5, [f"{display.n_pretrain[column]}" for column in columns])
    ax.set_yticks(np.arange(n_sizes) + 0.5, [f"{size}" for size in display.k])
    ax.set_xlabel(budget_label)
    ax.set_ylabel("Picks k")
    colorbar = ax.figure.colorbar(image, ax=ax, label=display.score_name)
    outline = [withStroke(linewidth=5, foreground="black"), Stroke()]
    style = {"color": "white", "linewidth": 2.2, "path_effects": outline, "clip_on": False, "zorder": 4}
    predicted = _steps(display.n_pretrain, _first_after(display.n_pretrain, display.predicted))
    line = _steps(display.n_pretrain, display.thresholds)
    predicted_lines = [] if predicted is None else ax.plot(*predicted, linestyle=":", label="Predicted", **style)
    threshold_line = None if line is None else ax.plot(*line, label="Threshold", **style)[0]
    if predicted is not None or line is not None:
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderaxespad=0.2)
    if display.target_score is not None:
        ax.set_title(f"Target {display.target_score:.3g}", loc="right", fontsize="medium")
    return Heatmap(image, colorbar, threshold_line, predicted_lines)


def _first_after(n_pretrain: Any, predicted: Any) -> list[int | None] | None:
    """Return for each size the first number of iterations that is not below the predicted one."""
    if predicted is None:
        return None
    values = np.asarray(n_pretrain)
    return [int(values[values >= one][0]) if one <= values[-1] else None for one in predicted]


def _steps(n_pretrain: Any, thresholds: Any) -> Any:
    """Return the line along the left edges of the cells of these numbers of iterations, None if there are none."""
    if thresholds is None or all(threshold is None for threshold in thresholds):
        return None
    edges = {int(value): float(column) for column, value in enumerate(n_pretrain)}
    across, up = [], []
    for row, threshold in enumerate(thresholds):
        # A size that never reaches the threshold has its edge at the right end, where no line is drawn.
        never = threshold is None
        edge = float(len(n_pretrain)) if never else edges[int(threshold)]
        across += [edge, np.nan if never else edge, edge]
        up += [row, row + 0.5, row + 1]
    return across, up
