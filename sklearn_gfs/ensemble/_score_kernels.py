"""
Loops over candidates for two scores that are sums over samples: arrays in, arrays out.

Each candidate is a model whose predictions are added to a total. Nothing of the size of all candidates' sums is held.
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
    Add to each candidate's place the weights of the samples whose class is the first of its largest columns.

    ``total`` is (n_samples, n_classes), ``atoms`` (n_models, n_samples, n_classes).
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
    """Add to each candidate's place the weighted absolute errors of its mean of t picks, summed over the targets."""
    for i in range(atoms.shape[0]):
        for s in range(total.shape[0]):
            for c in range(total.shape[1]):
                out[i] += weight[s] * abs((total[s, c] + atoms[i, s, c]) / t - y[s, c])
