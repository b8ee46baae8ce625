"""
The picture of a search of few sizes: a curve for each, with a band over folds.

What is given, and where the artists are kept, is in ``_threshold``.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any, NamedTuple

import numpy as np

from ._style import COLOURS, DASHES, MARKERS, log_axis, name_axes, shade


class Curves(NamedTuple):
    """What was drawn; see the attributes of ``PretrainThresholdDisplay``."""

    lines: list[Any]
    bands: list[Any]
    threshold_line: Any
    predicted_lines: list[Any]


def draw_curves(ax: Any, display: Any, budget_label: str) -> Curves:
    """Draw a PretrainThresholdDisplay as curves."""
    values = np.asarray(display.n_pretrain)
    styles = zip(cycle(COLOURS), cycle(DASHES), cycle(MARKERS), strict=False)
    drawn = Curves([], [], None, [])
    stars = []
    for column, (size, (colour, dash, marker)) in enumerate(zip(display.k, styles, strict=False)):
        label = "Subnetwork" if size is None else f"Subnetwork, k = {size}"
        style = {"color": colour, "linestyle": dash, "marker": marker, "label": label}
        means = _draw_curve(ax, display.n_pretrain, np.asarray(display.scores)[:, column], drawn, **style)
        if display.predicted is not None and np.isfinite(display.predicted[column]):
            style = {"color": colour, "linestyle": ":", "label": f"{label}, predicted"}
            drawn.predicted_lines.append(ax.axvline(display.predicted[column], zorder=2, **style))
        threshold = None if display.thresholds is None else display.thresholds[column]
        if threshold is not None:
            stars.append((threshold, means[values == threshold][0]))
    if display.dense_scores is not None:
        style = {"color": "black", "linestyle": ":", "marker": "", "label": "Dense network"}
        _draw_curve(ax, display.n_pretrain, np.asarray(display.dense_scores), drawn, **style)
    if display.target_score is not None:
        ax.axhline(display.target_score, color="0.5", linewidth=1, zorder=1)
        ax.annotate(
            "target", (1, display.target_score), xycoords=("axes fraction", "data"), xytext=(-3, 2),
            textcoords="offset points", ha="right", va="bottom", color="0.35", fontsize="small", zorder=4,
            bbox={"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1},
        )  # fmt: skip
    if stars:
        (threshold_line,) = ax.plot(
            *zip(*stars, strict=True), linestyle="", marker="*", markersize=15, markerfacecolor="white",
            markeredgecolor="black", zorder=4, label="Threshold",
        )  # fmt: skip
        drawn = drawn._replace(threshold_line=threshold_line)
    log_axis(ax, values)
    name_axes(ax, budget_label, display.score_name)
    return drawn


def _draw_curve(ax: Any, n_pretrain: Any, scores: Any, drawn: Curves, **style: Any) -> Any:
    """Draw one mean with its band, add both to what was drawn, and return the mean."""
    means, spread = scores.mean(axis=-1), scores.std(axis=-1)
    drawn.lines.extend(ax.plot(n_pretrain, means, markersize=4, zorder=3, **style))
    if scores.shape[-1] > 1:
        drawn.bands.append(shade(ax, n_pretrain, means - spread, means + spread, colour=style["color"]))
    return means
