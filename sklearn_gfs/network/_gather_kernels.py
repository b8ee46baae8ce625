"""
The loop that gathers samples whose features lie far apart in memory, as in a DataFrame: each is in a line of its own.

Without help a processor waits for some dozen lines at a time. Lines of the samples that come next are asked for ahead.
"""

from __future__ import annotations

from typing import Any

from sklearn_gfs._emitter import Emitter, operation
from sklearn_gfs._jit import jit
from sklearn_gfs._typing import FloatArray, IntArray

# By how many samples lines are asked for ahead.
_AHEAD = 2


@operation(1)
def read_ahead(e: Emitter, address: Any) -> None:
    """Have the line at an address brought into the second cache."""
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
    Write some rows of X, less the mean and times the inverse scale, to `out`.

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
