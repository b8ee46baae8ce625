"""Samples drawn from all, on which neurons are selected and measured."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from sklearn_gfs._chunks import row_batches
from sklearn_gfs._typing import FloatArray, IntArray
from sklearn_gfs.network import CHUNK_ROWS


class Drawn(NamedTuple):
    """Samples drawn to represent a part: their indices and their weights, or None if all weights are equal."""

    rows: IntArray
    weight: FloatArray | None


def draw(
    targets: FloatArray, rows: IntArray, weight: FloatArray | None, n_drawn: int, dtype: Any = np.float64
) -> Drawn:
    """
    Draw at most `n_drawn` of these rows, on which neurons are selected.

    Samples are drawn in proportion to their weights, at even distances along samples sorted by their targets, so that
    each class has its share.

    Parameters
    ----------
    targets : ndarray of shape (n_samples, n_outputs)
    rows : ndarray of shape (n_rows,)
    weight : ndarray of shape (n_samples,) or None
    n_drawn : int
    dtype : dtype, default=float64
        The dtype of the weights.

    Returns
    -------
    drawn : Drawn
        All rows if there are at most `n_drawn`.
    """
    weight = None if weight is None else weight[rows]
    if len(rows) <= n_drawn:
        return Drawn(rows, weight)
    rng = np.random.RandomState(0)
    order = rng.permutation(len(rows))
    along, direction = np.empty(len(targets)), rng.standard_normal(targets.shape[1])
    for chunk in row_batches(len(targets), CHUNK_ROWS):  # the product needs the targets in float64
        along[chunk] = targets[chunk] @ direction
    in_order = along[rows[order]]
    del along  # arrays with a value for every sample take much memory
    places = np.argsort(in_order, kind="stable")
    del in_order
    order = order[places]
    del places
    ends = np.arange(1.0, len(rows) + 1) if weight is None else np.cumsum(weight[order], dtype=np.float64)
    points = (np.arange(n_drawn) + 0.5) * (ends[-1] / n_drawn)
    drawn, counts = np.unique(order[np.searchsorted(ends, points)], return_counts=True)
    return Drawn(rows[drawn], None if (counts == 1).all() else counts.astype(dtype))
