"""
Loops for scores of candidates: arrays in, arrays out.

Two scores are sums over samples. Each candidate is a total plus the predictions of a model; these sums are computed
sample by sample, so that memory does not hold them for all candidates. The third counts pairs of samples of one
candidate.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sklearn_gfs._jit import jit


@jit
def add_hits(
    total: NDArray[np.float64],
    atoms: NDArray[np.float64],
    y: NDArray[np.int64],
    weight: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """
    Add to each candidate's element of `out` the weights of the samples whose class it predicts.

    Of several largest columns the first is the prediction. ``total`` is (n_samples, n_classes), ``atoms`` (n_models,
    n_samples, n_classes).
    """
    for i in range(atoms.shape[0]):
        for s in range(total.shape[0]):
            best, largest = 0, total[s, 0] + atoms[i, s, 0]
            for c in range(1, total.shape[1]):
                value = total[s, c] + atoms[i, s, c]
                if value > largest:
                    best, largest = c, value
            if best == y[s]:
                out[i] += weight[s]


@jit
def add_absolute_errors(
    total: NDArray[np.float64],
    atoms: NDArray[np.float64],
    t: float,
    y: NDArray[np.float64],
    weight: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Add to each candidate's element of `out` the weighted absolute errors of its mean of t picks, for all targets."""
    for i in range(atoms.shape[0]):
        for s in range(total.shape[0]):
            for c in range(total.shape[1]):
                out[i] += weight[s] * abs((total[s, c] + atoms[i, s, c]) / t - y[s, c])


@jit
def pairs_in_order(
    low: NDArray[np.float64],
    low_weight: NDArray[np.float64],
    high: NDArray[np.float64],
    high_weight: NDArray[np.float64],
) -> float:
    """
    Return the weight of the pairs of a value of ``low`` and a larger value of ``high``; equal pairs count half.

    Both arrays of values are in ascending order. The weight of a pair is the product of the weights of its values.
    """
    i, j, below, total = 0, 0, 0.0, 0.0
    while j < high.shape[0]:
        value, own, tied = high[j], 0.0, 0.0
        while j < high.shape[0] and high[j] == value:
            own += high_weight[j]
            j += 1
        while i < low.shape[0] and low[i] < value:
            below += low_weight[i]
            i += 1
        while i < low.shape[0] and low[i] == value:
            tied += low_weight[i]
            i += 1
        total += own * (below + 0.5 * tied)
        below += tied
    return total
