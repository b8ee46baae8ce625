"""
The loop that gathers samples whose features lie far apart in memory, as in a DataFrame.

Each value of a sample is in another cache line, and the processor would wait for a dozen lines at a time. The loop
prefetches the lines of the next samples.
"""

from __future__ import annotations

from typing import Any

from sklearn_gfs._emitter import Emitter, operation
from sklearn_gfs._jit import jit
from sklearn_gfs._typing import FloatArray, IntArray

# Number of samples by which lines are prefetched ahead.
_AHEAD = 2


@operation(1)
def read_ahead(e: Emitter, address: Any) -> None:
    """Prefetch the line at an address into the second-level cache."""
    e.read_ahead(address, 1)


@jit
def gather_standardised(
    X: FloatArray,
    at: int,
    row: int,
    column: int,
    rows: IntArray,
    mean: FloatArray,
    inverse_scale: FloatArray,
    out: FloatArray,
) -> None:
    """
    Write (X - mean) * inverse_scale of some rows to `out`.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
    at, row, column : int
        Address of X, and the bytes from a row, and from a column, to the next one.
    rows : ndarray of shape (n_rows,)
    mean, inverse_scale : ndarray of shape (n_features,)
        In the dtype of X.
    out : ndarray of shape (n_rows, n_features)
    """
    for i in range(len(rows)):
        if i + _AHEAD < len(rows):
            place = at + rows[i + _AHEAD] * row
            for j in range(len(mean)):
                read_ahead(place + j * column)
        for j in range(len(mean)):
            out[i, j] = (X[rows[i], j] - mean[j]) * inverse_scale[j]
